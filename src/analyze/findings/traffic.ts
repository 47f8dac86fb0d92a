/** Findings on packets and bytes: peaks, silences, the largest talkers, the mix of protocols. */
import {
  formatBytes,
  formatClock,
  formatCounted,
  formatDuration,
  formatRate,
  formatRatio,
} from "../../format.js";
import type { Finding, Row, SeriesData, Snapshot, Table } from "../snapshot/snapshot.js";
import { formatTime } from "../time.js";

/** Thresholds, in one place. */
const RHYTHM_MIN_SECONDS = 5;
const BURST_RATIO = 3;
/** Below this ratio traffic counts as even. */
const PEAK_RATIO = 1.5;
const SILENCE_MIN_SECONDS = 5;
const SILENCE_MIN_RATIO = 0.1;
const ONE_PROTOCOL_RATIO = 0.9;
const NON_IP_RATIO = 0.05;

/** The busiest step, and the longest silence. */
export function findRhythm(series: SeriesData, totalBytes: number): Finding[] {
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
  if (ratio >= PEAK_RATIO)
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

export function findLargest(table: Table, code: string, say: (row: Row) => string): Finding[] {
  for (const row of table.rows) {
    if (table.rows.length === 1 && table.omitted > 0) return [];
    const numbers = `${formatBytes(Number(row.bytes))} in ${formatCounted(Number(row.packets), "packet")}, ${formatRatio(Number(row.share))} of all bytes`;
    return [{ code, severity: "info", text: `${say(row)}: ${numbers}.` }];
  }
  return [];
}

export function findMix({ tables, totals, ledger }: Omit<Snapshot, "findings">): Finding[] {
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
