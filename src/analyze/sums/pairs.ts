/** What services send each other, summed. */
import type { FlowTable } from "../flow/flows.js";
import { Groups } from "../flow/groups.js";
import type { Labels } from "../flow/labels.js";

/** What went in one direction of a pair. */
export interface PairSum {
  packets: number;
  bytes: number;
  conversations: number;
}

/**
 * The pairs of labels that have a flow, found by open addressing. A direction of a pair is twice the pair's number, and
 * one more for that from the higher label to the lower.
 */
export class PairSums {
  readonly #flows: FlowTable;
  readonly #labels: Labels;
  readonly #groups: Groups;
  /** The two labels of each pair, the lower first. */
  readonly #low: Int32Array;
  readonly #sum: PairSum = { packets: 0, bytes: 0, conversations: 0 };
  readonly #high: Int32Array;

  constructor(flows: FlowTable, labels: Labels) {
    this.#flows = flows;
    this.#labels = labels;
    this.#groups = new Groups(flows.count);
    this.#low = new Int32Array(flows.count);
    this.#high = new Int32Array(flows.count);
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(flows.count * 2 + 2)));
    const mask = slots.length - 1;
    for (let flow = 0; flow < flows.count; flow++) {
      const a = labels.of(flow, false);
      const b = labels.of(flow, true);
      const low = Math.min(a, b);
      const high = Math.max(a, b);
      let slot = (Math.imul(Math.imul(low, 0x85ebca6b) ^ high, 0xc2b2ae35) >>> 7) & mask;
      while (
        slots[slot] !== 0 &&
        (this.#low[slots[slot]! - 1] !== low || this.#high[slots[slot]! - 1] !== high)
      )
        slot = (slot + 1) & mask;
      const pair = slots[slot] === 0 ? this.#groups.count : slots[slot]! - 1;
      slots[slot] = pair + 1;
      this.#low[pair] = low;
      this.#high[pair] = high;
      this.#groups.add(pair, flow);
    }
  }

  get directions(): number {
    return this.#groups.count * 2;
  }

  source(direction: number): number {
    return (direction & 1) === 0 ? this.#low[direction >> 1]! : this.#high[direction >> 1]!;
  }

  destination(direction: number): number {
    return this.source(direction ^ 1);
  }

  /** Sums what went in this direction, and the conversations that were begun in it. The result is reused by the next call. */
  sum(direction: number): Readonly<PairSum> {
    const flows = this.#flows;
    const from = this.source(direction);
    const inItself = from === this.destination(direction);
    const sum = this.#sum;
    sum.packets = 0;
    sum.bytes = 0;
    sum.conversations = 0;
    if (inItself && (direction & 1) === 1) return sum;
    for (let flow = this.#groups.first(direction >> 1); flow >= 0; flow = this.#groups.next(flow)) {
      const byB = this.#labels.of(flow, false) !== from;
      sum.packets += flows.packets(flow, byB);
      sum.bytes += flows.bytes(flow, byB);
      if (inItself) {
        sum.packets += flows.packets(flow, true);
        sum.bytes += flows.bytes(flow, true);
      }
      // A conversation counts where it began; if nothing was seen from there, where it was answered.
      const begunByB = flows.isBegunByB(flow);
      if (inItself || (begunByB === byB) === flows.packets(flow, begunByB) > 0) sum.conversations++;
    }
    return sum;
  }
}
