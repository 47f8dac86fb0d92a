/** What a table misses: the one place that every output reads it from. */
import type { Snapshot } from "../analyze/snapshot.js";
import { agree, formatCount, formatCounted } from "../format.js";

/** So many times, for this reason, something is not in a table. `reason` is a noun without its number. */
export interface Missing {
  readonly table: string;
  readonly reason: string;
  readonly count: number;
}

/** What all tables miss, by table. */
export function listMissing({ ledger }: Snapshot): Missing[] {
  const { evicted, inspection } = ledger;
  const all: readonly Missing[] = [
    { table: "conversations", reason: "conversation summed as other", count: evicted.conversations },
    { table: "tcp", reason: "connection summed as other", count: inspection.connections },
    ...(inspection.missed ?? []).map(({ application, ...of }) => ({ table: application, ...of })),
  ];
  return all.filter(({ count }) => count > 0);
}

/** `Not counted here: 2 × gap in the capture, 1 × unreadable message.` Empty where nothing is known to be missing. */
export function describeMissing(snapshot: Snapshot, table: string): string {
  const parts = listMissing(snapshot)
    .filter((one) => one.table === table)
    .map(({ reason, count }) => `${formatCount(count)} × ${reason}`);
  return parts.length === 0 ? "" : `Not counted here: ${parts.join(", ")}.`;
}

/** `3 packets are tunnels (2 vxlan, 1 gre): the addresses inside them are not in the tables.` Empty where there are none. */
export function describeTunnels({ ledger }: Snapshot): string {
  const tunnels = ledger.tunnels ?? [];
  const packets = tunnels.reduce((sum, of) => sum + of.packets, 0);
  if (packets === 0) return "";
  const kinds = tunnels.map((of) => `${formatCount(of.packets)} ${of.kind}`).join(", ");
  const where = packets === 1 ? "in a tunnel" : "in tunnels";
  return `${formatCounted(packets, "packet")} ${agree(packets, "are")} ${where} (${kinds}): the addresses inside are not in the tables.`;
}
