/** The table of service pairs. */
import type { Analyzer } from "../analyzer.js";
import { numbers, Sorter } from "../flow/order.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import type { PairSum, PairSums } from "../sums/pairs.js";
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

/** Packets and bytes from each service to each other, a row a direction. */
export function buildPairs(analyzer: Analyzer, { labels, pairs }: Sums): Table {
  const { flows } = analyzer;
  const order = orderPairs(pairs, labels.ranks);
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
    length: order.length,
    rowAt(i) {
      const direction = order[i]!;
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

/** Directions that carried a packet, most bytes first, then by the order of their labels. */
function orderPairs(pairs: PairSums, ranks: Int32Array): Uint32Array {
  const order = numbers(pairs.directions, (direction) => pairs.sum(direction).packets > 0);
  new Sorter(order)
    .by("ascending", (direction) => ranks[pairs.destination(direction)]!)
    .by("ascending", (direction) => ranks[pairs.source(direction)]!)
    .by("descending", (direction) => pairs.sum(direction).bytes);
  return order;
}
