/** The table of service pairs. */
import type { Analyzer } from "../analyzer.js";
import { Ranking } from "../flow/order.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import type { PairSum } from "../sums/pairs.js";
import type { Sums } from "../sums.js";
import { createTable, departedTotal, flowTotal, share } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "source", title: "Source", kind: "text", priority: 1 },
  { name: "destination", title: "Destination", kind: "text", priority: 1 },
  { name: "packets", title: "Packets", kind: "packets", priority: 2 },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2 },
  { name: "share", title: "Share", kind: "ratio", priority: 2 },
  { name: "conversations", title: "Conversations", kind: "count", priority: 3 },
];

/** Packets and bytes from each service to each other, a row a direction that carried a packet: most bytes first, then by their labels. */
export function buildPairs(analyzer: Analyzer, { labels, pairs, scratch }: Sums): Table {
  const { flows } = analyzer;
  const ranking = new Ranking(
    pairs.directions,
    [
      { direction: "descending", of: (direction) => pairs.sum(direction).bytes },
      { direction: "ascending", of: (direction) => labels.placeOf(pairs.source(direction)) },
      { direction: "ascending", of: (direction) => labels.placeOf(pairs.destination(direction)) },
    ],
    scratch,
    (direction) => pairs.sum(direction).packets > 0,
  );
  const departed = departedTotal(flows.departed);
  const row = (source: string, destination: string, sum: Readonly<PairSum>): Row => ({
    source,
    destination,
    packets: sum.packets,
    bytes: sum.bytes,
    share: share(sum.bytes, analyzer),
    conversations: sum.conversations,
  });
  const total = flowTotal(analyzer);
  return createTable({
    name: "pairs",
    title: "Service pairs",
    subject: "traffic",
    top: 10,
    columns: COLUMNS,
    length: ranking.length,
    rowAt(i) {
      const direction = ranking.at(i);
      const [source, destination] = [
        labels.text(pairs.source(direction)),
        labels.text(pairs.destination(direction)),
      ];
      return row(source, destination, pairs.sum(direction));
    },
    other:
      flows.departed.flows > 0
        ? row(OTHER, OTHER, { ...departed, conversations: flows.departed.flows })
        : null,
    omitted: flows.departed.flows,
    total: {
      ...total,
      share: share(total.bytes, analyzer),
      conversations: flows.count + flows.departed.flows,
    },
  });
}
