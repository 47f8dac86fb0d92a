/** What is known to be missing, in words. */
import type { Snapshot } from "../analyze/snapshot.js";
import { agree, formatBytes, formatCount, formatCounted, formatTrouble } from "../format.js";
import { describeTunnels } from "../view/missing.js";
import { cutMiddle } from "./legible.js";

/** Characters of a file's name that a reason shows. */
const NAME_CHARACTERS = 48;

/** Why the numbers are too small, one phrase a reason; none when the capture is complete. */
export function findGaps({ ledger }: Snapshot): string[] {
  const gaps: string[] = [];
  if ((ledger.dropped ?? 0) > 0)
    gaps.push(`${formatCounted(ledger.dropped!, "packet")} lost while capturing`);
  const damaged = ledger.files.filter(({ damage }) => damage !== null);
  const [first] = damaged;
  if (damaged.length > 1) gaps.push(`${damaged.length} damaged files`);
  else if (first?.damage)
    gaps.push(
      `${cutMiddle(first.name, NAME_CHARACTERS)} damaged at byte ${formatCount(first.damage.offset)}`,
    );
  for (const of of ledger.interfaces ?? []) {
    const trouble = formatTrouble(of);
    if (trouble !== null) gaps.push(`${cutMiddle(of.name, NAME_CHARACTERS)}: ${trouble}`);
  }
  if (gaps.length === 0 && !ledger.complete) gaps.push("the capture is known to be incomplete");
  return gaps;
}

/** The sentences on completeness of the first page. */
export function describeCompleteness(snapshot: Snapshot): string {
  const { ledger, totals } = snapshot;
  const gaps = findGaps(snapshot);
  const sentences: string[] = [];
  if (gaps.length > 0) sentences.push(`Incomplete: ${gaps.join("; ")}. The true numbers are larger.`);
  else if (ledger.dropped === null)
    sentences.push("No damage; the capture does not say whether packets were lost while it was made.");
  else sentences.push("Complete: no packet lost, no damage.");
  const { evicted } = ledger;
  if (evicted.conversations > 0)
    sentences.push(
      `${formatCounted(evicted.conversations, "conversation")} (${formatBytes(evicted.bytes)}) ${agree(evicted.conversations, "are")} only summed as “other”; totals stay exact.`,
    );
  if (ledger.truncated > 0 && totals.packets > 0)
    sentences.push(
      `${formatCounted(ledger.truncated, "packet")} captured in part; bytes are counted as they were on the wire.`,
    );
  const malformed = ledger.malformed.reduce((sum, { packets }) => sum + packets, 0);
  if (malformed > 0) sentences.push(`${formatCounted(malformed, "packet")} with a damaged IP header.`);
  if (ledger.timeless > 0) sentences.push(`${formatCounted(ledger.timeless, "packet")} without a time.`);
  const tunnels = describeTunnels(snapshot);
  if (tunnels !== "") sentences.push(tunnels);
  if (ledger.rounded) sentences.push("Byte counts passed 2^53 and are rounded.");
  return sentences.join(" ");
}
