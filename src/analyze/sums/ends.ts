/** What ends sent and received, summed by what they are called. */
import type { FlowTable } from "../flow/flows.js";
import type { Labels } from "../flow/labels.js";
import { GroupSums } from "./group-sums.js";

const enum Column {
  sentPackets = 0,
  sentBytes = 1,
  receivedPackets = 2,
  receivedBytes = 3,
  count = 4,
}

/** What all ends of one label sent and received. */
export interface EndSum {
  sentPackets: number;
  sentBytes: number;
  receivedPackets: number;
  receivedBytes: number;
}

/** Sums by label. Every packet counts at both of its ends. */
export class EndSums {
  readonly #sums: GroupSums;
  readonly #sum: EndSum = { sentPackets: 0, sentBytes: 0, receivedPackets: 0, receivedBytes: 0 };

  constructor(flows: FlowTable, labels: Labels) {
    this.#sums = new GroupSums(labels.count, Column.count, (end, into) => {
      const [flow, isB] = [end >> 1, (end & 1) === 1];
      into[Column.sentPackets] = flows.packets(flow, isB);
      into[Column.sentBytes] = flows.bytes(flow, isB);
      into[Column.receivedPackets] = flows.packets(flow, !isB);
      into[Column.receivedBytes] = flows.bytes(flow, !isB);
    });
    for (let end = 0; end < flows.count * 2; end++) this.#sums.add(labels.of(end >> 1, (end & 1) === 1), end);
  }

  /** The result is reused by the next call. */
  sum(label: number): Readonly<EndSum> {
    const [read, sum] = [this.#sums.read(label), this.#sum];
    sum.sentPackets = read[Column.sentPackets]!;
    sum.sentBytes = read[Column.sentBytes]!;
    sum.receivedPackets = read[Column.receivedPackets]!;
    sum.receivedBytes = read[Column.receivedBytes]!;
    return sum;
  }
}
