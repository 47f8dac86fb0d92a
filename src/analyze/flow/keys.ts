/**
 * Numbers for keys of a few 32-bit words each, by open addressing over packed words: no text and no object a key. For what is counted
 * beside the packets; flows and connections have stores of their own.
 */

const FIRST_KEYS = 64;
/** The slot of no key; others hold a key's number and one. At most half are in use. */
const EMPTY = 0;

/** Equal keys have one number; numbers go from 0 on in the order that keys come. */
export class Keys {
  /** Where a key is put before it is looked up. Lookups leave it as it is. */
  readonly key: Int32Array;
  count = 0;
  #words: Int32Array;
  #slots = new Int32Array(FIRST_KEYS * 2);
  /** Keys before this number are found no more. */
  #since = 0;
  /** Where the last lookup ended. */
  #slot = 0;

  /** `width`: words a key. */
  constructor(width: number) {
    this.key = new Int32Array(width);
    this.#words = new Int32Array(FIRST_KEYS * width);
  }

  /** The number of `key`, or -1. */
  find(): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashOf(this.key, 0, this.key.length) & mask;
    while (slots[slot] !== EMPTY && !this.#isKey(slots[slot]! - 1)) slot = (slot + 1) & mask;
    this.#slot = slot;
    return slots[slot]! - 1;
  }

  /** The number of `key`; the next one where it has none. */
  intern(): number {
    const found = this.find();
    if (found >= 0) return found;
    const { key } = this;
    const number = this.count++;
    const at = number * key.length;
    if (at === this.#words.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words.set(key, at);
    this.#slots[this.#slot] = number + 1;
    if ((this.count - this.#since) * 2 > this.#slots.length) this.#index(this.#slots.length * 2);
    return number;
  }

  /** Word `i` of a key by its number. */
  word(number: number, i: number): number {
    return this.#words[number * this.key.length + i]!;
  }

  /** Keys that come from now on have new numbers, those that were there before too. */
  renew(): void {
    this.#since = this.count;
    this.#slots.fill(EMPTY);
  }

  #isKey(number: number): boolean {
    const { key } = this;
    const words = this.#words;
    const at = number * key.length;
    for (let i = 0; i < key.length; i++) if (words[at + i] !== key[i]) return false;
    return true;
  }

  #index(size: number): void {
    const slots = new Int32Array(size);
    const width = this.key.length;
    for (let number = this.#since; number < this.count; number++) {
      let slot = hashOf(this.#words, number * width, width) & (size - 1);
      while (slots[slot] !== EMPTY) slot = (slot + 1) & (size - 1);
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

function hashOf(words: Int32Array, at: number, width: number): number {
  let hash = 0;
  for (let i = 0; i < width; i++) {
    hash = Math.imul(hash ^ words[at + i]!, 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return Math.imul(hash, 0xc2b2ae35) >>> 8;
}
