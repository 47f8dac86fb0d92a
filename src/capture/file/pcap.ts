/** Classic capture files: libpcap's format (draft-ietf-opsawg-pcap) with its relatives. */

import { type CaptureDecoder, createPacket, createReport, reportDamage } from "../packet.js";
import type { InputBuffer } from "./input.js";

/** The format by the first four bytes, read as a big-endian number. */
interface Variant {
  readonly nanoseconds: boolean;
  readonly recordHeader: number;
  /** Bytes between the file header and the first record. */
  readonly extraHeader: number;
}
const MICRO = { nanoseconds: false, recordHeader: 16, extraHeader: 0 };
const NANO = { nanoseconds: true, recordHeader: 16, extraHeader: 0 };
/** Kuznetzov's patched libpcap: 8 further bytes a record (interface index, protocol, packet type, padding). */
const MODIFIED = { nanoseconds: false, recordHeader: 24, extraHeader: 0 };
/** Ixia's lcap: nanoseconds and the length of all records after the file header. */
const IXIA = { nanoseconds: true, recordHeader: 16, extraHeader: 4 };
const VARIANTS: ReadonlyMap<number, Variant> = new Map([
  [0xa1b2c3d4, MICRO],
  [0xa1b23c4d, NANO],
  [0xa1b2cd34, MODIFIED],
  [0x1c0001ac, IXIA],
  [0x1c0001ab, IXIA],
]);

const FILE_HEADER = 24;
const VERSION = 4;
const LINK_TYPE = 20;
/** The upper bits of the link-type word carry the FCS length and class; the type is below them. */
const LINK_TYPE_MASK = 0x03ff_ffff;

/** A record is never longer, whatever its header says: libpcap's MAXIMUM_SNAPLEN, and the larger one of the link types that need it. */
const MAX_CAPLEN = 262_144;
const MAX_CAPLEN_LARGE = 128 * 1024 * 1024;
/** USB_LINUX_MMAPPED, DBUS, USBPCAP, EBHSCR. */
const LARGE_LINK_TYPES: ReadonlySet<number> = new Set([220, 231, 249, 279]);

/** Where the captured length is in a record: before the original one, since version 2.4. */
const enum LengthOrder {
  capturedFirst,
  capturedLast,
  /** Version 2.3 was written both ways: the smaller is the captured one. */
  either,
}

/** The order of the two lengths in files of a version; 543 is what DG/UX tcpdump wrote (libpcap, sf-pcap.c). */
function lengthOrder(major: number, minor: number): LengthOrder {
  if (major === 543 || (major === 2 && minor < 3)) return LengthOrder.capturedLast;
  return major === 2 && minor === 3 ? LengthOrder.either : LengthOrder.capturedFirst;
}

/** The variant and byte order that a magic number stands for, or null when it is none of pcap's. */
export function pcapVariant(magic: number): { variant: Variant; littleEndian: boolean } | null {
  const big = VARIANTS.get(magic);
  if (big) return { variant: big, littleEndian: false };
  const swapped = ((magic << 24) | ((magic & 0xff00) << 8) | ((magic >>> 8) & 0xff00) | (magic >>> 24)) >>> 0;
  const little = VARIANTS.get(swapped);
  return little ? { variant: little, littleEndian: true } : null;
}

/** Reads classic pcap of every variant from `input`, whose first bytes are the file header. */
export class PcapDecoder implements CaptureDecoder {
  readonly packet = createPacket();
  readonly report = createReport();
  stopped = false;
  readonly #input: InputBuffer;
  #begun = false;
  #littleEndian = false;
  #nanoseconds = false;
  #recordHeader = 16;
  #maxCaplen = MAX_CAPLEN;
  #lengthOrder: LengthOrder = LengthOrder.capturedFirst;

  constructor(input: InputBuffer) {
    this.#input = input;
  }

  next(): boolean {
    if (!this.#begun && !this.#begin()) return false;
    const input = this.#input;
    const at = input.position;
    const header = this.#recordHeader;
    if (this.stopped || input.end - at < header) return false;
    const view = input.view;
    const little = this.#littleEndian;
    let caplen = view.getUint32(at + 8, little);
    let length = view.getUint32(at + 12, little);
    if (
      this.#lengthOrder !== LengthOrder.capturedFirst &&
      (this.#lengthOrder === LengthOrder.capturedLast || caplen > length)
    )
      [caplen, length] = [length, caplen];
    if (caplen > this.#maxCaplen)
      return this.#stop(`record claims ${caplen} captured bytes, more than the format allows`);
    if (input.end - at - header < caplen) return false;
    const seconds = view.getUint32(at, little);
    const fraction = view.getUint32(at + 4, little);
    const packet = this.packet;
    packet.view = view;
    packet.offset = at + header;
    packet.caplen = caplen;
    packet.length = length;
    if (this.#nanoseconds) {
      packet.timeUs = seconds * 1e6 + Math.floor(fraction / 1000);
      packet.nanos = fraction % 1000;
    } else packet.timeUs = seconds * 1e6 + fraction;
    input.position = at + header + caplen;
    return true;
  }

  end(): void {
    const left = this.#input.available;
    if (this.stopped || left === 0) return;
    if (!this.#begun) this.#stop(`file header cut short: ${left} of ${FILE_HEADER} bytes`);
    else if (left < this.#recordHeader)
      this.#stop(`cut short in a record header: ${left} of ${this.#recordHeader} bytes`);
    else {
      const caplen = this.#input.view.getUint32(this.#input.position + 8, this.#littleEndian);
      this.#stop(`cut short in a packet: ${left - this.#recordHeader} of ${caplen} bytes`);
    }
  }

  #begin(): boolean {
    const { view, position, available } = this.#input;
    if (available < FILE_HEADER) return false;
    const found = pcapVariant(view.getUint32(position));
    if (!found) return this.#stop("not a capture file");
    if (available < FILE_HEADER + found.variant.extraHeader) return false;
    this.#littleEndian = found.littleEndian;
    this.#nanoseconds = found.variant.nanoseconds;
    this.#recordHeader = found.variant.recordHeader;
    const version = position + VERSION;
    this.#lengthOrder = lengthOrder(
      view.getUint16(version, found.littleEndian),
      view.getUint16(version + 2, found.littleEndian),
    );
    const linkType = view.getUint32(position + LINK_TYPE, found.littleEndian) & LINK_TYPE_MASK;
    this.packet.linkType = linkType;
    if (LARGE_LINK_TYPES.has(linkType)) this.#maxCaplen = MAX_CAPLEN_LARGE;
    this.#input.position += FILE_HEADER + found.variant.extraHeader;
    this.#begun = true;
    return true;
  }

  #stop(reason: string): false {
    this.stopped = true;
    reportDamage(this.report, { offset: this.#input.offset, reason, fatal: true });
    return false;
  }
}
