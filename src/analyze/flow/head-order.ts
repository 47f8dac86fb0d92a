/** The order of many items of which mostly the first few are read: the rest is sorted only when read. */

/** Found in one pass over all: more than a screen or a report shows, or a kept Snapshot holds. */
export const HEAD = 1024;

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
      this.#head ??= findHead(this.#count, this.#compare);
      return this.#head[i]!;
    }
    this.#whole ??= Uint32Array.from({ length: this.#count }, (_, n) => n).sort(this.#compare);
    return this.#whole[i]!;
  }
}

/** The first HEAD, or fewer, of the numbers from 0 to n - 1 that `keep` wants, in an order without ties: of things in no order few get in among those so far. */
export function findHead(
  n: number,
  compare: (x: number, y: number) => number,
  keep: (i: number) => boolean = () => true,
): Uint32Array {
  const head = new Uint32Array(HEAD);
  let size = 0;
  for (let i = 0; i < n; i++) {
    if (!keep(i) || (size === HEAD && compare(i, head[HEAD - 1]!) > 0)) continue;
    let [low, high] = [0, size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(i, head[middle]!) < 0) high = middle;
      else low = middle + 1;
    }
    if (size < HEAD) size++;
    head.copyWithin(low + 1, low, size - 1);
    head[low] = i;
  }
  return head.subarray(0, size);
}
