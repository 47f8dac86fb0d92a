/** The table of talkers. */
import type { Analyzer } from "../analyzer.js";
import { Ranking } from "../flow/order.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import type { Sums } from "../sums.js";
import { createTable, departedTotal, flowTotal, share } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "service", title: "Service", kind: "text", priority: 1 },
  { name: "packets", title: "Packets", kind: "packets", priority: 2 },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2 },
  { name: "share", title: "Share", kind: "ratio", priority: 2 },
];

/** What each service sent that sent something, most bytes first. */
export function buildTalkers(analyzer: Analyzer, { labels, ends, scratch }: Sums): Table {
  const { flows } = analyzer;
  const ranking = new Ranking(
    labels.count,
    [
      { direction: "descending", of: (label) => ends.sum(label).sentBytes },
      { direction: "ascending", of: (label) => labels.placeOf(label) },
    ],
    scratch,
    (label) => ends.sum(label).sentPackets > 0,
  );
  const departed = departedTotal(flows.departed);
  const total = flowTotal(analyzer);
  const row = (service: string, packets: number, bytes: number): Row => ({
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
    length: ranking.length,
    rowAt(i) {
      const label = ranking.at(i);
      const { sentPackets, sentBytes } = ends.sum(label);
      return row(labels.text(label), sentPackets, sentBytes);
    },
    other: flows.departed.flows > 0 ? row(OTHER, departed.packets, departed.bytes) : null,
    omitted: flows.departed.flows,
    total: { ...total, share: share(total.bytes, analyzer) },
  });
}
