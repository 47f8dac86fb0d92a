/** Sorting numbers of things by a key each, in linear time and without objects: a table may have a million rows. */
import { findHead, HEAD } from "./head-order.js";
import { Scratch } from "./scratch.js";

const RADIX = 256;
const KEY_BYTES = 8;

type Direction = "ascending" | "descending";

/** What things are ordered by: a number of each, not negative. */
export interface Key {
  readonly direction: Direction;
  readonly of: (n: number) => number;
}

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
 * the keys that is not the same in all of them. What it works in, 12 bytes a number, is taken from `scratch`, which no other code may use
 * before the last call.
 */
export class Sorter {
  readonly #order: Uint32Array;
  readonly #spare: Uint32Array;
  readonly #keys: Float64Array;
  /** The keys' bit patterns. */
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;

  constructor(order: Uint32Array, scratch = new Scratch()) {
    this.#order = order;
    let most = -1;
    for (let i = 0; i < order.length; i++) most = Math.max(most, order[i]!);
    const keys = most + 1;
    const room = scratch.take(keys * KEY_BYTES + order.byteLength);
    this.#keys = new Float64Array(room, 0, keys);
    this.#bytes = new Uint8Array(room, 0, keys * KEY_BYTES);
    this.#words = new Uint32Array(room, 0, keys * 2);
    this.#spare = new Uint32Array(room, keys * KEY_BYTES, order.length);
  }

  /** Sorts by a key, asked once for each number. */
  by(direction: Direction, key: (n: number) => number): this {
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
  #pass(from: Uint32Array, to: Uint32Array, byte: number, direction: Direction): void {
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

/**
 * The order of the rows of a table, found as far as it is read: the first thousand by one pass, all by sorting once further rows are read. Keys
 * are asked while it is read, and must give the same until then. Ties go by number, as `Sorter` leaves them.
 */
export class Ranking {
  readonly length: number;
  readonly #n: number;
  readonly #keep: (i: number) => boolean;
  readonly #keys: readonly Key[];
  readonly #scratch: Scratch;
  #top: Uint32Array | null = null;
  #whole: Uint32Array | null = null;
  #known = -1;
  readonly #knownKeys: Float64Array;

  /** Of the numbers from 0 to n - 1 that `keep` wants, by their keys, the most important first. */
  constructor(n: number, keys: readonly Key[], scratch: Scratch, keep?: (i: number) => boolean) {
    this.#n = n;
    this.#keys = keys;
    this.#knownKeys = new Float64Array(keys.length);
    this.#scratch = scratch;
    this.#keep = keep ?? (() => true);
    this.length = keep ? count(n, keep) : n;
  }

  /** The number at place `i`. */
  at(i: number): number {
    if (this.#whole !== null) return this.#whole[i]!;
    if (i >= HEAD || this.length <= HEAD) {
      this.#whole = this.#sort();
      this.#top = null;
      return this.#whole[i]!;
    }
    this.#top ??= this.#findTop();
    return this.#top[i]!;
  }

  #sort(): Uint32Array {
    const order = numbers(this.#n, this.#keep);
    const sorter = new Sorter(order, this.#scratch);
    for (const { direction, of } of this.#keys.toReversed()) sorter.by(direction, of);
    return order;
  }

  #findTop(): Uint32Array {
    this.#known = -1;
    return findHead(this.#n, (x, y) => this.#compare(x, y), this.#keep);
  }

  /** Below 0: x comes before y. Most are held against the last of the top, one after the other: so its keys are kept. */
  #compare(x: number, y: number): number {
    if (y !== this.#known) {
      this.#known = y;
      for (let i = 0; i < this.#keys.length; i++) this.#knownKeys[i] = this.#keys[i]!.of(y);
    }
    for (let i = 0; i < this.#keys.length; i++) {
      const { direction, of } = this.#keys[i]!;
      const difference = of(x) - this.#knownKeys[i]!;
      if (difference !== 0) return direction === "ascending" ? difference : -difference;
    }
    return x - y;
  }
}

function count(n: number, keep: (i: number) => boolean): number {
  let kept = 0;
  for (let i = 0; i < n; i++) if (keep(i)) kept++;
  return kept;
}
