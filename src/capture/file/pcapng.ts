/** pcapng capture files (draft-ietf-opsawg-pcapng): several sections, interfaces and clocks in one stream. */
import { formatAddress } from "../../net.js";
import {
  type CaptureDecoder,
  createPacket,
  createReport,
  MAX_TIME_US,
  type Packet,
  reportDamage,
  type SourceReport,
  Time,
} from "../packet.js";
import type { InputBuffer } from "./input.js";

const enum Block {
  sectionHeader = 0x0a0d0d0a,
  interfaceDescription = 1,
  packet = 2,
  simplePacket = 3,
  nameResolution = 4,
  interfaceStatistics = 5,
  enhancedPacket = 6,
}

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and length before the body, the length once more behind it. */
const BLOCK_HEAD = 8;
const BLOCK_OVERHEAD = 12;
/** A block that must be held whole is not longer; Wireshark has the same bound. */
const MAX_BLOCK = 16 * 1024 * 1024;
const MAX_INTERFACES = 1 << 20;
const MAX_NAMES = 65_536;
const MAX_NAME_LENGTH = 255;

const enum Option {
  end = 0,
  tsresol = 9,
  tsoffset = 14,
  isbIfdrop = 5,
  isbOsdrop = 7,
}

/** What is needed to read the packets of an interface. Interfaces with the same values share one. */
interface Interface {
  readonly linkType: number;
  readonly snaplen: number;
  /** if_tsresol as in the file: a power of ten, or with the top bit set, of two. */
  readonly resolution: number;
  readonly offsetUs: number;
}

/** Reads pcapng from `input`, whose first bytes are a section header. */
export class PcapngDecoder implements CaptureDecoder {
  readonly packet = createPacket();
  readonly report: SourceReport = createReport();
  stopped = false;
  readonly #input: InputBuffer;
  #littleEndian = false;
  #interfaces: Interface[] = [];
  /** Of this section. */
  readonly #sharedInterfaces = new Map<string, Interface>();
  /** Drops by interface of this section: statistics count from its start, so a later block replaces an earlier. */
  readonly #drops = new Map<number, number>();

  constructor(input: InputBuffer) {
    this.#input = input;
  }

  next(): boolean {
    const input = this.#input;
    while (!this.stopped && input.skipping === 0 && input.available >= BLOCK_OVERHEAD) {
      const at = input.position;
      const type = input.view.getUint32(at, this.#littleEndian);
      if (type === Block.sectionHeader && !this.#readByteOrder(at)) return false;
      const length = input.view.getUint32(at + 4, this.#littleEndian);
      if (length < BLOCK_OVERHEAD || (length & 3) !== 0)
        return this.#stop(`block claims an impossible length of ${length} B`);
      if (type !== Block.sectionHeader && (type === 0 || type > Block.enhancedPacket)) {
        input.skip(length);
        continue;
      }
      if (length > MAX_BLOCK) return this.#stop(`block claims ${length} bytes, more than ${MAX_BLOCK}`);
      if (input.available < length) return false;
      if (input.view.getUint32(at + length - 4, this.#littleEndian) !== length)
        this.#warn("block lengths at its start and end differ");
      const isPacket = this.#readBlock(type, at + BLOCK_HEAD, at + length - 4);
      if (this.stopped) return false;
      input.position = at + length;
      if (isPacket) return true;
    }
    return false;
  }

  end(): void {
    const left = this.#input.available;
    if (this.stopped || (left === 0 && this.#input.skipping === 0)) return;
    this.#stop(
      left < BLOCK_OVERHEAD
        ? `cut short in a block: ${left} of ${BLOCK_OVERHEAD} bytes`
        : "cut short in a block",
    );
  }

  /** Body from `at` to `end`. True when `packet` now holds a packet. */
  #readBlock(type: number, at: number, end: number): boolean {
    switch (type) {
      case Block.enhancedPacket:
        return end - at < 20
          ? this.#warn("packet block too short")
          : this.#readPacket(at, at + 20, end, this.#u32(at));
      case Block.packet: // obsolete: 16-bit interface number, then a drop count
        return end - at < 20
          ? this.#warn("packet block too short")
          : this.#readPacket(at, at + 20, end, this.#input.view.getUint16(at, this.#littleEndian));
      case Block.simplePacket:
        return this.#readSimplePacket(at, end);
      case Block.sectionHeader:
        this.#readSection(at, end);
        return false;
      case Block.interfaceDescription:
        this.#readInterface(at, end);
        return false;
      case Block.nameResolution:
        this.#readNames(at, end);
        return false;
      default:
        this.#readStatistics(at, end);
        return false;
    }
  }

  #readByteOrder(at: number): boolean {
    const magic = this.#input.view.getUint32(at + BLOCK_HEAD);
    if (magic === BYTE_ORDER_MAGIC) this.#littleEndian = false;
    else if (magic === 0x4d3c2b1a) this.#littleEndian = true;
    else return this.#stop("section header with a wrong byte-order magic");
    return true;
  }

  #readSection(at: number, end: number): void {
    if (end - at < 16) {
      this.#stop("section header too short");
      return;
    }
    const major = this.#input.view.getUint16(at + 4, this.#littleEndian);
    if (major !== 1) {
      this.#stop(`pcapng version ${major} is not known`);
      return;
    }
    this.#drops.clear();
    this.#sharedInterfaces.clear();
    this.#interfaces = [];
  }

  #readInterface(at: number, end: number): void {
    if (end - at < 8) {
      this.#warn("interface block too short");
      return;
    }
    if (this.#interfaces.length >= MAX_INTERFACES) {
      this.#stop(`more than ${MAX_INTERFACES} interfaces`);
      return;
    }
    const view = this.#input.view;
    const linkType = view.getUint16(at, this.#littleEndian);
    const snaplen = this.#u32(at + 4);
    let resolution = 6;
    let offsetUs = 0;
    this.#readOptions(at + 8, end, (code, value, length) => {
      if (code === Option.tsresol && length === 1) resolution = view.getUint8(value);
      if (code === Option.tsoffset && length === 8)
        offsetUs = Number(view.getBigInt64(value, this.#littleEndian)) * 1e6;
    });
    const key = `${linkType}/${snaplen}/${resolution}/${offsetUs}`;
    let shared = this.#sharedInterfaces.get(key);
    if (!shared) {
      shared = { linkType, snaplen, resolution, offsetUs };
      this.#sharedInterfaces.set(key, shared);
    }
    this.#interfaces.push(shared);
  }

  /** Enhanced and old packet blocks agree from the time on. */
  #readPacket(at: number, data: number, end: number, interfaceId: number): boolean {
    const iface = this.#interfaces[interfaceId];
    if (!iface) return this.#warn(`packet of interface ${interfaceId}, which the section does not describe`);
    const caplen = this.#u32(at + 12);
    if (caplen > end - data)
      return this.#warn(`packet claims ${caplen} captured bytes in a block with room for ${end - data}`);
    this.#setPacket(iface, data, caplen, this.#u32(at + 16));
    const high = this.#u32(at + 4);
    const low = this.#u32(at + 8);
    this.packet.timeUs = timeUs(high, low, iface);
    this.packet.nanos = iface.resolution === 9 ? (high * 296 + low) % 1000 : 0;
    return true;
  }

  /** Has no time; its captured length follows from the block's length. */
  #readSimplePacket(at: number, end: number): boolean {
    const iface = this.#interfaces[0];
    if (!iface) return this.#warn("simple packet in a section without an interface");
    if (end - at < 4) return this.#warn("packet block too short");
    const length = this.#u32(at);
    const limit = iface.snaplen === 0 ? length : Math.min(length, iface.snaplen);
    this.#setPacket(iface, at + 4, Math.min(limit, end - at - 4), length);
    this.packet.timeUs = Time.none;
    this.packet.nanos = 0;
    return true;
  }

  #setPacket(iface: Interface, offset: number, caplen: number, length: number): void {
    const packet: Packet = this.packet;
    packet.view = this.#input.view;
    packet.offset = offset;
    packet.caplen = caplen;
    packet.length = length;
    packet.linkType = iface.linkType;
  }

  /** Records of {type, length, value padded to 4}: an address and the names it has, each ended by NUL. */
  #readNames(at: number, end: number): void {
    const { view, bytes } = this.#input;
    let position = at;
    while (position + 4 <= end) {
      const type = view.getUint16(position, this.#littleEndian);
      const length = view.getUint16(position + 2, this.#littleEndian);
      const value = position + 4;
      if (type === 0) return;
      if (value + length > end) {
        this.#warn("name record past the end of its block");
        return;
      }
      const addressLength = type === 1 ? 4 : type === 2 ? 16 : 0;
      const text = value + addressLength;
      const longest = bytes.subarray(text, Math.min(value + length, text + MAX_NAME_LENGTH));
      const nul = longest.indexOf(0);
      const name = nul < 0 ? longest : longest.subarray(0, nul);
      if (addressLength > 0 && name.length > 0 && this.report.names.length < MAX_NAMES) {
        const address = formatAddress(bytes.subarray(value, text));
        this.report.names.push({ address, name: new TextDecoder().decode(name) });
      }
      position = value + ((length + 3) & ~3);
    }
  }

  #readStatistics(at: number, end: number): void {
    if (end - at < 12) {
      this.#warn("statistics block too short");
      return;
    }
    let drops: number | null = null;
    this.#readOptions(at + 12, end, (code, value, length) => {
      if ((code === Option.isbIfdrop || code === Option.isbOsdrop) && length === 8) {
        drops = (drops ?? 0) + Number(this.#input.view.getBigUint64(value, this.#littleEndian));
      }
    });
    const interfaceId = this.#u32(at);
    if (drops === null || interfaceId >= this.#interfaces.length) return;
    this.report.dropped = (this.report.dropped ?? 0) + drops - (this.#drops.get(interfaceId) ?? 0);
    this.#drops.set(interfaceId, drops);
  }

  /** Calls `visit` with where each option's value is. Stops at the end mark; notes damage at an overrun. */
  #readOptions(at: number, end: number, visit: (code: number, value: number, length: number) => void): void {
    const view = this.#input.view;
    let position = at;
    while (position + 4 <= end) {
      const code = view.getUint16(position, this.#littleEndian);
      const length = view.getUint16(position + 2, this.#littleEndian);
      if (code === Option.end) return;
      if (position + 4 + length > end) {
        this.#warn("option past the end of its block");
        return;
      }
      visit(code, position + 4, length);
      position += 4 + ((length + 3) & ~3);
    }
  }

  #u32(at: number): number {
    return this.#input.view.getUint32(at, this.#littleEndian);
  }

  #warn(reason: string): false {
    reportDamage(this.report, { offset: this.#input.offset, reason, fatal: false });
    return false;
  }

  #stop(reason: string): false {
    this.stopped = true;
    reportDamage(this.report, { offset: this.#input.offset, reason, fatal: true });
    return false;
  }
}

const TWO_32 = 4_294_967_296;

/** A 64-bit count of clock ticks as whole microseconds, rounded down, kept within what is exact. */
function timeUs(high: number, low: number, iface: Interface): number {
  const us = ticksToUs(high, low, iface.resolution) + iface.offsetUs;
  return Math.min(Math.max(us, 0), MAX_TIME_US);
}

function ticksToUs(high: number, low: number, resolution: number): number {
  if (resolution === 6) return high * TWO_32 + low;
  if (resolution === 9) return high * 4_294_967 + Math.floor((high * 296 + low) / 1000); // 2^32 = 4294967 * 1000 + 296
  if (resolution < 6) return (high * TWO_32 + low) * 10 ** (6 - resolution);
  // Rare clocks: exact, but slow.
  const ticks = (BigInt(high) << 32n) | BigInt(low);
  const perSecond = resolution & 0x80 ? 1n << BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
  return Number((ticks * 1_000_000n) / perSecond);
}
