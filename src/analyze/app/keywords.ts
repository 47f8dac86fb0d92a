/** Known words of a protocol, found in bytes without making strings. */

/** A closed list of words: letters compare without regard to case. */
export class Keywords {
  /** The words as shown, by number. */
  readonly list: readonly string[];
  /** Their bytes, by number. */
  readonly bytes: readonly Uint8Array[];
  /** Length of the longest. */
  readonly longest: number;
  readonly #slots: Int16Array;

  constructor(list: readonly string[]) {
    this.list = list;
    this.bytes = list.map((word) => Uint8Array.from(word, (letter) => letter.charCodeAt(0)));
    this.longest = Math.max(...list.map((word) => word.length));
    this.#slots = new Int16Array(2 ** Math.ceil(Math.log2(list.length * 4)));
    for (const [number, bytes] of this.bytes.entries()) {
      const view = new DataView(bytes.buffer);
      let slot = hashOf(view, 0, bytes.length) & (this.#slots.length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = number + 1;
    }
  }

  /** The number of the word that bytes [at, end) are, or -1. */
  find(view: DataView, at: number, end: number): number {
    if (end - at > this.longest || end <= at) return -1;
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(view, at, end) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot]!;
      if (found === 0) return -1;
      if (isSame(this.bytes[found - 1]!, view, at, end)) return found - 1;
    }
  }
}

/** Small letters as capitals. */
function fold(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
}

/** FNV-1a, its upper bits folded in. */
function hashOf(view: DataView, at: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = at; i < end; i++) hash = Math.imul(hash ^ fold(view.getUint8(i)), 0x01000193);
  return hash ^ (hash >>> 15);
}

function isSame(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
  if (bytes.length !== end - at) return false;
  for (let i = 0; i < bytes.length; i++) if (fold(bytes[i]!) !== fold(view.getUint8(at + i))) return false;
  return true;
}
