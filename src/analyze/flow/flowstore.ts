/**
 * The clever part of the flow table: open addressing over packed entries in one ArrayBuffer, one family of addresses each.
 *
 * An entry is a run of 32-bit words, then six doubles:
 *
 *     a (1 or 4 words)  b (1 or 4 words)  ports  meta | packetsAb bytesAb packetsBa bytesBa firstUs lastUs
 *
 * a and b are the two ends in a fixed order, so that both directions find the same entry; an IPv4 entry is 64 bytes,
 * one cache line. Entries lie dense in order of arrival; a separate index of 32-bit slots leads to them, at most half full.
 * Cost: 64 bytes (IPv4) or 96 (IPv6) and 8 to 16 bytes of index a flow.
 */

/** Bits of the `meta` word. The low ones belong to the key. */
export const enum Meta {
  protocolMask = 0xff,
  /** No ports = not TCP or UDP, or not captured, or a later fragment. */
  portless = 1 << 8,
  keyMask = 0x1ff,
  /** The first packet went from b to a. */
  firstFromB = 1 << 9,
  /** A handshake or echo request showed that a (b) began. */
  begunByA = 1 << 10,
  begunByB = 1 << 11,
  /** Above these, 20 bits: what `link` gives. */
  linkShift = 12,
  linkMask = 0xfffff,
}

/** Doubles of an entry, counted from the first. */
const enum Double {
  packets = 0,
  bytes = 1,
  /** From a's counts to b's. */
  reply = 2,
  first = 4,
  last = 5,
  count = 6,
}

/** The slot of no entry; others hold the entry's number plus one. */
const enum Slot {
  empty = 0,
}
/** Where entries begin in their buffer: V8 hands out large buffers 16 bytes behind a cache line. */
const FIRST_ENTRY = 48;
/**
 * Entries that room is set aside for at once. The system hands out the pages as they are first touched, so this costs
 * nothing, and a table that grows this far is never copied.
 */
const RESERVED = 1_000_000;
const FIRST_SLOTS = 2048;

export class FlowStore {
  /** 4 or 6. */
  readonly version: 4 | 6;
  count = 0;
  /** Words of one address. */
  readonly #addressWords: number;
  /** Index of the `meta` word. */
  readonly #meta: number;
  readonly #entryWords: number;
  readonly #firstDouble: number;
  readonly #seed: number;
  #capacity: number;
  #words: Int32Array;
  #doubles: Float64Array;
  #slots: Int32Array;
  /** The key that `find` looks for, laid out as in an entry. */
  readonly #key: Int32Array;

  /** Never asked to hold more than `maxEntries`. `seed` stirs the hash so that nobody outside can aim for one slot. */
  constructor(version: 4 | 6, maxEntries: number, seed: number) {
    this.#capacity = Math.min(maxEntries, RESERVED);
    this.version = version;
    this.#seed = seed | 0;
    this.#addressWords = version === 4 ? 1 : 4;
    this.#meta = 2 * this.#addressWords + 1;
    this.#firstDouble = version === 4 ? 2 : 5;
    this.#entryWords = version === 4 ? 16 : 24;
    this.#key = new Int32Array(this.#meta + 1);
    const buffer = new ArrayBuffer(FIRST_ENTRY + this.#capacity * this.#entryWords * 4);
    this.#words = new Int32Array(buffer, FIRST_ENTRY);
    this.#doubles = new Float64Array(buffer, FIRST_ENTRY);
    this.#slots = new Int32Array(FIRST_SLOTS);
  }

  /**
   * Entry of the flow between two IPv4 endpoints, or -1 when it has none. Addresses are the words of the header;
   * `source` and `destination` must already be in order (see `FlowTable`).
   */
  find4(a: number, b: number, ports: number, meta: number): number {
    const words = this.#words;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash4(a, b, ports, meta, this.#seed) & mask;
    for (;;) {
      const found = slots[slot]!;
      if (found === Slot.empty) return -1;
      const at = (found - 1) << 4;
      if (
        words[at] === a &&
        words[at + 1] === b &&
        words[at + 2] === ports &&
        (words[at + 3]! & Meta.keyMask) === meta
      )
        return found - 1;
      slot = (slot + 1) & mask;
    }
  }

  /** As `find4`, for IPv6: the addresses are read from the packet's view. */
  find6(view: DataView, a: number, b: number, ports: number, meta: number): number {
    const key = this.#key;
    for (let i = 0; i < 4; i++) {
      key[i] = view.getInt32(a + 4 * i);
      key[4 + i] = view.getInt32(b + 4 * i);
    }
    key[8] = ports;
    key[9] = meta;
    const words = this.#words;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hashKey(key, 0, 9, meta, this.#seed) & mask;
    for (;;) {
      const found = slots[slot]!;
      if (found === Slot.empty) return -1;
      const at = (found - 1) * 24;
      let same = (words[at + 9]! & Meta.keyMask) === meta;
      for (let i = 0; same && i < 9; i++) same = words[at + i] === key[i];
      if (same) return found - 1;
      slot = (slot + 1) & mask;
    }
  }

  /** Adds an IPv4 flow that `find4` did not find. */
  add4(a: number, b: number, ports: number, meta: number): number {
    const key = this.#key;
    key[0] = a;
    key[1] = b;
    key[2] = ports;
    return this.#add(meta);
  }

  /** Adds the IPv6 flow that the last `find6` did not find. */
  add6(meta: number): number {
    return this.#add(meta);
  }

  #add(meta: number): number {
    if (this.count === this.#capacity) this.#grow();
    if (this.count * 2 >= this.#slots.length) this.#index(this.#slots.length * 2);
    const entry = this.count++;
    const at = entry * this.#entryWords;
    this.#key[this.#meta] = meta;
    this.#words.set(this.#key, at);
    const doubles = this.#doubles;
    const from = (at >> 1) + this.#firstDouble;
    doubles.fill(0, from, from + Double.count);
    doubles[from + Double.first] = Number.POSITIVE_INFINITY;
    doubles[from + Double.last] = Number.NEGATIVE_INFINITY;
    this.#link(entry);
    return entry;
  }

  /** Counts one packet. `time` is microseconds, or negative for none; `marks` are further bits of `meta`. */
  count1(entry: number, fromB: boolean, length: number, time: number, marks: number): void {
    const doubles = this.#doubles;
    const from = ((entry * this.#entryWords) >> 1) + this.#firstDouble;
    const side = fromB ? from + Double.reply : from;
    doubles[side] = doubles[side]! + 1;
    doubles[side + Double.bytes] = doubles[side + Double.bytes]! + length;
    if (time >= 0) {
      if (time < doubles[from + Double.first]!) doubles[from + Double.first] = time;
      if (time > doubles[from + Double.last]!) doubles[from + Double.last] = time;
    }
    if (marks !== 0) {
      const at = entry * this.#entryWords + this.#meta;
      this.#words[at] = this.#words[at]! | marks;
    }
  }

  meta(entry: number): number {
    return this.#words[entry * this.#entryWords + this.#meta]!;
  }

  /** A number below 2^20 that somebody keeps with the entry; 0 at first. */
  link(entry: number): number {
    return this.meta(entry) >>> Meta.linkShift;
  }

  setLink(entry: number, link: number): void {
    const at = entry * this.#entryWords + this.#meta;
    this.#words[at] = (this.#words[at]! & ~(Meta.linkMask << Meta.linkShift)) | (link << Meta.linkShift);
  }

  /** Port of end a (false) or b (true). */
  port(entry: number, ofB: boolean): number {
    const ports = this.#words[entry * this.#entryWords + this.#meta - 1]!;
    return ofB ? ports & 0xffff : ports >>> 16;
  }

  /** Word `i` of the address of end a or b. */
  addressWord(entry: number, ofB: boolean, i: number): number {
    return this.#words[entry * this.#entryWords + (ofB ? this.#addressWords : 0) + i]!;
  }

  /** Packets sent by end a or b. */
  packets(entry: number, byB: boolean): number {
    return this.#doubles[this.#double(entry, byB) + Double.packets]!;
  }

  /** Bytes sent by end a or b. */
  bytes(entry: number, byB: boolean): number {
    return this.#doubles[this.#double(entry, byB) + Double.bytes]!;
  }

  /** Time of the earliest packet in microseconds; Infinity where no packet had a time. */
  firstUs(entry: number): number {
    return this.#doubles[this.#double(entry, false) + Double.first]!;
  }

  /** Time of the latest packet; -Infinity where no packet had a time. */
  lastUs(entry: number): number {
    return this.#doubles[this.#double(entry, false) + Double.last]!;
  }

  #double(entry: number, ofB: boolean): number {
    return ((entry * this.#entryWords) >> 1) + this.#firstDouble + (ofB ? Double.reply : 0);
  }

  /** Keeps the entries that `keep` says; the others are gone. `moved` is told whose numbers change. Cost: linear. */
  compact(keep: (entry: number) => boolean, moved: (from: number, to: number) => void): void {
    let kept = 0;
    for (let entry = 0; entry < this.count; entry++) {
      if (!keep(entry)) continue;
      if (kept !== entry) {
        const from = entry * this.#entryWords;
        this.#words.copyWithin(kept * this.#entryWords, from, from + this.#entryWords);
        moved(entry, kept);
      }
      kept++;
    }
    this.count = kept;
    this.#slots.fill(Slot.empty);
    for (let entry = 0; entry < kept; entry++) this.#link(entry);
  }

  /** Takes an entry out; the last one takes its number. Cost: a few slots. */
  remove(entry: number): void {
    this.#unlink(entry);
    const last = this.count - 1;
    if (entry !== last) {
      this.#slots[this.#slotOf(last)] = entry + 1;
      const from = last * this.#entryWords;
      this.#words.copyWithin(entry * this.#entryWords, from, from + this.#entryWords);
    }
    this.count = last;
  }

  #grow(): void {
    this.#capacity *= 2;
    const buffer = new ArrayBuffer(FIRST_ENTRY + this.#capacity * this.#entryWords * 4);
    const words = new Int32Array(buffer, FIRST_ENTRY);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(buffer, FIRST_ENTRY);
  }

  /** Makes the index anew with so many slots. */
  #index(slots: number): void {
    this.#slots = new Int32Array(slots);
    for (let entry = 0; entry < this.count; entry++) this.#link(entry);
  }

  /** Enters an entry in the index. */
  #link(entry: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#hashOf(entry) & mask;
    while (slots[slot] !== Slot.empty) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }

  /** Takes an entry out of the index. Those behind it move up, so that all are found without it. */
  #unlink(entry: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#slotOf(entry);
    for (let slot = (hole + 1) & mask; slots[slot] !== Slot.empty; slot = (slot + 1) & mask) {
      const home = this.#hashOf(slots[slot]! - 1) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = slots[slot]!;
      hole = slot;
    }
    slots[hole] = Slot.empty;
  }

  /** The slot of an entry that is in the index. */
  #slotOf(entry: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hashOf(entry) & mask;
    while (this.#slots[slot] !== entry + 1) slot = (slot + 1) & mask;
    return slot;
  }

  #hashOf(entry: number): number {
    const words = this.#words;
    const at = entry * this.#entryWords;
    const meta = words[at + this.#meta]! & Meta.keyMask;
    return this.version === 4
      ? hash4(words[at]!, words[at + 1]!, words[at + 2]!, meta, this.#seed)
      : hashKey(words, at, 9, meta, this.#seed);
  }
}

/** Multiply-and-fold over the key's words; the constants are those of MurmurHash3. */
function hash4(a: number, b: number, ports: number, meta: number, seed: number): number {
  let h = Math.imul(a ^ seed, 0xcc9e2d51);
  h = Math.imul((h ^ (h >>> 15)) + b, 0x1b873593);
  h = Math.imul((h ^ (h >>> 13)) + ports, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 16)) + meta, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hashKey(words: Int32Array, from: number, length: number, meta: number, seed: number): number {
  let h = seed;
  for (let i = 0; i < length; i++) {
    h = Math.imul(h ^ words[from + i]!, 0xcc9e2d51);
    h ^= h >>> 15;
  }
  h = Math.imul(h + meta, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
