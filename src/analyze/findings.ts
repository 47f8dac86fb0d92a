/** The findings: sentences with numbers, the most important first. */
import { formatCount, formatCounted, formatRatio } from "../format.js";
import { IpProtocol } from "../net.js";
import { findIncompleteness } from "./findings/capture.js";
import { findRequests } from "./findings/requests.js";
import { findScans } from "./findings/scans.js";
import { findTcp } from "./findings/tcp.js";
import { findLargest, findMix, findRhythm } from "./findings/traffic.js";
import type { FlowTable } from "./flow/flows.js";
import type { Finding, Snapshot } from "./snapshot/snapshot.js";
import type { Sums } from "./sums.js";

/** Most findings: a longer list would not be read. */
export const MAX_FINDINGS = 20;

const SEVERITIES: readonly Finding["severity"][] = ["warning", "notice", "info"];

/** Findings by their severity; of one severity what makes the numbers doubtful first, then what is unusual, then what is large. */
export function findFindings(snapshot: Omit<Snapshot, "findings">, sums: Sums): Finding[] {
  const { totals, tables } = snapshot;
  if (totals.packets === 0)
    return [{ code: "empty", severity: "notice", text: "The capture holds no packets." }];
  const found = [
    ...findIncompleteness(snapshot),
    ...findScans(sums),
    ...findUnanswered(sums.flows),
    ...findTcp(sums.tcp, (label) => sums.labels.text(label)),
    ...findRequests(sums.operations),
    ...findRhythm(snapshot.series, totals.bytes),
    ...findLargest(tables.talkers, "talker", (row) => `${row.service} sends the most`),
    ...findLargest(
      tables.pairs,
      "pair",
      (row) => `The busiest direction is ${row.source} to ${row.destination}`,
    ),
    ...findMix(snapshot),
  ];
  return SEVERITIES.flatMap((severity) => found.filter((finding) => finding.severity === severity)).slice(
    0,
    MAX_FINDINGS,
  );
}

/** TCP connections that were asked for and never answered. */
function findUnanswered(flows: FlowTable): Finding[] {
  let asked = 0;
  let unanswered = 0;
  for (let i = 0; i < flows.count; i++) {
    if (!flows.isHandshake(i) || (flows.protocolKey(i) & 0xff) !== IpProtocol.tcp) continue;
    asked++;
    if (flows.packets(i, !flows.isBegunByB(i)) === 0) unanswered++;
  }
  if (unanswered === 0) return [];
  const text = `${formatCount(unanswered)} of ${formatCounted(asked, "TCP connection attempt")} (${formatRatio(unanswered / asked)}) got no answer at all.`;
  return [{ code: "unanswered", severity: unanswered / asked >= 0.1 ? "warning" : "notice", text }];
}
