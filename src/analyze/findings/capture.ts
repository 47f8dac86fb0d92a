/** Findings on the capture itself: losses, damage, missing names. */
import { agree, formatBytes, formatCount, formatCounted, formatRatio } from "../../format.js";
import type { Finding, Snapshot } from "../snapshot/snapshot.js";

const TRUNCATED_RATIO = 0.5;

export function findIncompleteness({ ledger, totals }: Omit<Snapshot, "findings">): Finding[] {
  const found: Finding[] = [];
  const add = (code: string, severity: Finding["severity"], text: string) =>
    found.push({ code, severity, text });
  const lost = ledger.dropped ?? 0;
  if (lost > 0) {
    const ratio = formatRatio(lost / (lost + totals.packets));
    add(
      "dropped",
      "warning",
      `${formatCounted(lost, "packet")} (${ratio}) ${agree(lost, "were")} lost while capturing: every table is incomplete.`,
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
  if (evicted !== null && evicted.conversations > 0) {
    const what = formatCounted(evicted.conversations, "small conversation");
    add(
      "evicted",
      "notice",
      `${what} (${formatBytes(evicted.bytes)}) did not fit the table and ${agree(evicted.conversations, "are")} summed as "other", again each time for one that continues.`,
    );
  }
  const malformed = ledger.malformed.reduce((sum, { packets }) => sum + packets, 0);
  if (malformed > 0) {
    add(
      "malformed",
      "notice",
      `${formatCounted(malformed, "packet")} (${formatRatio(malformed / totals.packets)}) ${agree(malformed, "have")} a damaged IP header.`,
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
      `${formatBytes(ledger.unresolved_bytes)} (${ratio}) ${agree(ledger.unresolved_bytes, "go")} to or ${agree(ledger.unresolved_bytes, "come")} from addresses that have no name.`,
    );
    for (const { source, reason, count } of ledger.name_sources?.filter(({ count }) => count > 0) ?? [])
      add(
        "names-missing",
        "notice",
        `Names from ${source} may be missing: ${reason} (${formatCounted(count, "failure")}).`,
      );
  }
  for (const { source, omitted = 0 } of ledger.name_sources ?? [])
    if (omitted > 0)
      add(
        "names-without-room",
        "notice",
        `${formatCounted(omitted, "name")} of ${source} had no room: some addresses have no name, or an older one.`,
      );
  return found;
}
