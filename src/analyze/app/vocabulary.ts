/** Counts the distinct words at each place of a name: a place with many words holds values. Bounded. */

/** Most distinct words at one place; later ones count as values. */
const MAX_WORDS = 20;
/** Words of all places together. */
const MAX_ALL = 20_000;

/** Knows words and places by their hashes: holds no text. */
export class Vocabulary {
  readonly #counts = new Map<number, number>();
  readonly #words = new Set<number>();

  /** Whether a word at a place may be shown: it is known, or there is room for it. `place` and `word` are 32-bit hashes. */
  admits(place: number, word: number): boolean {
    // 30 bits: small integers, so that a lookup allocates nothing.
    const key = Math.imul(place ^ (word >>> 15), 0x85ebca6b) ^ Math.imul(word, 0xc2b2ae35);
    const known = (key ^ (key >>> 13)) & 0x3fffffff;
    if (this.#words.has(known)) return true;
    const where = place & 0x3fffffff;
    const count = this.#counts.get(where) ?? 0;
    if (count >= MAX_WORDS || this.#words.size >= MAX_ALL) return false;
    this.#counts.set(where, count + 1);
    this.#words.add(known);
    return true;
  }
}
