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
 * negative, so that as bit patterns they order as they do as numbers (IEEE 754, low byte first). Cost of a call: a pass for each byte of
 * the keys that is not the same in all of them. What it works in, 12 bytes a number, is used again at every call.
 */
export class Sorter {
  readonly #order: Uint32Array;
  readonly #spare: Uint32Array;
  readonly #keys: Float64Array;
  /** The keys' bit patterns. */
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;

  constructor(order: Uint32Array) {
    this.#order = order;
    this.#spare = new Uint32Array(order.length);
    let most = -1;
    for (let i = 0; i < order.length; i++) most = Math.max(most, order[i]!);
    this.#keys = new Float64Array(most + 1);
    this.#bytes = new Uint8Array(this.#keys.buffer);
    this.#words = new Uint32Array(this.#keys.buffer);
  }

  /** Sorts by a key, asked once for each number. */
  by(direction: "ascending" | "descending", key: (n: number) => number): this {
    const order = this.#order;
    const differing = this.#ask(key);
    let from = order;
    let to = this.#spare;
    for (let byte = 0; byte < KEY_BYTES; byte++) {
      if (differing[byte] === 0) continue;
      this.#pass(from, to, byte, direction);
      [from, to] = [to, from];
    }
    if (from !== order) order.set(from);
    return this;
  }

  /** Asks for all keys. Returns which of their bytes are not the same in all (not 0). */
  #ask(key: (n: number) => number): Uint8Array {
    const order = this.#order;
    const keys = this.#keys;
    const words = this.#words;
    const differing = new Uint32Array(2);
    const first = order[0] ?? 0;
    for (let i = 0; i < order.length; i++) {
      const n = order[i]!;
      keys[n] = key(n);
      differing[0] = differing[0]! | (words[2 * n]! ^ words[2 * first]!);
      differing[1] = differing[1]! | (words[2 * n + 1]! ^ words[2 * first + 1]!);
    }
    return new Uint8Array(differing.buffer);
  }

  /** Moves the numbers over in the order of one byte of their keys. */
  #pass(from: Uint32Array, to: Uint32Array, byte: number, direction: "ascending" | "descending"): void {
    const bytes = this.#bytes;
    const places = new Uint32Array(RADIX);
    for (let i = 0; i < from.length; i++) {
      const digit = bytes[from[i]! * KEY_BYTES + byte]!;
      places[digit] = places[digit]! + 1;
    }
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
  }
}
