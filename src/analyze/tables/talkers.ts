/** The table of talkers. */
import type { Analyzer } from "../analyzer.js";
import type { FlowTable } from "../flow/flows.js";
import type { Groups } from "../flow/groups.js";
import type { Labels } from "../flow/labels.js";
import { numbers, Sorter } from "../flow/order.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import { createTable, departedTotal, flowTotal, share } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "service", title: "Service", kind: "text", priority: 1 },
  { name: "packets", title: "Packets", kind: "packets", priority: 2 },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2 },
  { name: "share", title: "Share", kind: "ratio", priority: 2 },
];

/** What each service sent. */
export function buildTalkers(analyzer: Analyzer, labels: Labels): Table {
  const { flows } = analyzer;
  const order = orderTalkers(flows, labels);
  const departed = departedTotal(flows.departed);
  const total = flowTotal(analyzer);
  const row = (service: string, { packets, bytes }: { packets: number; bytes: number }): Row => ({
    service,
    packets,
    bytes,
    share: share(bytes, analyzer),
  });
  return createTable({
    name: "talkers",
    title: "Top talkers",
    subject: "traffic",
    top: 5,
    columns: COLUMNS,
    length: order.length,
    rowAt: (i) => row(labels.text(order[i]!), sumSent(flows, labels.bearers, order[i]!)),
    other: flows.departed.flows > 0 ? row(OTHER, departed) : null,
    omitted: flows.departed.flows,
    total: { ...total, share: share(total.bytes, analyzer) },
  });
}

/** Labels that sent something, most bytes first. */
function orderTalkers(flows: FlowTable, { bearers, ranks, count }: Labels): Uint32Array {
  const order = numbers(count, (label) => sumSent(flows, bearers, label).packets > 0);
  new Sorter(order)
    .by("ascending", (label) => ranks[label]!)
    .by("descending", (label) => sumSent(flows, bearers, label).bytes);
  return order;
}

function sumSent(flows: FlowTable, bearers: Groups, label: number): { packets: number; bytes: number } {
  let [packets, bytes] = [0, 0];
  for (let end = bearers.first(label); end >= 0; end = bearers.next(end)) {
    packets += flows.packets(end >> 1, (end & 1) === 1);
    bytes += flows.bytes(end >> 1, (end & 1) === 1);
  }
  return { packets, bytes };
}
