/** A capture file, or a stream of one, as a PacketSource. */

import {
  type CaptureDecoder,
  createPacket,
  createReport,
  type Packet,
  type PacketSource,
  reportDamage,
  type SourceReport,
} from "../packet.js";
import { type ByteSource, unread } from "./bytes.js";
import { gunzip, isGzip } from "./gzip.js";
import { InputBuffer } from "./input.js";
import { PcapDecoder, pcapVariant } from "./pcap.js";
import { PcapngDecoder } from "./pcapng.js";

/** Length of the longest magic number. */
const MAGIC_BYTES = 4;
const PCAPNG_MAGIC = 0x0a0d0d0a;

/** Bytes read before the loop lets signals, timers and other sources have their turn. */
const TURN_BYTES = 16 * 1024 * 1024;

/** Reads one capture in order. `packet` is the current one after `advance` has said true. */
export class CaptureReader implements PacketSource {
  readonly name: string;
  readonly #source: ByteSource;
  readonly #input: InputBuffer;
  readonly #decoder: CaptureDecoder;
  #ended = false;
  #sinceTurn = 0;

  private constructor(name: string, source: ByteSource, input: InputBuffer, decoder: CaptureDecoder) {
    this.name = name;
    this.#source = source;
    this.#input = input;
    this.#decoder = decoder;
  }

  /**
   * Finds out what the source holds. Takes ownership of it. If it is no capture, the reader reports that damage. `room`: where its
   * bytes go, see InputBuffer.
   */
  static async open(name: string, source: ByteSource, room?: Uint8Array): Promise<CaptureReader> {
    try {
      const { first, rest } = await peek(source);
      if (!isGzip(first)) return CaptureReader.#ofFormat(name, first, rest, room);
      const inner = await peek(gunzip(rest));
      return CaptureReader.#ofFormat(name, inner.first, inner.rest, room);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  static #ofFormat(
    name: string,
    first: Uint8Array,
    source: ByteSource,
    room: Uint8Array | undefined,
  ): CaptureReader {
    const magic = first.length < MAGIC_BYTES ? -1 : new DataView(first.buffer, first.byteOffset).getUint32(0);
    const input = new InputBuffer(room);
    if (magic === PCAPNG_MAGIC) return new CaptureReader(name, source, input, new PcapngDecoder(input));
    if (magic >= 0 && pcapVariant(magic))
      return new CaptureReader(name, source, input, new PcapDecoder(input));
    const reason =
      source.failure ??
      (first.length === 0 ? "the file is empty" : "not a capture file (neither pcap nor pcapng)");
    return new CaptureReader(name, source, input, foreign(reason));
  }

  get packet(): Packet {
    return this.#decoder.packet;
  }

  get report(): SourceReport {
    return this.#decoder.report;
  }

  /** Packets given so far. */
  packets = 0;

  /** Bytes of the capture, as it is stored, read so far. */
  get bytesTaken(): number {
    return this.#source.taken;
  }

  /** Moves to the next packet that is already in memory. False: call `fill`. */
  next(): boolean {
    if (!this.#decoder.next()) return false;
    this.packets++;
    return true;
  }

  /** Reads on. False at the end of the capture. Gives the event loop a turn now and then. */
  async fill(): Promise<boolean> {
    if (this.#ended || this.#decoder.stopped) return false;
    let n = 0;
    let failure: string | null = null;
    try {
      const got = this.#source.read(this.#input.space());
      n = typeof got === "number" ? got : await got;
      failure = this.#source.failure;
    } catch (error) {
      failure = (error as Error).message;
    }
    if (n === 0) {
      this.#ended = true;
      if (failure !== null)
        reportDamage(this.report, { offset: this.#input.offset, reason: failure, fatal: true });
      else this.#decoder.end();
      return false;
    }
    this.#input.filled(n);
    this.#sinceTurn += n;
    if (this.#sinceTurn >= TURN_BYTES) {
      this.#sinceTurn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  close(): void {
    this.#source.close();
  }
}

/** The first bytes of a source, and the source with these bytes put back. */
async function peek(source: ByteSource): Promise<{ first: Uint8Array; rest: ByteSource }> {
  const first = new Uint8Array(MAGIC_BYTES);
  let n = 0;
  while (n < MAGIC_BYTES) {
    const got = await source.read(first.subarray(n));
    if (got === 0) break;
    n += got;
  }
  return { first: first.subarray(0, n), rest: unread(first.subarray(0, n), source) };
}

/** The decoder of an unreadable capture: gives no packets. */
function foreign(reason: string): CaptureDecoder {
  const report = createReport();
  reportDamage(report, { offset: 0, reason, fatal: true });
  return { packet: createPacket(), report, stopped: true, next: () => false, end() {} };
}

/**
 * Gives every packet of the captures to `visit`, merged in time order. Within a capture the order stays as it
 * is; packets of one time go in the order of the captures. Calls `flush` when the bytes of packets are about to move. Does not close them.
 */
export async function readPackets(
  sources: readonly PacketSource[],
  visit: (packet: Packet) => void,
  flush: () => void,
): Promise<void> {
  const only = sources[0];
  if (sources.length === 1 && only) {
    do {
      while (only.next()) visit(only.packet);
      flush();
    } while (await only.fill());
    return;
  }
  const active: PacketSource[] = [];
  for (const source of sources) if (source.next() || (await refill(source, flush))) active.push(source);
  while (active.length > 0) {
    let first = 0;
    for (let i = 1; i < active.length; i++)
      if (active[i]!.packet.timeUs < active[first]!.packet.timeUs) first = i;
    const source = active[first]!;
    // This capture goes on up to the earliest packet of the others, and includes that time if it comes before them in order.
    let limit = Number.POSITIVE_INFINITY;
    for (let i = 0; i < active.length; i++) {
      if (i !== first) limit = Math.min(limit, active[i]!.packet.timeUs - (i < first ? 1 : 0));
    }
    do {
      visit(source.packet);
      if (source.next() || (await refill(source, flush))) continue;
      active.splice(first, 1);
      break;
    } while (source.packet.timeUs <= limit);
  }
}

/** Reads on to the next packet of a source. */
async function refill(source: PacketSource, flush: () => void): Promise<boolean> {
  flush();
  while (await source.fill()) if (source.next()) return true;
  return false;
}
