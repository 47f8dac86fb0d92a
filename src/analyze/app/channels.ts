/** Who asks whom: the two ends between which requests are counted together, as numbers. */
import { formatIpv4, formatIpv6 } from "../../net.js";

/** Words of a channel: client, server (four each; IPv4 uses the first), server's port, IP version. */
const WORDS = 10;
/** Channels kept apart; those beyond share one. */
const MAX_CHANNELS = 65_536;

/** An end of a channel. */
export interface ChannelEnd {
  /** Text of the address; null: of one of the channels that found no room. */
  readonly address: string | null;
  readonly port: number;
}

/** Channels by number: a client's address, a server's address and port, in a span of time over which names hold. */
export class Channels {
  count = 0;
  #words = new Int32Array(64 * WORDS);
  #clientPorts = new Int32Array(64);
  #times = new Float64Array(64);
  #slots = new Int32Array(256);
  readonly #key = new Int32Array(WORDS);
  /** From here on channels are found again; earlier ones are of names that held before. */
  #since = 0;
  readonly #changesUs: readonly number[];
  #passed = 0;

  /** `changesUs`: when names change, as far as it is known beforehand, in ascending order. */
  constructor(changesUs: readonly number[] = []) {
    this.#changesUs = changesUs;
  }

  /** The number of the channel between a client and a server, whose address words are read by `word(isServer, i)`. */
  find(
    version: 4 | 6,
    word: (ofServer: boolean, i: number) => number,
    clientPort: number,
    serverPort: number,
    timeUs: number,
  ): number {
    if (timeUs >= (this.#changesUs[this.#passed] ?? Number.POSITIVE_INFINITY)) this.#pass(timeUs);
    const key = this.#key;
    for (let i = 0; i < 4; i++) {
      const isUsed = i === 0 || version === 6;
      key[i] = isUsed ? word(false, i) : 0;
      key[4 + i] = isUsed ? word(true, i) : 0;
    }
    key[8] = serverPort;
    key[9] = version;
    let slot = this.#slotOf(hash(key, 0));
    for (;;) {
      const found = this.#slots[slot]!;
      if (found === 0) break;
      if (this.#isKey(found - 1)) return found - 1;
      slot = (slot + 1) & (this.#slots.length - 1);
    }
    if (this.count === MAX_CHANNELS) return -1;
    return this.#add(slot, clientPort, timeUs);
  }

  /** Names have changed: requests from now on are counted in channels of their own. */
  renew(): void {
    this.#since = this.count;
    this.#slots.fill(0);
  }

  #pass(timeUs: number): void {
    while (timeUs >= (this.#changesUs[this.#passed] ?? Number.POSITIVE_INFINITY)) this.#passed++;
    this.renew();
  }

  /** The client's or the server's end. */
  end(channel: number, ofServer: boolean): ChannelEnd {
    if (channel < 0) return { address: null, port: 0 };
    const at = channel * WORDS + (ofServer ? 4 : 0);
    const [a, b, c, d] = this.#words.subarray(at, at + 4) as unknown as [number, number, number, number];
    const isIpv4 = this.#words[channel * WORDS + 9] === 4;
    return {
      address: isIpv4 ? formatIpv4(a) : formatIpv6(a, b, c, d),
      port: ofServer ? this.#words[channel * WORDS + 8]! : this.#clientPorts[channel]!,
    };
  }

  /** When it was first used, microseconds since 1970. */
  startUs(channel: number): number {
    return this.#times[channel] ?? 0;
  }

  #isKey(channel: number): boolean {
    for (let i = 0; i < WORDS; i++) if (this.#words[channel * WORDS + i] !== this.#key[i]) return false;
    return true;
  }

  #slotOf(of: number): number {
    return of & (this.#slots.length - 1);
  }

  #add(slot: number, clientPort: number, timeUs: number): number {
    const channel = this.count++;
    if (channel === this.#times.length) this.#grow();
    this.#words.set(this.#key, channel * WORDS);
    this.#clientPorts[channel] = clientPort;
    this.#times[channel] = timeUs;
    this.#slots[slot] = channel + 1;
    if ((this.count - this.#since) * 2 > this.#slots.length) this.#index();
    return channel;
  }

  #grow(): void {
    const size = this.#times.length * 2;
    const [words, ports, times] = [
      new Int32Array(size * WORDS),
      new Int32Array(size),
      new Float64Array(size),
    ];
    words.set(this.#words);
    ports.set(this.#clientPorts);
    times.set(this.#times);
    this.#words = words;
    this.#clientPorts = ports;
    this.#times = times;
  }

  #index(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let channel = this.#since; channel < this.count; channel++) {
      let slot = this.#slotOf(hash(this.#words, channel * WORDS));
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = channel + 1;
    }
  }
}

function hash(words: Int32Array, from: number): number {
  let h = 0;
  for (let i = 0; i < WORDS; i++) {
    h = Math.imul(h ^ words[from + i]!, 0xcc9e2d51);
    h ^= h >>> 15;
  }
  return Math.imul(h, 0x85ebca6b) >>> 8;
}
