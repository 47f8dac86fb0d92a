/** The order of many items of which mostly the first few are read: the rest is sorted only when read. */

/** Found in one pass over all; a table on a screen or in a Snapshot has no more rows. */
const HEAD = 1024;

export class HeadOrder {
  readonly #count: number;
  readonly #compare: (x: number, y: number) => number;
  #head: Uint32Array | null = null;
  #whole: Uint32Array | null = null;

  /** Of the numbers from 0 to `count` - 1. `compare` as for a sort; equal ones keep the order of their numbers. */
  constructor(count: number, compare: (x: number, y: number) => number) {
    this.#count = count;
    this.#compare = (x, y) => compare(x, y) || x - y;
  }

  /** The number at place `i`. */
  at(i: number): number {
    if (this.#whole === null && i < HEAD) {
      this.#head ??= this.#findHead();
      return this.#head[i]!;
    }
    this.#whole ??= Uint32Array.from({ length: this.#count }, (_, n) => n).sort(this.#compare);
    return this.#whole[i]!;
  }

  /** Keeps the first ones so far in order: of things in no order few get in among them. */
  #findHead(): Uint32Array {
    const compare = this.#compare;
    const room = Math.min(HEAD, this.#count);
    const head = Uint32Array.from({ length: room }, (_, n) => n).sort(compare);
    for (let n = room; n < this.#count; n++) {
      if (compare(n, head[room - 1]!) > 0) continue;
      let [low, high] = [0, room - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (compare(n, head[middle]!) < 0) high = middle;
        else low = middle + 1;
      }
      head.copyWithin(low + 1, low, room - 1);
      head[low] = n;
    }
    return head;
  }
}
