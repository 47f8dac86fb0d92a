/** What is worth saying first, in words, each sentence with its numbers. Nothing is said without them. */
import {
  formatBytes,
  formatClock,
  formatCount,
  formatCounted,
  formatDuration,
  formatRate,
  formatRatio,
} from "../format.js";
import { IpProtocol } from "../net.js";
import type { FlowTable } from "./flows.js";
import type { Finding, Row, SeriesData, Snapshot, Table } from "./snapshot.js";
import { formatTime } from "./time.js";

/** Thresholds, in one place. */
const RHYTHM_MIN_SECONDS = 5;
const BURST_RATIO = 3;
const SILENCE_MIN_SECONDS = 5;
const SILENCE_MIN_RATIO = 0.1;
const ONE_PROTOCOL_RATIO = 0.9;
const NON_IP_RATIO = 0.05;
const TRUNCATED_RATIO = 0.5;

/** Findings in the order of their weight: what makes the numbers doubtful, what is unusual, what is large. */
export function findFindings(snapshot: Omit<Snapshot, "findings">, flows: FlowTable): Finding[] {
  const { totals, tables } = snapshot;
  if (totals.packets === 0)
    return [{ code: "empty", severity: "notice", text: "The capture holds no packets." }];
  return [
    ...findIncompleteness(snapshot),
    ...findUnanswered(flows),
    ...findRhythm(snapshot.series, totals.bytes),
    ...findLargest(tables.talkers, "talker", (row) => `${row.service} sends the most`),
    ...findLargest(
      tables.pairs,
      "pair",
      (row) => `The busiest direction is ${row.source} to ${row.destination}`,
    ),
    ...findMix(snapshot),
  ];
}

function findIncompleteness({ ledger, totals }: Omit<Snapshot, "findings">): Finding[] {
  const found: Finding[] = [];
  const add = (code: string, severity: Finding["severity"], text: string) =>
    found.push({ code, severity, text });
  const lost = ledger.dropped ?? 0;
  if (lost > 0) {
    const ratio = formatRatio(lost / (lost + totals.packets));
    add(
      "dropped",
      "warning",
      `${formatCounted(lost, "packet")} (${ratio}) were lost while capturing: every table is incomplete.`,
    );
  }
  for (const { name, damage } of ledger.files) {
    if (damage)
      add(
        "damaged",
        "warning",
        `${name} is damaged at byte ${formatCount(damage.offset)}: ${damage.reason}.`,
      );
  }
  if (ledger.rounded)
    add("rounded", "warning", "Byte counts have passed 2^53 and are rounded from there on.");
  const { evicted } = ledger;
  if (evicted.conversations > 0) {
    const what = formatCounted(evicted.conversations, "small conversation");
    add(
      "evicted",
      "notice",
      `${what} (${formatBytes(evicted.bytes)}) did not fit the table and are summed as "other".`,
    );
  }
  const malformed = ledger.malformed.reduce((sum, { packets }) => sum + packets, 0);
  if (malformed > 0) {
    add(
      "malformed",
      "notice",
      `${formatCounted(malformed, "packet")} (${formatRatio(malformed / totals.packets)}) have a damaged IP header.`,
    );
  }
  if (ledger.truncated / totals.packets >= TRUNCATED_RATIO) {
    add(
      "truncated",
      "info",
      `${formatRatio(ledger.truncated / totals.packets)} of the packets were captured in part; byte counts are those on the wire.`,
    );
  }
  if (ledger.unresolved_bytes !== null && ledger.unresolved_bytes > 0) {
    const ratio = formatRatio(ledger.unresolved_bytes / totals.bytes);
    add(
      "unresolved",
      "info",
      `${formatBytes(ledger.unresolved_bytes)} (${ratio}) go to or come from addresses that have no name.`,
    );
    for (const { source, reason, count } of ledger.name_sources ?? [])
      add(
        "names-missing",
        "notice",
        `Names from ${source} may be missing: ${reason} (${formatCounted(count, "failure")}).`,
      );
  }
  return found;
}

/** TCP connections that were asked for and never answered. */
function findUnanswered(flows: FlowTable): Finding[] {
  let asked = 0;
  let unanswered = 0;
  for (let i = 0; i < flows.count; i++) {
    const flow = flows.read(i);
    if (flow.protocol !== IpProtocol.tcp || flow.orientation !== "handshake") continue;
    asked++;
    if (flow.replyPackets === 0) unanswered++;
  }
  if (unanswered === 0) return [];
  const text = `${formatCount(unanswered)} of ${formatCounted(asked, "TCP connection attempt")} (${formatRatio(unanswered / asked)}) got no answer at all.`;
  return [{ code: "unanswered", severity: unanswered / asked >= 0.1 ? "warning" : "notice", text }];
}

/** The busiest step, and the longest silence. */
function findRhythm(series: SeriesData, totalBytes: number): Finding[] {
  const { start, step } = series;
  const steps = series.classes[0]?.bytes.length ?? 0;
  if (start === null || steps * step < RHYTHM_MIN_SECONDS) return [];
  const startUs = Date.parse(`${start.slice(0, 23)}Z`) * 1000;
  const clock = (i: number) => formatClock(formatTime(startUs + i * step * 1e6));
  const sums = Array.from({ length: steps }, (_, i) =>
    series.classes.reduce((sum, line) => sum + line.bytes[i]!, 0),
  );
  const counts = Array.from({ length: steps }, (_, i) =>
    series.classes.reduce((sum, line) => sum + line.packets[i]!, 0),
  );
  const found: Finding[] = [];
  const peak = sums.indexOf(Math.max(...sums));
  const mean = totalBytes / steps;
  const ratio = sums[peak]! / mean;
  const rate = `${formatRate(sums[peak]! / step)} in the ${formatDuration(step)} from ${clock(peak)}`;
  const burst = ratio >= BURST_RATIO;
  found.push({
    code: burst ? "burst" : "peak",
    severity: burst ? "notice" : "info",
    text: `Traffic peaks at ${rate}, ${ratio.toFixed(1)} times the mean of ${formatRate(mean / step)}.`,
  });
  const silence = longestRun(counts, (n) => n === 0);
  if (silence.length * step >= SILENCE_MIN_SECONDS && silence.length / steps >= SILENCE_MIN_RATIO) {
    const text = `No packet at all for ${formatDuration(silence.length * step)} from ${clock(silence.start)}.`;
    found.push({ code: "silence", severity: "notice", text });
  }
  return found;
}

function longestRun(
  values: readonly number[],
  test: (n: number) => boolean,
): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  values.forEach((value, i) => {
    length = test(value) ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  });
  return best;
}

function findLargest(table: Table, code: string, say: (row: Row) => string): Finding[] {
  for (const row of table.rows) {
    if (table.rows.length === 1 && table.omitted > 0) return [];
    const numbers = `${formatBytes(Number(row.bytes))} in ${formatCounted(Number(row.packets), "packet")}, ${formatRatio(Number(row.share))} of all bytes`;
    return [{ code, severity: "info", text: `${say(row)}: ${numbers}.` }];
  }
  return [];
}

function findMix({ tables, totals, ledger }: Omit<Snapshot, "findings">): Finding[] {
  const found: Finding[] = [];
  for (const row of tables.protocols.rows) {
    const ratio = Number(row.share);
    if (ratio >= ONE_PROTOCOL_RATIO) {
      found.push({
        code: "protocol",
        severity: "info",
        text: `${row.protocol} carries ${formatRatio(ratio)} of all bytes.`,
      });
    }
    break;
  }
  if (ledger.non_ip / totals.packets >= NON_IP_RATIO) {
    const ratio = formatRatio(ledger.non_ip / totals.packets);
    found.push({
      code: "non-ip",
      severity: "notice",
      text: `${ratio} of the packets are not IP (ARP or OTHER) and have no pair.`,
    });
  }
  return found;
}
