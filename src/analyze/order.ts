/** Sorting numbers of things by a key each, in linear time and without objects: a table may have a million rows. */

const RADIX = 256;
const KEY_BYTES = 8;

/** The numbers from 0 to n - 1 that `keep` wants. */
export function numbers(n: number, keep: (i: number) => boolean = () => true): Uint32Array {
  const all = new Uint32Array(n);
  let kept = 0;
  for (let i = 0; i < n; i++) if (keep(i)) all[kept++] = i;
  return kept === n ? all : all.slice(0, kept);
}

/**
 * Sorts numbers, in place and stably: call `by` for the least key first, for the most important last. Keys are not
 * negative, so that as bit patterns they order as they do as numbers (IEEE 754). Cost of a call: a pass for each byte of
 * the keys that is not the same in all of them. What it works in, 12 bytes a number, is used again at every call.
 */
export class Sorter {
  readonly #order: Uint32Array;
  readonly #spare: Uint32Array;
  readonly #keys: Float64Array;
  readonly #bytes: Uint8Array;

  constructor(order: Uint32Array) {
    this.#order = order;
    this.#spare = new Uint32Array(order.length);
    let most = -1;
    for (let i = 0; i < order.length; i++) most = Math.max(most, order[i]!);
    this.#keys = new Float64Array(most + 1);
    this.#bytes = new Uint8Array(this.#keys.buffer);
  }

  /** Sorts by a key, asked once for each number. */
  by(direction: "ascending" | "descending", key: (n: number) => number): this {
    const keys = this.#keys;
    const order = this.#order;
    for (let i = 0; i < order.length; i++) keys[order[i]!] = key(order[i]!);
    let from = order;
    let to = this.#spare;
    for (let byte = 0; byte < KEY_BYTES; byte++) {
      if (!this.#pass(from, to, byte, direction)) continue;
      [from, to] = [to, from];
    }
    if (from !== order) order.set(from);
    return this;
  }

  /** Moves the numbers over in the order of one byte of their keys; false, and nothing moved, where that is the same in all. */
  #pass(from: Uint32Array, to: Uint32Array, byte: number, direction: "ascending" | "descending"): boolean {
    const bytes = this.#bytes;
    const places = new Uint32Array(RADIX);
    for (let i = 0; i < from.length; i++) {
      const digit = bytes[from[i]! * KEY_BYTES + byte]!;
      places[digit] = places[digit]! + 1;
    }
    if (places.includes(from.length)) return false;
    let start = 0;
    for (let i = 0; i < RADIX; i++) {
      const digit = direction === "ascending" ? i : RADIX - 1 - i;
      const count = places[digit]!;
      places[digit] = start;
      start += count;
    }
    for (let i = 0; i < from.length; i++) {
      const digit = bytes[from[i]! * KEY_BYTES + byte]!;
      to[places[digit]!] = from[i]!;
      places[digit] = places[digit]! + 1;
    }
    return true;
  }
}
