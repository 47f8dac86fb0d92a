/** Channels: the two ends between which requests are counted together, as numbers. */
import { formatIpv4, formatIpv6 } from "../../net.js";
import { Keys } from "../flow/keys.js";

/** Words of a channel: client, server (four each; IPv4 uses the first), server's port, IP version. */
const WORDS = 10;
/** Most separate channels; further ones share one. */
const MAX_CHANNELS = 65_536;

/** An end of a channel. */
export interface ChannelEnd {
  /** Text of the address; null: the shared channel beyond the limit. */
  readonly address: string | null;
  readonly port: number;
}

/** Channels by number: a client's address, a server's address and port, and a span of time with constant names. */
export class Channels {
  readonly #keys = new Keys(WORDS);
  #clientPorts = new Int32Array(64);
  #times = new Float64Array(64);
  readonly #changesUs: readonly number[];
  #passed = 0;

  /** `changesUs`: known times at which names change, ascending. */
  constructor(changesUs: readonly number[] = []) {
    this.#changesUs = changesUs;
  }

  get count(): number {
    return this.#keys.count;
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
    const { key } = this.#keys;
    for (let i = 0; i < 4; i++) {
      const isUsed = i === 0 || version === 6;
      key[i] = isUsed ? word(false, i) : 0;
      key[4 + i] = isUsed ? word(true, i) : 0;
    }
    key[8] = serverPort;
    key[9] = version;
    const { count } = this;
    if (count === MAX_CHANNELS) return this.#keys.find();
    const channel = this.#keys.intern();
    if (channel === count) this.#begin(channel, clientPort, timeUs);
    return channel;
  }

  /** Names have changed: later requests are counted in new channels. */
  renew(): void {
    this.#keys.renew();
  }

  #pass(timeUs: number): void {
    while (timeUs >= (this.#changesUs[this.#passed] ?? Number.POSITIVE_INFINITY)) this.#passed++;
    this.renew();
  }

  /** The client's or the server's end. */
  end(channel: number, ofServer: boolean): ChannelEnd {
    if (channel < 0) return { address: null, port: 0 };
    const from = ofServer ? 4 : 0;
    const word = (i: number) => this.#keys.word(channel, i);
    return {
      address:
        word(9) === 4
          ? formatIpv4(word(from))
          : formatIpv6(word(from), word(from + 1), word(from + 2), word(from + 3)),
      port: ofServer ? word(8) : this.#clientPorts[channel]!,
    };
  }

  /** When it was first used, microseconds since 1970. */
  startUs(channel: number): number {
    return this.#times[channel] ?? 0;
  }

  #begin(channel: number, clientPort: number, timeUs: number): void {
    if (channel === this.#times.length) this.#grow();
    this.#clientPorts[channel] = clientPort;
    this.#times[channel] = timeUs;
  }

  #grow(): void {
    const size = this.#times.length * 2;
    const [ports, times] = [new Int32Array(size), new Float64Array(size)];
    ports.set(this.#clientPorts);
    times.set(this.#times);
    this.#clientPorts = ports;
    this.#times = times;
  }
}
