/** Writes pcapng (draft-ietf-opsawg-pcapng): interfaces, packets to the nanosecond, names, and what was lost. */
import { parseAddress } from "../../net.js";
import type { EmbeddedName, Packet } from "../packet.js";

/** One interface as the file describes it. */
export interface InterfaceDescription {
  readonly name: string;
  readonly linkType: number;
  readonly snaplen: number;
  /** In tcpdump's language; empty: none. */
  readonly filter: string;
}

/** Counters of an interface at the end of the capture. null: unknown, and left out. */
export interface InterfaceStatistics {
  readonly received: number | null;
  readonly dropped: number | null;
}

const enum Block {
  sectionHeader = 0x0a0d0d0a,
  interfaceDescription = 1,
  nameResolution = 4,
  interfaceStatistics = 5,
  enhancedPacket = 6,
}
const enum Option {
  end = 0,
  userApplication = 4, // shb_userappl
  interfaceName = 2, // if_name
  resolution = 9, // if_tsresol
  filter = 11, // if_filter
}
const enum StatisticsOption {
  received = 4, // isb_ifrecv
  dropped = 5, // isb_ifdrop
}
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** 10^-9 s */
const NANOSECONDS = 9;
/** Type, length, interface, time, two lengths before a packet's bytes; the length once more behind them. */
const PACKET_HEAD = 28;
const TAIL = 4;
const TWO_32 = 4_294_967_296;
/** A name record's value has 16 bits for its length. */
const MAX_NAME_BYTES = 255;

/** Initial room: enough for one write to a file. */
const BUFFER_BYTES = 256 * 1024;

/** Builds blocks, little-endian. Take them out with `take`. */
export class PcapngWriter {
  readonly #room: Uint8Array;
  /** All of the ArrayBuffer that `room` lies in. */
  readonly #whole: Uint8Array;
  #bytes: Uint8Array;
  #view: DataView;
  #end = 0;

  /** Builds in `room` as long as it suffices. Packets in the same ArrayBuffer are copied fastest. */
  constructor(room: Uint8Array = new Uint8Array(BUFFER_BYTES)) {
    this.#room = room;
    this.#whole = new Uint8Array(room.buffer);
    this.#bytes = room;
    this.#view = viewOf(room);
  }

  /** Bytes that wait to be taken. */
  get pending(): number {
    return this.#end;
  }

  /** The blocks so far, whole ones. Borrowed: copy or write them before the next call. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    if (this.#bytes !== this.#room) {
      this.#bytes = this.#room;
      this.#view = viewOf(this.#room);
    }
    return taken;
  }

  /** Begins a section. Interfaces are numbered in their order. */
  begin(application: string, interfaces: readonly InterfaceDescription[]): void {
    const start = this.#open(Block.sectionHeader, 16);
    this.#u32(BYTE_ORDER_MAGIC);
    this.#u32(1); // version 1.0
    this.#u32(0xffff_ffff); // the section's length is not given
    this.#u32(0xffff_ffff);
    this.#text(Option.userApplication, application);
    this.#closeOptions(start);
    for (const { name, linkType, snaplen, filter } of interfaces) {
      const block = this.#open(Block.interfaceDescription, 8);
      this.#u32(linkType);
      this.#u32(snaplen);
      this.#text(Option.interfaceName, name);
      this.#option(Option.resolution, Uint8Array.of(NANOSECONDS));
      // The first byte says that the filter is text in libpcap's language.
      if (filter !== "") this.#text(Option.filter, `\0${filter}`);
      this.#closeOptions(block);
    }
  }

  /** Appends one packet. Copies it. */
  add(interfaceId: number, packet: Packet): void {
    const { caplen, offset, view: from, timeUs } = packet;
    const length = PACKET_HEAD + ((caplen + 3) & ~3) + TAIL;
    this.#reserve(length);
    const at = this.#end;
    const to = this.#view;
    // us * 1000 + ns exceeds 2^53, so it is computed in two halves. The % operator would be a call.
    const high = Math.floor(timeUs / TWO_32);
    const low = (timeUs - high * TWO_32) * 1000 + packet.nanos;
    const carry = Math.floor(low / TWO_32);
    to.setUint32(at, Block.enhancedPacket, true);
    to.setUint32(at + 4, length, true);
    to.setUint32(at + 8, interfaceId, true);
    to.setUint32(at + 12, high * 1000 + carry, true);
    to.setUint32(at + 16, low - carry * TWO_32, true);
    to.setUint32(at + 20, caplen, true);
    to.setUint32(at + 24, packet.length, true);
    const data = at + PACKET_HEAD;
    to.setUint32(at + length - TAIL - 4, 0, true); // padding
    this.#copy(from, offset, caplen, data);
    to.setUint32(at + length - TAIL, length, true);
    this.#end = at + length;
  }

  /** A copy within one ArrayBuffer allocates nothing, which halves its time. */
  #copy(from: DataView, offset: number, length: number, to: number): void {
    const start = from.byteOffset + offset;
    const whole = this.#whole;
    if (from.buffer === whole.buffer && this.#bytes === this.#room)
      whole.copyWithin(this.#room.byteOffset + to, start, start + length);
    else this.#bytes.set(new Uint8Array(from.buffer, start, length), to);
  }

  /** Appends the names of addresses (canonical text). */
  names(names: readonly EmbeddedName[]): void {
    if (names.length === 0) return;
    const start = this.#open(Block.nameResolution, 0);
    for (const { address, name } of names) {
      const bytes = parseAddress(address);
      if (bytes === null) continue;
      const text = new TextEncoder().encode(name.replaceAll("\0", "")).subarray(0, MAX_NAME_BYTES);
      const value = new Uint8Array(bytes.length + text.length + 1);
      value.set(bytes);
      value.set(text, bytes.length);
      this.#option(bytes.length === 4 ? 1 : 2, value);
    }
    this.#closeOptions(start);
  }

  /** Appends what an interface lost, as of a time in microseconds. */
  statistics(interfaceId: number, timeUs: number, { received, dropped }: InterfaceStatistics): void {
    const start = this.#open(Block.interfaceStatistics, 12);
    const low = (timeUs % TWO_32) * 1000;
    const carry = Math.floor(low / TWO_32);
    this.#u32(interfaceId);
    this.#u32(Math.floor(timeUs / TWO_32) * 1000 + carry);
    this.#u32(low - carry * TWO_32);
    if (received !== null) this.#counter(StatisticsOption.received, received);
    if (dropped !== null) this.#counter(StatisticsOption.dropped, dropped);
    this.#closeOptions(start);
  }

  #open(type: number, body: number): number {
    this.#reserve(8 + body);
    const start = this.#end;
    this.#u32(type);
    this.#u32(0);
    return start;
  }

  #closeOptions(start: number): void {
    this.#reserve(8);
    this.#u32(Option.end);
    const length = this.#end - start + TAIL;
    this.#u32(length);
    this.#view.setUint32(start + 4, length, true);
  }

  #text(code: number, text: string): void {
    this.#option(code, new TextEncoder().encode(text).subarray(0, 0xffff));
  }

  #counter(code: number, count: number): void {
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigUint64(0, BigInt(count), true);
    this.#option(code, value);
  }

  /** An option, or a name record: the two look the same. */
  #option(code: number, value: Uint8Array): void {
    const padded = (value.length + 3) & ~3;
    this.#reserve(4 + padded);
    this.#view.setUint16(this.#end, code, true);
    this.#view.setUint16(this.#end + 2, value.length, true);
    this.#bytes.fill(0, this.#end + 4, this.#end + 4 + padded);
    this.#bytes.set(value, this.#end + 4);
    this.#end += 4 + padded;
  }

  #u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#end, value, true);
    this.#end += 4;
  }

  #reserve(length: number): void {
    if (this.#end + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + length));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
