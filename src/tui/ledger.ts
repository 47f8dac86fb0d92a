/** What the numbers miss, in one line. */
import type { Snapshot } from "../analyze/snapshot.js";
import { formatBytes, formatCount, formatCounted, formatTrouble, visible } from "../format.js";

export function completenessText({ ledger }: Snapshot): string {
  const parts: string[] = [];
  if ((ledger.dropped ?? 0) > 0)
    parts.push(`${formatCounted(ledger.dropped!, "packet")} dropped by the kernel`);
  for (const { name, damage } of ledger.files)
    if (damage !== null) parts.push(`${visible(name)} damaged at byte ${formatCount(damage.offset)}`);
  for (const of of ledger.interfaces ?? []) {
    const trouble = formatTrouble(of);
    if (trouble !== null) parts.push(`${visible(of.name)}: ${visible(trouble)}`);
  }
  const missing = parts.length > 0;
  if (ledger.evicted.conversations > 0)
    parts.push(
      `${formatCounted(ledger.evicted.conversations, "conversation")} only summed (${formatBytes(ledger.evicted.bytes)})`,
    );
  if (ledger.truncated > 0) parts.push(`${formatCounted(ledger.truncated, "packet")} captured in part`);
  const malformed = ledger.malformed.reduce((sum, { packets }) => sum + packets, 0);
  if (malformed > 0) parts.push(`${formatCounted(malformed, "packet")} malformed`);
  const tunnels = (ledger.tunnels ?? []).reduce((sum, { packets }) => sum + packets, 0);
  if (tunnels > 0) parts.push(`${formatCounted(tunnels, "packet")} in tunnels`);
  const whole = ledger.dropped === null ? "losses are not known" : "no packet lost";
  return `Ledger      ${missing ? "INCOMPLETE: " : `${whole}${parts.length > 0 ? ", " : ""}`}${parts.join(", ")}`;
}

/** Packets the kernel dropped, as the status line says it. */
export function dropsText({ ledger }: Snapshot): string {
  return ledger.dropped === null ? "drops unknown" : `${formatCount(ledger.dropped)} dropped`;
}
