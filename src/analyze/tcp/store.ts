/**
 * Where the state of TCP connections is kept: packed entries in one ArrayBuffer, as the flows are, so that a segment touches a
 * few cache lines and makes no object.
 *
 * An entry is six lines of sixteen 32-bit words. The first two hold what every segment needs: of side a, of side b, of both. The rest is
 * what few need. A side's words are at the same distance from its first, whichever side it is.
 */

/** Words of an entry. */
export const enum Layout {
  words = 96,
  sideB = 12,
  sides = 24,
}

/** Words of a side, from its first. Times are doubles at even words: nanoseconds since the first packet. */
export const enum Side {
  /** The highest sequence number seen and one; 0: nothing seen. */
  nextSeq = 0,
  /** Up to where what was seen has no hole: what may be acknowledged; 0: nothing seen. */
  maxAcked = 1,
  /** The last acknowledgement it sent. */
  lastAck = 2,
  /** The last window it offered, as in the header; -1: none seen. */
  window = 3,
  /** See SideFlag; above them duplicate acknowledgements in a row, -1: of something that was not seen. */
  flags = 4,
  /** End of the segment that a round trip is measured with. */
  probe = 5,
  /** When it last acknowledged: microseconds, modulo 2^32. */
  lastAckUs = 6,
  /** Segments that take sequence numbers: data, SYN, FIN. */
  segments = 7,
  nextSeqTime = 8,
  /** When that segment was sent; negative: none is measured. */
  probeTime = 10,
  retransmissions = 33,
  fast = 34,
  spurious = 35,
  outOfOrder = 36,
  duplicateAcks = 37,
  zeroWindows = 38,
  resets = 39,
  /** Times that a segment before this one was not captured. */
  gaps = 40,
  keepAlives = 41,
  windowFull = 42,
  /** Segments that the other side says it got twice (RFC 2883). */
  duplicated = 43,
  /** Its initial sequence number. */
  baseSeq = 56,
  /** Shift of its windows; negative: see Scale. */
  scale = 57,
  roundTrips = 58,
  roundTripSum = 60,
  /** Since when its window is 0; negative: it is not. */
  zeroSince = 62,
  /** How long it was, before. */
  zeroTime = 64,
}

export const enum SideFlag {
  baseSeen = 1,
  /** Its last segment was a keep-alive, or a probe of a zero window. */
  keepAlive = 2,
  probe = 4,
  /** It has sent a SYN and no ACK since: its windows are not yet scaled. */
  unscaled = 8,
  /** Bits below the duplicate acknowledgements. */
  bits = 16,
  mask = 0xffff,
}

export const enum Scale {
  unknown = -1,
  none = -2,
}

/** Words of what the sides share, from the entry's first. */
export const enum Shared {
  /** See state.ts. */
  state = 24,
  /** Number of its stream and one; 0: none yet; -1: it needs none any more. */
  stream = 25,
  /** 1: a SYN was captured, and no ACK after it. */
  isOpening = 26,
  /** Twice the place of its flow, and one more for IPv6; -1: the entry is free. */
  flow = 27,
  /** Who sent the SYN: 1 a, 2 b; 0: it was not captured. */
  begun = 28,
  /** Index of its application and one; 0: not recognised. */
  application = 29,
  /** Connections that began, of those ports. */
  connections = 30,
  /** Segments of all kinds, both ways. */
  segments = 31,
  /** Of ended connections of the same ports: what came of them. */
  refused = 80,
  unanswered = 81,
  lastReset = 84,
  synTime = 86,
  synAckTime = 88,
  /** From the SYN to the first ACK; 0: not seen. Negative where the clock ran back. */
  handshake = 90,
  /** Of it, from the SYN to its answer; negative: not seen. */
  serverHalf = 92,
}

/** No time, no duration. */
export const NO_TIME = -1;
/**
 * Entries that room is set aside for at once: the system hands out pages as they are first touched, so it costs nothing until
 * they are used, and the entries are not copied.
 */
const RESERVED = 65_536;
/** Where entries begin in their buffer: V8 hands out large buffers 16 bytes behind a cache line. */
const FIRST_ENTRY = 48;

/** Entries by number. Freed ones are used again. Never holds more than `maxEntries`. */
export class TcpStore {
  readonly maxEntries: number;
  /** Entries in use. */
  used = 0;
  /** One more than the highest number ever used. */
  top = 0;
  words: Int32Array;
  doubles: Float64Array;
  /** The time of the packet that is looked at, nanoseconds since the first: here, for as an argument each would be an object. */
  readonly clock = new Float64Array(1);
  #capacity: number;
  #free: Int32Array = new Int32Array(64);
  #freeCount = 0;

  constructor(maxEntries: number) {
    this.maxEntries = maxEntries;
    this.#capacity = Math.min(maxEntries, RESERVED);
    const buffer = new ArrayBuffer(FIRST_ENTRY + this.#capacity * Layout.words * 4);
    this.words = new Int32Array(buffer, FIRST_ENTRY);
    this.doubles = new Float64Array(buffer, FIRST_ENTRY);
  }

  /** Takes an entry for a flow, all zero but for what is not known. Only while `used` is less than `maxEntries`. */
  take(flow: number): number {
    const entry = this.#freeCount > 0 ? this.#free[--this.#freeCount]! : this.top++;
    if (entry === this.#capacity) this.#grow();
    this.used++;
    const at = entry * Layout.words;
    this.words.fill(0, at, at + Layout.words);
    this.words[at + Shared.flow] = flow;
    this.reset(entry);
    return entry;
  }

  /** Forgets the state of the connection, not what was counted: another begins on the same ports. */
  reset(entry: number): void {
    const { words, doubles } = this;
    const at = entry * Layout.words;
    for (let side = at; side < at + Layout.sides; side += Layout.sideB) {
      words.fill(0, side, side + Side.segments);
      words.fill(0, side + Side.nextSeqTime, side + Layout.sideB);
      words[side + Side.window] = -1;
      words[side + Side.scale] = Scale.unknown;
      doubles[(side + Side.probeTime) >> 1] = NO_TIME;
      doubles[(side + Side.zeroSince) >> 1] = NO_TIME;
    }
    words[at + Shared.state] = 0;
    words[at + Shared.stream] = 0;
    words[at + Shared.begun] = 0;
    words[at + Shared.isOpening] = 0;
    doubles[(at + Shared.synTime) >> 1] = NO_TIME;
    doubles[(at + Shared.synAckTime) >> 1] = NO_TIME;
    doubles[(at + Shared.handshake) >> 1] = 0;
    doubles[(at + Shared.serverHalf) >> 1] = NO_TIME;
  }

  /** Gives an entry back. */
  release(entry: number): void {
    this.words[entry * Layout.words + Shared.flow] = -1;
    this.used--;
    if (this.#freeCount === this.#free.length) {
      const larger = new Int32Array(this.#freeCount * 2);
      larger.set(this.#free);
      this.#free = larger;
    }
    this.#free[this.#freeCount++] = entry;
  }

  #grow(): void {
    this.#capacity = Math.min(this.maxEntries, this.#capacity * 2);
    const buffer = new ArrayBuffer(FIRST_ENTRY + this.#capacity * Layout.words * 4);
    const words = new Int32Array(buffer, FIRST_ENTRY);
    words.set(this.words);
    this.words = words;
    this.doubles = new Float64Array(buffer, FIRST_ENTRY);
  }
}
