/** The table of protocols. */
import { protocolName } from "../../net.js";
import type { Analyzer } from "../analyzer.js";
import { ProtocolSlot } from "../core/layout.js";
import type { Column, Table } from "../snapshot/snapshot.js";
import { createTable, share } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "protocol", title: "Protocol", kind: "text", priority: 1 },
  { name: "packets", title: "Packets", kind: "packets", priority: 2 },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2 },
  { name: "share", title: "Share", kind: "ratio", priority: 2 },
];

/** Protocols are few: always listed whole, evicted flows included. */
export function buildProtocols(analyzer: Analyzer): Table {
  const { protocols } = analyzer;
  const byName = new Map<string, { packets: number; bytes: number }>();
  for (let slot = 0; slot < ProtocolSlot.count; slot++) {
    const packets = protocols[slot * 2]!;
    if (packets === 0) continue;
    const name = slotName(slot);
    const sum = byName.get(name) ?? { packets: 0, bytes: 0 };
    sum.packets += packets;
    sum.bytes += protocols[slot * 2 + 1]!;
    byName.set(name, sum);
  }
  const rows = [...byName].map(([protocol, sum]) => ({
    protocol,
    ...sum,
    share: share(sum.bytes, analyzer),
  }));
  rows.sort((x, y) => y.bytes - x.bytes || y.packets - x.packets || (x.protocol < y.protocol ? -1 : 1));
  return createTable({
    name: "protocols",
    title: "Protocols",
    subject: "traffic",
    top: 8,
    columns: COLUMNS,
    length: rows.length,
    rowAt: (i) => rows[i]!,
    other: null,
    omitted: 0,
    total: { packets: analyzer.packets, bytes: analyzer.bytes, share: share(analyzer.bytes, analyzer) },
  });
}

function slotName(slot: number): string {
  if (slot === ProtocolSlot.arp) return "ARP";
  if (slot === ProtocolSlot.other) return "OTHER";
  return slot < ProtocolSlot.ipv6 ? protocolName(slot, 4) : protocolName(slot - ProtocolSlot.ipv6, 6);
}
