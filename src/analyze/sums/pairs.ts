/** What services send each other, summed. */
import type { FlowTable } from "../flow/flows.js";
import { Groups } from "../flow/groups.js";
import { Keys } from "../flow/keys.js";
import type { Labels } from "../flow/labels.js";

/** What went in one direction of a pair. */
export interface PairSum {
  packets: number;
  bytes: number;
  conversations: number;
}

/**
 * The pairs of labels that have a flow. A direction of a pair is twice the pair's number, and
 * one more for that from the higher label to the lower.
 */
export class PairSums {
  readonly #flows: FlowTable;
  readonly #labels: Labels;
  readonly #groups: Groups;
  /** The two labels of each pair, the lower first. */
  readonly #pairs = new Keys(2);
  readonly #sum: PairSum = { packets: 0, bytes: 0, conversations: 0 };

  constructor(flows: FlowTable, labels: Labels) {
    this.#flows = flows;
    this.#labels = labels;
    this.#groups = new Groups(flows.count);
    const { key } = this.#pairs;
    for (let flow = 0; flow < flows.count; flow++) {
      const a = labels.of(flow, false);
      const b = labels.of(flow, true);
      key[0] = Math.min(a, b);
      key[1] = Math.max(a, b);
      this.#groups.add(this.#pairs.intern(), flow);
    }
  }

  get directions(): number {
    return this.#groups.count * 2;
  }

  source(direction: number): number {
    return this.#pairs.word(direction >> 1, direction & 1);
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
