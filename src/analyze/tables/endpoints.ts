/** The table of endpoints. */
import type { Analyzer } from "../analyzer.js";
import { Ranking } from "../flow/order.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import type { EndSum } from "../sums/ends.js";
import type { Sums } from "../sums.js";
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
export function buildEndpoints(analyzer: Analyzer, { addresses, addressEnds, names, scratch }: Sums): Table {
  const { flows } = analyzer;
  const ranking = new Ranking(
    addresses.count,
    [
      { direction: "descending", of: (address) => bytesOf(addressEnds.sum(address)) },
      { direction: "ascending", of: (address) => addresses.placeOf(address) },
    ],
    scratch,
  );
  const departed = bothWays(departedTotal(flows.departed));
  const total = flowTotal(analyzer);
  return createTable({
    name: "endpoints",
    title: "Endpoints",
    subject: "traffic",
    top: 0,
    columns: COLUMNS,
    length: ranking.length,
    rowAt(i) {
      const number = ranking.at(i);
      const address = addresses.text(number);
      const service = names?.find(address, null, null) ?? null;
      return endpointRow(address, service, addressEnds.sum(number));
    },
    other: flows.departed.flows > 0 ? endpointRow(OTHER, null, departed) : null,
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

/** What had no room counts at both of its ends, as all else. */
function bothWays({ packets, bytes }: { readonly packets: number; readonly bytes: number }): EndSum {
  return { sentPackets: packets, sentBytes: bytes, receivedPackets: packets, receivedBytes: bytes };
}

function bytesOf({ sentBytes, receivedBytes }: Readonly<EndSum>): number {
  return sentBytes + receivedBytes;
}

function endpointRow(address: string, service: string | null, sum: Readonly<EndSum>): Row {
  return {
    address,
    packets: sum.sentPackets + sum.receivedPackets,
    bytes: bytesOf(sum),
    sent_packets: sum.sentPackets,
    sent_bytes: sum.sentBytes,
    received_packets: sum.receivedPackets,
    received_bytes: sum.receivedBytes,
    service,
  };
}
