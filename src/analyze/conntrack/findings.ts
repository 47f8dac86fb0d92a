/** Findings on connection tracking: missing data and its cause, and nearness to the limit. */

import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { agree, formatCounted, formatRatio } from "../../format.js";
import type { Finding } from "../snapshot/snapshot.js";

/** Parts of the limit at which alarms are usual. */
const NEAR = 0.75;
const VERY_NEAR = 0.9;

/** `live`: of a running kernel, not of a file. */
export function findConntrackFindings(namespaces: readonly ConntrackNamespace[], live: boolean): Finding[] {
  return namespaces.flatMap((namespace) => [
    ...problemsOf(namespace),
    ...limitOf(namespace),
    ...(live ? emptinessOf(namespace) : []),
    ...accountingOf(namespace),
  ]);
}

function placeOf({ netns }: ConntrackNamespace): string {
  return netns === null ? "" : `${netns}: `;
}

function problemsOf(namespace: ConntrackNamespace): Finding[] {
  const { problem, odd, resyncs, entries } = namespace;
  const findings: Finding[] = [];
  const say = (code: string, severity: Finding["severity"], text: string) =>
    findings.push({ code, severity, text: placeOf(namespace) + text });
  if (problem !== null) say("tracking-incomplete", "warning", problem);
  if (odd > 0) say("tracking-odd", "notice", `${formatCounted(odd, "record")} could not be read as an entry`);
  if (resyncs > 0)
    say(
      "tracking-resync",
      "info",
      `${formatCounted(resyncs, "list")} changed during a read and ${agree(resyncs, "were")} read again`,
    );
  if (entries.omitted > 0)
    say(
      "tracking-omitted",
      "warning",
      `${formatCounted(entries.omitted, "entry")} beyond the bound ${agree(entries.omitted, "are")} left out`,
    );
  return findings;
}

function limitOf(namespace: ConntrackNamespace): Finding[] {
  const { facts } = namespace;
  if (!facts) return [];
  const findings: Finding[] = [];
  const use = facts.limit > 0 ? facts.count / facts.limit : 0;
  if (use >= NEAR) {
    findings.push({
      code: "tracking-limit",
      severity: use >= VERY_NEAR ? "warning" : "notice",
      text: `${placeOf(namespace)}${formatRatio(use)} of the entries that connection tracking may hold are in use; at the limit new connections are dropped`,
    });
  }
  const { dropped = 0, earlyDropped = 0 } = facts.failures ?? {};
  if (earlyDropped > 0) {
    findings.push({
      code: "tracking-evicted",
      severity: "warning",
      text: `${placeOf(namespace)}${formatCounted(earlyDropped, "connection")} thrown out of connection tracking to make room`,
    });
  }
  if (dropped > 0) {
    findings.push({
      code: "tracking-drops",
      severity: use >= NEAR || earlyDropped > 0 ? "warning" : "info",
      text: `${placeOf(namespace)}connection tracking has dropped ${formatCounted(dropped, "packet")} since it began: the table was full, or two packets raced for one entry`,
    });
  }
  return findings;
}

/** Possible reasons for an empty table. */
function emptinessOf(namespace: ConntrackNamespace): Finding[] {
  const { facts, entries, problem } = namespace;
  if (entries.count > 0 || problem !== null) return [];
  const bridge =
    facts?.bridgeIpv4 === true
      ? ""
      : "; and bridged traffic is tracked only with br_netfilter: modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1";
  const text = facts
    ? `no connection is tracked: the kernel tracks only where a firewall or NAT rule needs it (nft list ruleset, iptables-save | grep -e conntrack -e '-j [DS]NAT' -e MASQUERADE)${bridge}`
    : "the kernel does no connection tracking here: the module nf_conntrack is not loaded; a rule that needs it loads it";
  return [{ code: "tracking-empty", severity: "notice", text: placeOf(namespace) + text }];
}

function accountingOf(namespace: ConntrackNamespace): Finding[] {
  const { facts, entries } = namespace;
  if (!facts || facts.accounting || entries.count === 0) return [];
  return [
    {
      code: "tracking-accounting-off",
      severity: "info",
      text: `${placeOf(namespace)}accounting is off: connections that begin now have no packet and byte counts; --enable-acct turns it on while netwatch runs`,
    },
  ];
}
