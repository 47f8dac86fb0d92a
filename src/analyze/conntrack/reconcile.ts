/** Packets of connections that both saw whole, as the wire and as connection tracking counted them. */
import { Value } from "../../capture/conntrack/conntrack-table.js";
import type { Evidence } from "../evidence.js";
import type { FlowTable } from "../flow/flows.js";
import type { Conntrack } from "../snapshot/snapshot.js";

/**
 * Sums the connections whose first packet is in the capture and that passed it once: what was translated on its way passes a
 * bridge twice. null: accounting was off, or there is none.
 */
export function reconcile(flows: FlowTable, evidence: Evidence): NonNullable<Conntrack["counted"]> | null {
  const legs = new Uint8Array(evidence.entries);
  for (let flow = 0; flow < flows.count; flow++) {
    const entry = evidence.entryOf(flow);
    if (entry >= 0) legs[entry] = Math.min(2, legs[entry]! + 1);
  }
  const sum = { connections: 0, packets: 0, bytes: 0, tracked_packets: 0, tracked_bytes: 0 };
  for (let flow = 0; flow < flows.count; flow++) {
    const entry = evidence.entryOf(flow);
    if (entry < 0 || legs[entry] !== 1 || flows.read(flow).orientation !== "handshake") continue;
    const tracked = evidence.number(entry, Value.origPackets) + evidence.number(entry, Value.replyPackets);
    if (Number.isNaN(tracked)) continue;
    sum.connections++;
    sum.packets += flows.packets(flow, false) + flows.packets(flow, true);
    sum.bytes += flows.bytes(flow, false) + flows.bytes(flow, true);
    sum.tracked_packets += tracked;
    sum.tracked_bytes += evidence.number(entry, Value.origBytes) + evidence.number(entry, Value.replyBytes);
  }
  return sum.connections > 0 ? sum : null;
}
