/**
 * Makes frames and captures, whole or broken, for tests and benchmarks: every header and block can be given wrong on
 * purpose. Numbers are network order unless a function takes `little`.
 */

import { createPacket, type Packet, type SourceReport } from "../packet.js";
import type { ByteSource } from "./bytes.js";
import { CaptureReader } from "./file.js";

/** The pieces as one. */
export function join(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export function u8(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function u16(value: number, little = false): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, little);
  return bytes;
}

export function u32(value: number, little = false): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, little);
  return bytes;
}

export function u64(value: bigint, little = false): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, little);
  return bytes;
}

/** The UTF-8 bytes of a text. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

// Frames

/** An Ethernet frame. Its payload may begin with VLAN tags; `type` is then the outermost TPID. */
export function ethernet(payload: Uint8Array, type = 0x0800): Uint8Array {
  return join(u8(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1), u16(type), payload);
}

/** What follows a TPID: VLAN 1, the next type, the payload. */
export function vlanTag(payload: Uint8Array, type = 0x0800): Uint8Array {
  return join(u16(1), u16(type), payload);
}

export interface Ipv4Fields {
  readonly source?: Uint8Array;
  readonly destination?: Uint8Array;
  readonly protocol?: number;
  /** Whole 32-bit words. */
  readonly options?: Uint8Array;
  readonly version?: number;
  /** Header length in words; what the options make it, unless given. */
  readonly ihl?: number;
  readonly totalLength?: number;
  /** Flags and fragment offset as they stand in the header: 0x2000 is "more fragments". */
  readonly fragment?: number;
}

/** 10.1.1.1 and 10.1.1.2, the ends of a packet unless others are given. */
export const A4 = u8(10, 1, 1, 1);
export const B4 = u8(10, 1, 1, 2);
/** fd00::1 and fd00::2 */
export const A6 = u8(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
export const B6 = u8(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);

export function ipv4(payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  const ihl = fields.ihl ?? 5 + options.length / 4;
  const totalLength = fields.totalLength ?? 20 + options.length + payload.length;
  return join(
    u8(((fields.version ?? 4) << 4) | ihl, 0),
    u16(totalLength),
    u16(1),
    u16(fields.fragment ?? 0),
    u8(64, fields.protocol ?? 6),
    u16(0),
    fields.source ?? A4,
    fields.destination ?? B4,
    options,
    payload,
  );
}

export interface Ipv6Fields {
  readonly source?: Uint8Array;
  readonly destination?: Uint8Array;
  readonly nextHeader?: number;
  readonly version?: number;
  readonly payloadLength?: number;
}

/** An IPv6 packet; extension headers are part of the payload. */
export function ipv6(payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  return join(
    u8((fields.version ?? 6) << 4, 0, 0, 0),
    u16(fields.payloadLength ?? payload.length),
    u8(fields.nextHeader ?? 6, 64),
    fields.source ?? A6,
    fields.destination ?? B6,
    payload,
  );
}

/** An extension header of 8 bytes and `extra` times 8 more. */
export function extension(nextHeader: number, extra = 0): Uint8Array {
  return join(u8(nextHeader, extra), new Uint8Array(6 + 8 * extra));
}

/** An IPv6 fragment header; `offset` in units of 8 bytes. */
export function fragmentHeader(nextHeader: number, offset: number, more: boolean): Uint8Array {
  return join(u8(nextHeader, 0), u16((offset << 3) | (more ? 1 : 0)), u32(7));
}

/** A TCP segment; flags PSH and ACK unless others are given. */
export function tcp(
  source: number,
  destination: number,
  flags = 0x18,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const end = join(u16(1024), u16(0), u16(0), payload);
  return join(u16(source), u16(destination), u32(1), u32(1), u8(5 << 4, flags), end);
}

export function udp(
  source: number,
  destination: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return join(u16(source), u16(destination), u16(8 + payload.length), u16(0), payload);
}

/** ICMP or ICMPv6: type, code 0, and what follows. */
export function icmp(type: number, payload: Uint8Array = new Uint8Array(4)): Uint8Array {
  return join(u8(type, 0, 0, 0), payload);
}

/** An ARP request for Ethernet and IPv4. */
export function arp(): Uint8Array {
  const head = join(u16(1), u16(0x0800), u8(6, 4), u16(1));
  return join(head, u8(2, 0, 0, 0, 0, 1), A4, new Uint8Array(6), B4);
}

/** Link types that lead to IP. */
export const IP_LINK_TYPES = [0, 1, 12, 14, 101, 108, 113, 228, 229, 239, 276] as const;

/** The link header before an IP packet of this version, or null where the link type cannot carry it. */
export function linkHeader(linkType: number, version: 4 | 6): Uint8Array | null {
  const etherType = u16(version === 4 ? 0x0800 : 0x86dd);
  switch (linkType) {
    case 0:
      return u32(version === 4 ? 2 : 30, true);
    case 108:
      return u32(version === 4 ? 2 : 30);
    case 1:
      return ethernet(new Uint8Array(0), version === 4 ? 0x0800 : 0x86dd);
    case 12:
    case 14:
    case 101:
      return new Uint8Array(0);
    case 113: // packet type, ARPHRD_ETHER, address length, address, protocol
      return join(u16(0), u16(1), u16(6), new Uint8Array(8), etherType);
    case 276: // protocol, reserved, interface, ARPHRD_ETHER, packet type, address length, address
      return join(etherType, u16(0), u32(3), u16(1), u8(0, 6), new Uint8Array(8));
    case 228:
      return version === 4 ? new Uint8Array(0) : null;
    case 229:
      return version === 6 ? new Uint8Array(0) : null;
    case 239:
      return nflogHeader(version === 4 ? 2 : 10, true);
    default:
      return null;
  }
}

/** What stands before the packet in an NFLOG frame: family, version, group, a hook, a prefix of odd length, and the payload's head. */
export function nflogHeader(family: number, little: boolean): Uint8Array {
  const head = (length: number, type: number) => join(u16(length, little), u16(type, little));
  const hook = join(head(8, 1), u8(8, 0, 0, 0));
  const prefix = join(head(9, 10), u8(0x77, 0x65, 0x62, 0x3a, 0, 0, 0, 0));
  return join(u8(family, 0, 0, 5), hook, prefix, head(44, 9));
}

// Packets

/** One packet to be written to a capture. */
export interface SamplePacket {
  /** Microseconds since 1970. */
  readonly timeUs: number;
  /** 0 to 999, for the formats that can say it. */
  readonly nanos?: number;
  readonly bytes: Uint8Array;
  /** On the wire; what is captured, unless given. */
  readonly length?: number;
}

/** A packet as a reader gives it, copied. */
export interface ReadPacket {
  readonly timeUs: number;
  readonly nanos: number;
  readonly caplen: number;
  readonly length: number;
  readonly linkType: number;
  /** The captured bytes in hexadecimal: compares and prints well. */
  readonly hex: string;
}

/** The sample as the cursor that an analyzer takes. */
export function asPacket(sample: SamplePacket, linkType = 1): Packet {
  const { bytes, timeUs, nanos, length } = sample;
  return {
    ...createPacket(),
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    caplen: bytes.length,
    length: length ?? bytes.length,
    timeUs,
    nanos: nanos ?? 0,
    linkType,
  };
}

/** What a reader's cursor holds now. */
export function copyPacket(packet: Packet): ReadPacket {
  const { timeUs, nanos, caplen, length, linkType, view, offset } = packet;
  const hex = Buffer.from(view.buffer, view.byteOffset + offset, caplen).toString("hex");
  return { timeUs, nanos, caplen, length, linkType, hex };
}

/** What a reader should make of the sample. */
export function asRead(sample: SamplePacket, linkType = 1): ReadPacket {
  return copyPacket(asPacket(sample, linkType));
}

// Classic pcap

export type PcapKind = "micro" | "nano" | "modified" | "ixia" | "ixia-software";
export const PCAP_KINDS: readonly PcapKind[] = ["micro", "nano", "modified", "ixia", "ixia-software"];

const MAGIC: Readonly<Record<PcapKind, number>> = {
  micro: 0xa1b2c3d4,
  nano: 0xa1b23c4d,
  modified: 0xa1b2cd34,
  ixia: 0x1c0001ac,
  "ixia-software": 0x1c0001ab,
};

export interface PcapForm {
  readonly kind?: PcapKind;
  readonly little?: boolean;
  /** The whole link-type word, FCS bits included. */
  readonly linkType?: number;
  readonly snaplen?: number;
}

/** Whether a pcap of this kind keeps nanoseconds. */
export function hasNanoseconds(kind: PcapKind): boolean {
  return kind !== "micro" && kind !== "modified";
}

export function pcapHeader(form: PcapForm = {}): Uint8Array {
  const { kind = "micro", little = true, linkType = 1, snaplen = 262_144 } = form;
  const version = join(u16(2, little), u16(4, little));
  const head = join(u32(MAGIC[kind], little), version, u32(0, little), u32(0, little));
  const extra = kind.startsWith("ixia") ? u32(0, little) : new Uint8Array(0);
  return join(head, u32(snaplen, little), u32(linkType, little), extra);
}

/** Wrong values for a record's header. */
export interface RecordFields {
  readonly caplen?: number;
  readonly seconds?: number;
  /** Micro- or nanoseconds, as the kind has it. */
  readonly fraction?: number;
}

export function pcapRecord(packet: SamplePacket, form: PcapForm = {}, fields: RecordFields = {}): Uint8Array {
  const { kind = "micro", little = true } = form;
  const { bytes, timeUs, nanos = 0, length = bytes.length } = packet;
  const us = timeUs % 1e6;
  const header = join(
    u32(fields.seconds ?? Math.floor(timeUs / 1e6), little),
    u32(fields.fraction ?? (hasNanoseconds(kind) ? us * 1000 + nanos : us), little),
    u32(fields.caplen ?? bytes.length, little),
    u32(length, little),
  );
  // The modified format's interface index, protocol and packet type.
  const extra = kind === "modified" ? join(u32(1, little), u16(0x0800, little), u16(0)) : new Uint8Array(0);
  return join(header, extra, bytes);
}

export function pcapFile(packets: readonly SamplePacket[], form: PcapForm = {}): Uint8Array {
  return join(pcapHeader(form), ...packets.map((packet) => pcapRecord(packet, form)));
}

// pcapng

/** Bytes of zero up to the next multiple of 4. */
function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 3);
}

/** A block; `length` and `trailer` are wrong values for its two length fields. */
export function block(
  type: number,
  body: Uint8Array,
  little = true,
  fields: { readonly length?: number; readonly trailer?: number } = {},
): Uint8Array {
  const truth = 12 + body.length + (-body.length & 3);
  const length = fields.length ?? truth;
  const head = join(u32(type, little), u32(length, little));
  return join(head, body, padding(body.length), u32(fields.trailer ?? length, little));
}

export function option(code: number, value: Uint8Array, little = true): Uint8Array {
  return join(u16(code, little), u16(value.length, little), value, padding(value.length));
}

/** A section header of version 1.0 and unknown length. */
export function section(little = true, options: Uint8Array = new Uint8Array(0), major = 1): Uint8Array {
  const versions = join(u16(major, little), u16(0, little));
  return block(
    0x0a0d0d0a,
    join(u32(0x1a2b3c4d, little), versions, u64(0xffff_ffff_ffff_ffffn), options),
    little,
  );
}

export interface InterfaceFields {
  readonly linkType?: number;
  readonly snaplen?: number;
  /** if_tsresol as it stands in the file. */
  readonly resolution?: number;
  /** if_tsoffset, seconds. */
  readonly offset?: bigint;
}

export function interfaceBlock(fields: InterfaceFields = {}, little = true): Uint8Array {
  const { linkType = 1, snaplen = 0, resolution, offset } = fields;
  const options = [];
  if (resolution !== undefined) options.push(option(9, u8(resolution), little));
  if (offset !== undefined) options.push(option(14, u64(BigInt.asUintN(64, offset), little), little));
  if (options.length > 0) options.push(option(0, new Uint8Array(0), little));
  const body = join(u16(linkType, little), u16(0), u32(snaplen, little), ...options);
  return block(1, body, little);
}

/** Wrong values for a packet block, and its interface. */
export interface PacketFields {
  readonly interfaceId?: number;
  readonly ticks?: bigint;
  readonly caplen?: number;
  readonly length?: number;
  readonly options?: Uint8Array;
}

/** Interface number aside, enhanced and old packet blocks agree. */
function packetBody(bytes: Uint8Array, fields: PacketFields, little: boolean): Uint8Array {
  const { ticks = 0n, caplen = bytes.length, length = bytes.length } = fields;
  const times = join(u32(Number(ticks >> 32n), little), u32(Number(ticks & 0xffff_ffffn), little));
  const lengths = join(u32(caplen, little), u32(length, little));
  return join(times, lengths, bytes, padding(bytes.length), fields.options ?? new Uint8Array(0));
}

export function enhancedPacket(bytes: Uint8Array, fields: PacketFields = {}, little = true): Uint8Array {
  return block(6, join(u32(fields.interfaceId ?? 0, little), packetBody(bytes, fields, little)), little);
}

/** The obsolete packet block; it says how many packets were dropped before it, 0 here. */
export function oldPacket(bytes: Uint8Array, fields: PacketFields = {}, little = true): Uint8Array {
  const head = join(u16(fields.interfaceId ?? 0, little), u16(0));
  return block(2, join(head, packetBody(bytes, fields, little)), little);
}

/** A simple packet block: no time, no captured length. `length` is that on the wire. */
export function simplePacket(bytes: Uint8Array, length = bytes.length, little = true): Uint8Array {
  return block(3, join(u32(length, little), bytes), little);
}

/** A record of a name resolution block. Type 1 is IPv4, 2 is IPv6. The value is taken as it is: add NULs yourself. */
export function nameRecord(type: number, value: Uint8Array, little = true): Uint8Array {
  return join(u16(type, little), u16(value.length, little), value, padding(value.length));
}

export function nameResolution(records: readonly Uint8Array[], little = true): Uint8Array {
  return block(4, join(...records, u32(0)), little);
}

/** Interface statistics with if- and osdrop counts where given. */
export function statistics(
  interfaceId: number,
  drops: { readonly ifdrop?: bigint; readonly osdrop?: bigint },
  little = true,
): Uint8Array {
  const options = [];
  if (drops.ifdrop !== undefined) options.push(option(5, u64(drops.ifdrop, little), little));
  if (drops.osdrop !== undefined) options.push(option(7, u64(drops.osdrop, little), little));
  const body = join(u32(interfaceId, little), u32(0), u32(0), ...options, option(0, new Uint8Array(0)));
  return block(5, body, little);
}

export interface PcapngForm {
  readonly little?: boolean;
  readonly linkType?: number;
  /** 6 or 9. */
  readonly resolution?: 6 | 9;
  readonly old?: boolean;
}

/** One section with one interface. */
export function pcapngFile(packets: readonly SamplePacket[], form: PcapngForm = {}): Uint8Array {
  const { little = true, linkType = 1, resolution = 6, old = false } = form;
  const write = old ? oldPacket : enhancedPacket;
  const blocks = packets.map(({ timeUs, nanos = 0, bytes, length = bytes.length }) => {
    const ticks = resolution === 6 ? BigInt(timeUs) : BigInt(timeUs) * 1000n + BigInt(nanos);
    return write(bytes, { ticks, length }, little);
  });
  return join(section(little), interfaceBlock({ linkType, resolution }, little), ...blocks);
}

// Reading

/** A source that gives the bytes in pieces of these sizes, over and over; asynchronously or at once. */
export function inPieces(bytes: Uint8Array, sizes: readonly number[] = [65_536], later = false): ByteSource {
  let at = 0;
  let turn = 0;
  const source = {
    failure: null,
    taken: 0,
    read(into: Uint8Array): number | Promise<number> {
      const n = Math.min(sizes[turn++ % sizes.length]!, into.length, bytes.length - at);
      into.set(bytes.subarray(at, at + n));
      at += n;
      source.taken = at;
      return later ? Promise.resolve(n) : n;
    },
    close() {},
  };
  return source;
}

/** All that a capture holds. */
export interface Reading {
  readonly packets: readonly ReadPacket[];
  readonly report: SourceReport;
}

/** Reads a capture to its end. */
export async function readCapture(source: ByteSource): Promise<Reading> {
  const reader = await CaptureReader.open("sample", source);
  const packets: ReadPacket[] = [];
  do while (reader.next()) packets.push(copyPacket(reader.packet));
  while (await reader.fill());
  reader.close();
  return { packets, report: reader.report };
}

/** What every property test begins with, so that a run repeats. */
export const SEED = 20_261_122;

// Traffic

/** One packet in words: what an oracle counts by, and what a frame is made of. */
export interface Talk {
  readonly version: 4 | 6;
  /** Last byte of either address: 10.1.1.x or fd00::x. */
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of TCP. */
  readonly flags: number;
  /** Of ICMP and ICMPv6. */
  readonly icmpType: number;
  readonly laterFragment: boolean;
  /** Bytes on the wire. */
  readonly length: number;
  /** Microseconds, or -1 for none. */
  readonly timeUs: number;
}

/** Address of a talk's end, as bytes. */
export function talkAddress(version: 4 | 6, last: number): Uint8Array {
  const address = (version === 4 ? A4 : A6).slice();
  address[address.length - 1] = last;
  return address;
}

/** The talk as an Ethernet packet. */
export function talkPacket(talk: Talk): SamplePacket {
  const { version, protocol, timeUs, length } = talk;
  const upper =
    protocol === 6
      ? tcp(talk.sourcePort, talk.destinationPort, talk.flags)
      : protocol === 17
        ? udp(talk.sourcePort, talk.destinationPort)
        : icmp(talk.icmpType);
  const source = talkAddress(version, talk.source);
  const destination = talkAddress(version, talk.destination);
  if (version === 4) {
    const fragment = talk.laterFragment ? 100 : 0;
    return { timeUs, length, bytes: ethernet(ipv4(upper, { source, destination, protocol, fragment })) };
  }
  const payload = talk.laterFragment ? join(fragmentHeader(protocol, 100, true), upper) : upper;
  const nextHeader = talk.laterFragment ? 44 : protocol;
  return { timeUs, length, bytes: ethernet(ipv6(payload, { source, destination, nextHeader }), 0x86dd) };
}

/** A generator of numbers from 0 to n - 1, the same for the same seed (xorshift32). */
export function dice(seed: number): (n: number) => number {
  let state = seed | 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/** Traffic between `hosts` hosts a family: few enough ports that conversations meet again, answers, fragments, oddities. */
export function talks(seed: number, count: number, hosts = 4): Talk[] {
  const roll = dice(seed);
  const pick = <T>(...values: readonly T[]): T => values[roll(values.length)]!;
  return Array.from({ length: count }, () => {
    const version = pick<4 | 6>(4, 4, 6);
    return {
      version,
      source: roll(hosts),
      destination: roll(hosts),
      protocol: pick(6, 6, 17, 17, version === 4 ? 1 : 58, 47),
      sourcePort: pick(0, 1, 80, 80, 40_000, 65_535),
      destinationPort: pick(0, 1, 80, 80, 40_000, 65_535),
      flags: pick(0x02, 0x12, 0x10, 0x10, 0x18, 0x04),
      icmpType: pick(0, 3, 8, 128, 129),
      laterFragment: roll(8) === 0,
      length: pick(60, 60, 1514, roll(9000), 0xffff_ffff),
      timeUs: roll(20) === 0 ? -1 : roll(1000) * 1001,
    };
  });
}

/** Everything a source gives, asked for `room` bytes at a time. */
export async function drain(source: ByteSource, room = 1000): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const into = new Uint8Array(room);
    const n = await source.read(into);
    if (n === 0) return join(...pieces);
    pieces.push(into.subarray(0, n));
  }
}
