/** The table of endpoints. */
import type { Names } from "../../capture/names/names.js";
import type { Analyzer } from "../analyzer.js";
import type { FlowTable } from "../flow/flows.js";
import type { Groups } from "../flow/groups.js";
import type { Labels } from "../flow/labels.js";
import { numbers, Sorter } from "../flow/order.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import { createTable, departedTotal, flowTotal } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "address", title: "Address", kind: "text", priority: 1 },
  { name: "packets", title: "Packets", kind: "packets", priority: 2 },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2 },
  { name: "sent_packets", title: "Sent packets", kind: "packets" },
  { name: "sent_bytes", title: "Sent bytes", kind: "bytes", priority: 2 },
  { name: "received_packets", title: "Received packets", kind: "packets" },
  { name: "received_bytes", title: "Received bytes", kind: "bytes", priority: 2 },
  { name: "service", title: "Service", kind: "text", priority: 1 },
];

/** What each address sent and received. Every packet counts at both of its ends. */
export function buildEndpoints(analyzer: Analyzer, addresses: Labels, names: Names | null): Table {
  const { flows } = analyzer;
  const order = orderEndpoints(flows, addresses);
  const departed = departedTotal(flows.departed);
  const total = flowTotal(analyzer);
  return createTable({
    name: "endpoints",
    title: "Endpoints",
    subject: "traffic",
    top: 0,
    columns: COLUMNS,
    length: order.length,
    rowAt(i) {
      const address = addresses.text(order[i]!);
      const service = names?.find(address, null, null) ?? null;
      return endpointRow(address, service, sumBoth(flows, addresses.bearers, order[i]!));
    },
    other: flows.departed.flows > 0 ? endpointRow(OTHER, null, { sent: departed, received: departed }) : null,
    omitted: flows.departed.flows,
    total: {
      packets: total.packets * 2,
      bytes: total.bytes * 2,
      sent_packets: total.packets,
      sent_bytes: total.bytes,
      received_packets: total.packets,
      received_bytes: total.bytes,
    },
  });
}

interface BothWays {
  readonly sent: { packets: number; bytes: number };
  readonly received: { packets: number; bytes: number };
}

function endpointRow(address: string, service: string | null, { sent, received }: BothWays): Row {
  return {
    address,
    packets: sent.packets + received.packets,
    bytes: sent.bytes + received.bytes,
    sent_packets: sent.packets,
    sent_bytes: sent.bytes,
    received_packets: received.packets,
    received_bytes: received.bytes,
    service,
  };
}

function orderEndpoints(flows: FlowTable, { bearers, ranks, count }: Labels): Uint32Array {
  const order = numbers(count);
  new Sorter(order)
    .by("ascending", (address) => ranks[address]!)
    .by("descending", (address) => {
      const { sent, received } = sumBoth(flows, bearers, address);
      return sent.bytes + received.bytes;
    });
  return order;
}

function sumBoth(flows: FlowTable, bearers: Groups, address: number): BothWays {
  const sent = { packets: 0, bytes: 0 };
  const received = { packets: 0, bytes: 0 };
  for (let end = bearers.first(address); end >= 0; end = bearers.next(end)) {
    const isB = (end & 1) === 1;
    sent.packets += flows.packets(end >> 1, isB);
    sent.bytes += flows.bytes(end >> 1, isB);
    received.packets += flows.packets(end >> 1, !isB);
    received.bytes += flows.bytes(end >> 1, !isB);
  }
  return { sent, received };
}
