/** Sums of traffic between services. */
import type { FlowTable } from "../flow/flows.js";
import { Keys } from "../flow/keys.js";
import type { Labels } from "../flow/labels.js";
import { GroupSums } from "./group-sums.js";

/** The traffic in one direction of a pair. */
export interface PairSum {
  packets: number;
  bytes: number;
  conversations: number;
}

/** Of each direction; those from the higher label follow those from the lower. */
const enum Column {
  packets = 0,
  bytes = 1,
  conversations = 2,
  count = 3,
}

/**
 * The pairs of labels that have a flow, and what went between them. A direction of a pair is twice the pair's number, and
 * one more for that from the higher label to the lower.
 */
export class PairSums {
  /** The two labels of each pair, the lower first. */
  readonly #pairs = new Keys(2);
  readonly #sums: GroupSums;
  readonly #sum: PairSum = { packets: 0, bytes: 0, conversations: 0 };

  constructor(flows: FlowTable, labels: Labels) {
    this.#sums = new GroupSums(flows.count, 2 * Column.count, (flow, into) =>
      measure(flows, labels, flow, into),
    );
    const { key } = this.#pairs;
    for (let flow = 0; flow < flows.count; flow++) {
      const a = labels.of(flow, false);
      const b = labels.of(flow, true);
      key[0] = Math.min(a, b);
      key[1] = Math.max(a, b);
      this.#sums.add(this.#pairs.intern(), flow);
    }
  }

  get directions(): number {
    return this.#pairs.count * 2;
  }

  source(direction: number): number {
    return this.#pairs.word(direction >> 1, direction & 1);
  }

  destination(direction: number): number {
    return this.source(direction ^ 1);
  }

  /** What went in this direction, and the conversations that were begun in it. The result is reused by the next call. */
  sum(direction: number): Readonly<PairSum> {
    const read = this.#sums.read(direction >> 1);
    const from = (direction & 1) * Column.count;
    const sum = this.#sum;
    sum.packets = read[from + Column.packets]!;
    sum.bytes = read[from + Column.bytes]!;
    sum.conversations = read[from + Column.conversations]!;
    return sum;
  }
}

/** What went in a flow from the lower label to the higher, and back. Between ends of one label all goes in the first direction. */
function measure(flows: FlowTable, labels: Labels, flow: number, into: Float64Array): void {
  const [a, b] = [labels.of(flow, false), labels.of(flow, true)];
  into.fill(0);
  const ofA = a <= b ? 0 : Column.count;
  const ofB = a === b ? 0 : Column.count - ofA;
  into[ofA + Column.packets] = flows.packets(flow, false);
  into[ofA + Column.bytes] = flows.bytes(flow, false);
  into[ofB + Column.packets] = into[ofB + Column.packets]! + flows.packets(flow, true);
  into[ofB + Column.bytes] = into[ofB + Column.bytes]! + flows.bytes(flow, true);
  // A conversation counts where it began; if nothing was seen from there, where it was answered.
  const begunByB = flows.isBegunByB(flow);
  const countsAtB = begunByB === flows.packets(flow, begunByB) > 0;
  into[(countsAtB ? ofB : ofA) + Column.conversations] = 1;
}
