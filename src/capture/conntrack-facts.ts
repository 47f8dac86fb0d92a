/** What the kernel says about its connection tracking beside the entries: limits, failures, what is switched on. Per namespace. */
import { readFileSync, writeFileSync } from "node:fs";
import { type NetnsTarget, withNetns } from "./netns.js";

const SYSCTL = "/proc/sys/net/netfilter";
const ACCOUNTING = `${SYSCTL}/nf_conntrack_acct`;

export interface ConntrackFacts {
  /** Entries the namespace has, and may have at most. */
  readonly count: number;
  readonly limit: number;
  /** Whether connections that begin now are counted in packets and bytes. */
  readonly accounting: boolean;
  /** Whether bridged IPv4 and IPv6 packets pass the IP hooks, and so connection tracking; null: no br_netfilter here. */
  readonly bridgeIpv4: boolean | null;
  readonly bridgeIpv6: boolean | null;
  /** Failures since the namespace began; null: not to be had. */
  readonly failures: ConntrackFailures | null;
  /** Seconds an entry lives after its last packet, by the sysctl's name: `tcp_timeout_established`, `udp_timeout`. */
  readonly timeouts: ReadonlyMap<string, number>;
}

export interface ConntrackFailures {
  /** Two packets raced for one entry, or the table was full. */
  readonly insertFailed: number;
  /** Packets dropped because no entry could be made. */
  readonly dropped: number;
  /** Entries thrown out to make room. */
  readonly earlyDropped: number;
}

const TIMEOUTS = [
  ...["syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close"].map(
    (state) => `tcp_timeout_${state}`,
  ),
  ...["udp_timeout", "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout", "generic_timeout"],
];

/** Reads them in the namespace; null: the kernel does no connection tracking (its module is not loaded). Throws NetnsError. */
export function readConntrackFacts(netns: NetnsTarget | null): ConntrackFacts | null {
  return withNetns(netns, () => {
    const [count, limit, accounting] = ["count", "max", "acct"].map((name) =>
      readNumber(`${SYSCTL}/nf_conntrack_${name}`),
    );
    if (count == null || limit == null) return null;
    return {
      count,
      limit,
      accounting: accounting === 1,
      bridgeIpv4: readSwitch("/proc/sys/net/bridge/bridge-nf-call-iptables"),
      bridgeIpv6: readSwitch("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
      failures: parseStatistics(readText("/proc/net/stat/nf_conntrack")),
      timeouts: new Map(
        TIMEOUTS.flatMap((name) => {
          const seconds = readNumber(`${SYSCTL}/nf_conntrack_${name}`);
          return seconds === null ? [] : [[name, seconds] as const];
        }),
      ),
    };
  });
}

/**
 * Turns accounting on or off in the namespace; only connections that begin from then on have counters. Returns how it was.
 * Throws NetnsError and the system's errors.
 */
export function setAccounting(netns: NetnsTarget | null, on: boolean): boolean {
  return withNetns(netns, () => {
    const before = readNumber(ACCOUNTING) === 1;
    if (before !== on) writeFileSync(ACCOUNTING, on ? "1" : "0");
    return before;
  });
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function readNumber(path: string): number | null {
  const text = readText(path)?.trim() ?? "";
  return /^\d{1,10}$/.test(text) ? Number(text) : null;
}

function readSwitch(path: string): boolean | null {
  const number = readNumber(path);
  return number === null ? null : number === 1;
}

/** Sums /proc/net/stat/nf_conntrack: a line of names, then hexadecimal numbers, a line a processor. */
export function parseStatistics(text: string | null): ConntrackFailures | null {
  if (text === null) return null;
  const [head, ...lines] = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(/\s+/));
  const sum = (name: string): number | null => {
    const column = head?.indexOf(name) ?? -1;
    if (column < 0) return null;
    return lines.reduce((total, cells) => total + (Number.parseInt(cells[column] ?? "0", 16) || 0), 0);
  };
  const [insertFailed, dropped, earlyDropped] = ["insert_failed", "drop", "early_drop"].map(sum);
  if (insertFailed == null || dropped == null || earlyDropped == null) return null;
  return { insertFailed, dropped, earlyDropped };
}
