/** Pairs and talkers by address; the Snapshot's own are by name. */

import { OTHER } from "../../analyze/snapshot/limit.js";
import type { Row, Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { numberOf } from "../../view/cells.js";
import { pairKey } from "../model.js";

/** Summed from the listed conversations; the last row `other` has the rest. */
export function numericPairs({ tables, totals }: Snapshot): Table {
  const { conversations, pairs } = tables;
  const sums = new Map<
    string,
    { source: string; destination: string; packets: number; bytes: number; conversations: number }
  >();
  const add = (source: string, destination: string, packets: number, bytes: number, begun: number) => {
    if (packets === 0) return;
    const key = pairKey(source, destination);
    const sum = sums.get(key) ?? { source, destination, packets: 0, bytes: 0, conversations: 0 };
    sum.packets += packets;
    sum.bytes += bytes;
    sum.conversations += begun;
    sums.set(key, sum);
  };
  for (const row of conversations.rows) {
    const [from, to] = [String(row.source_address ?? OTHER), String(row.destination_address ?? OTHER)];
    add(from, to, numberOf(row.packets), numberOf(row.bytes), 1);
    add(to, from, numberOf(row.reply_packets), numberOf(row.reply_bytes), 0);
  }
  const rows = [...sums.values()]
    .sort(
      (a, b) =>
        b.bytes - a.bytes || (pairKey(a.source, a.destination) < pairKey(b.source, b.destination) ? -1 : 1),
    )
    .map((sum): Row => ({ ...sum, share: totals.bytes === 0 ? 0 : sum.bytes / totals.bytes }));
  return { ...pairs, title: "Address pairs", rows, omitted: 0 };
}

export function numericTalkers({ tables, totals }: Snapshot): Table {
  const rows = [...tables.endpoints.rows]
    .filter(({ sent_packets }) => numberOf(sent_packets) > 0)
    .map(
      ({ address, sent_packets, sent_bytes }): Row => ({
        service: address ?? OTHER,
        packets: sent_packets ?? 0,
        bytes: sent_bytes ?? 0,
        share: totals.bytes === 0 ? 0 : numberOf(sent_bytes) / totals.bytes,
      }),
    )
    .sort((a, b) => numberOf(b.bytes) - numberOf(a.bytes));
  return { ...tables.talkers, title: "Top talkers by address", rows, omitted: tables.endpoints.omitted };
}
