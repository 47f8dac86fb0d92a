/**
 * Where the state of TCP connections is kept: packed entries in the core's memory, as the flows are, so that a segment touches a
 * few cache lines and makes no object.
 *
 * An entry is three lines of sixteen 32-bit words: of side a, of side b, of both. What few connections need, the counters of trouble, is in
 * entries of their own, which the core gives to those that have any. A side's words are at the same distance from its first, whichever side
 * it is. See core/layout.ts.
 */
import type { Core } from "../core/core.js";
import { Cell, Layout, Shared, Trouble, TroubleLayout } from "../core/layout.js";

/** No time, no duration. */
export const NO_TIME = -1;

/** Entries by number. Freed ones are used again. The core takes and fills them. */
export class TcpStore {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly troubleWords: Int32Array;
  readonly troubleDoubles: Float64Array;
  readonly #cells: Int32Array;

  constructor({ words, doubles, cells, connections, troubles }: Core) {
    this.words = words.subarray(connections / 4);
    this.doubles = doubles.subarray(connections / 8);
    this.troubleWords = words.subarray(troubles / 4);
    this.troubleDoubles = doubles.subarray(troubles / 8);
    this.#cells = cells;
  }

  /** Entries in use. */
  get used(): number {
    return this.#cells[Cell.used]!;
  }

  /** One more than the highest number ever used. */
  get top(): number {
    return this.#cells[Cell.top]!;
  }

  /** Index in `troubleWords` of what side b (`ofB`) or a of an entry has of trouble; -1: it had none. */
  trouble(entry: number, ofB: boolean): number {
    const trouble = this.words[entry * Layout.words + Shared.trouble]!;
    return trouble === 0 ? -1 : (trouble - 1) * TroubleLayout.words + (ofB ? TroubleLayout.sideB : 0);
  }

  /** Gives an entry back. */
  release(entry: number): void {
    const at = entry * Layout.words;
    const { words } = this;
    const trouble = this.trouble(entry, false);
    if (trouble >= 0) {
      this.troubleWords[trouble + Trouble.lastReset] = this.#cells[Cell.freeTrouble]!;
      this.#cells[Cell.freeTrouble] = words[at + Shared.trouble]!;
    }
    words[at + Shared.flow] = -1;
    words[at + Shared.state] = this.#cells[Cell.free]!;
    this.#cells[Cell.free] = entry + 1;
    this.#cells[Cell.used]!--;
  }
}
