/** Decodes an entry of connection tracking from the kernel's netlink message (linux/netfilter/nfnetlink_conntrack.h). */

import { ATTRIBUTE_TYPE, LITTLE } from "../kernel/netlink.js";
import { type ConntrackTable, EntryMeta, Value, Word } from "./conntrack-table.js";

const AF_INET6 = 10;
/** NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW. */
const CT_NEW = 0x100;
/** struct nfgenmsg: family, version, resource id. */
const NFGENMSG_BYTES = 4;

// enum ctattr_type
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_TIMEOUT = 7;
const CTA_MARK = 8;
const CTA_COUNTERS_ORIG = 9;
const CTA_COUNTERS_REPLY = 10;
const CTA_ZONE = 18;
const CTA_TIMESTAMP = 20;
// enum ctattr_tuple
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_TUPLE_ZONE = 3;
// enum ctattr_ip
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
// enum ctattr_l4proto
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_PROTO_ICMP_ID = 4;
const CTA_PROTO_ICMP_TYPE = 5;
const CTA_PROTO_ICMP_CODE = 6;
const CTA_PROTO_ICMPV6_ID = 7;
const CTA_PROTO_ICMPV6_TYPE = 8;
const CTA_PROTO_ICMPV6_CODE = 9;
/** The first attribute in what CTA_PROTOINFO holds for TCP (1), DCCP (2) and SCTP (3) is the state. */
const CTA_PROTOINFO_STATE = 1;
// enum ctattr_counters, ctattr_tstamp
const FIRST = 1;
const SECOND = 2;
const TIMESTAMP_START = 1;

const ATTRIBUTE_HEADER = 4;
const TWO_TO_32 = 0x1_0000_0000;

/** The numbers of the words that one direction's tuple fills. */
interface Direction {
  readonly source: Word;
  readonly ports: Word;
  readonly zoneShift: number;
}
const ORIG: Direction = { source: Word.origSource, ports: Word.origPorts, zoneShift: 16 };
const REPLY: Direction = { source: Word.replySource, ports: Word.replyPorts, zoneShift: 0 };

/** Decodes conntrack messages into a table, in place, without an object per attribute. */
export class ConntrackDecoder {
  /** Truncated messages. */
  malformed = 0;
  readonly table: ConntrackTable;
  /** Where the entry that is being filled begins in the table's words and numbers. */
  #words = 0;
  #numbers = 0;

  constructor(table: ConntrackTable) {
    this.table = table;
  }

  /** Adds the entry of one message; the payload starts with struct nfgenmsg. */
  take(view: DataView, start: number, end: number, type: number): void {
    if (type !== CT_NEW) return;
    const { table } = this;
    const entry = table.add();
    if (entry < 0) return;
    this.#words = entry * Word.count;
    this.#numbers = entry * Value.count;
    if (end - start >= NFGENMSG_BYTES) {
      if (view.getUint8(start) === AF_INET6) this.#or(Word.meta, EntryMeta.ipv6);
      if (this.#attributes(view, start + NFGENMSG_BYTES, end)) return;
    }
    table.truncate(entry);
    this.malformed++;
  }

  #or(word: Word, bits: number): void {
    const words = this.table.words;
    words[this.#words + word] = words[this.#words + word]! | bits;
  }

  /** False: an attribute is longer than the message. */
  #attributes(view: DataView, start: number, end: number): boolean {
    let at = start;
    while (at + ATTRIBUTE_HEADER <= end) {
      const length = view.getUint16(at, LITTLE);
      if (length < ATTRIBUTE_HEADER || length > end - at) return false;
      const type = view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE;
      if (!this.#attribute(view, type, at + ATTRIBUTE_HEADER, at + length)) return false;
      at += (length + 3) & ~3;
    }
    return true;
  }

  #attribute(view: DataView, type: number, value: number, stop: number): boolean {
    const { words, numbers } = this.table;
    const bytes = stop - value;
    switch (type) {
      case CTA_TUPLE_ORIG:
        return this.#tuple(view, value, stop, ORIG);
      case CTA_TUPLE_REPLY:
        return this.#tuple(view, value, stop, REPLY);
      case CTA_STATUS:
        if (bytes >= 4) words[this.#words + Word.status] = view.getInt32(value);
        return true;
      case CTA_PROTOINFO:
        this.#state(view, value, stop);
        return true;
      case CTA_TIMEOUT:
        if (bytes < 4) return true;
        words[this.#words + Word.timeout] = view.getInt32(value);
        this.#or(Word.meta, EntryMeta.timeout);
        return true;
      case CTA_MARK:
        if (bytes >= 4) words[this.#words + Word.mark] = view.getInt32(value);
        return true;
      case CTA_ZONE:
        if (bytes >= 2) words[this.#words + Word.zones] = view.getUint16(value) * 0x1_0001;
        return true;
      case CTA_COUNTERS_ORIG:
        counters(numbers, this.#numbers + Value.origPackets, view, value, stop);
        return true;
      case CTA_COUNTERS_REPLY:
        counters(numbers, this.#numbers + Value.replyPackets, view, value, stop);
        return true;
      case CTA_TIMESTAMP:
        this.#timestamp(view, value, stop);
    }
    return true;
  }

  #tuple(view: DataView, start: number, end: number, direction: Direction): boolean {
    if (isPlainTuple(view, start, end)) {
      const { words } = this.table;
      words[this.#words + direction.source] = view.getInt32(start + 8);
      words[this.#words + direction.source + 4] = view.getInt32(start + 16);
      words[this.#words + direction.ports] = (view.getUint16(start + 36) << 16) | view.getUint16(start + 44);
      this.#or(Word.meta, view.getUint8(start + 28) | EntryMeta.ports);
      return true;
    }
    let at = start;
    while (at + ATTRIBUTE_HEADER <= end) {
      const length = view.getUint16(at, LITTLE);
      if (length < ATTRIBUTE_HEADER || length > end - at) return false;
      const value = at + ATTRIBUTE_HEADER;
      switch (view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE) {
        case CTA_TUPLE_IP:
          if (!this.#addresses(view, value, at + length, direction)) return false;
          break;
        case CTA_TUPLE_PROTO:
          if (!this.#protocol(view, value, at + length, direction)) return false;
          break;
        case CTA_TUPLE_ZONE:
          if (length >= 6) this.#or(Word.zones, view.getUint16(value) << direction.zoneShift);
      }
      at += (length + 3) & ~3;
    }
    return true;
  }

  #addresses(view: DataView, start: number, end: number, direction: Direction): boolean {
    const words = this.table.words;
    const source = this.#words + direction.source;
    let at = start;
    while (at + ATTRIBUTE_HEADER <= end) {
      const length = view.getUint16(at, LITTLE);
      if (length < ATTRIBUTE_HEADER || length > end - at) return false;
      const value = at + ATTRIBUTE_HEADER;
      const type = view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE;
      if (length === 8 && (type === CTA_IP_V4_SRC || type === CTA_IP_V4_DST)) {
        words[type === CTA_IP_V4_SRC ? source : source + 4] = view.getInt32(value);
      } else if (length === 20 && (type === CTA_IP_V6_SRC || type === CTA_IP_V6_DST)) {
        const to = type === CTA_IP_V6_SRC ? source : source + 4;
        for (let i = 0; i < 4; i++) words[to + i] = view.getInt32(value + 4 * i);
      }
      at += (length + 3) & ~3;
    }
    return true;
  }

  #protocol(view: DataView, start: number, end: number, direction: Direction): boolean {
    let ports = 0;
    let meta = 0;
    let at = start;
    while (at + ATTRIBUTE_HEADER <= end) {
      const length = view.getUint16(at, LITTLE);
      if (length <= ATTRIBUTE_HEADER || length > end - at) return false;
      const value = at + ATTRIBUTE_HEADER;
      const number = length >= 6 ? view.getUint16(value) : view.getUint8(value);
      switch (view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE) {
        case CTA_PROTO_NUM:
          meta |= view.getUint8(value);
          break;
        case CTA_PROTO_SRC_PORT:
          ports |= number << 16;
          meta |= EntryMeta.ports;
          break;
        case CTA_PROTO_DST_PORT:
          ports |= number;
          break;
        case CTA_PROTO_ICMP_ID:
        case CTA_PROTO_ICMPV6_ID:
          ports |= number << 16;
          meta |= EntryMeta.icmp;
          break;
        case CTA_PROTO_ICMP_TYPE:
        case CTA_PROTO_ICMPV6_TYPE:
          ports |= view.getUint8(value) << 8;
          break;
        case CTA_PROTO_ICMP_CODE:
        case CTA_PROTO_ICMPV6_CODE:
          ports |= view.getUint8(value);
      }
      at += (length + 3) & ~3;
    }
    this.table.words[this.#words + direction.ports] = ports;
    this.#or(Word.meta, meta);
    return true;
  }

  /** CTA_PROTOINFO holds one attribute, of the protocol, whose first holds the state in one byte. */
  #state(view: DataView, start: number, end: number): void {
    const at = start + ATTRIBUTE_HEADER;
    if (at + ATTRIBUTE_HEADER + 1 > end) return;
    if ((view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE) !== CTA_PROTOINFO_STATE) return;
    this.#or(Word.meta, view.getUint8(at + ATTRIBUTE_HEADER) << EntryMeta.stateShift);
  }

  #timestamp(view: DataView, start: number, end: number): void {
    if (start + 12 > end || (view.getUint16(start + 2, LITTLE) & ATTRIBUTE_TYPE) !== TIMESTAMP_START) return;
    const nanoseconds = view.getBigUint64(start + ATTRIBUTE_HEADER);
    this.table.numbers[this.#numbers + Value.startUs] = Number(nanoseconds / 1000n);
  }
}

/**
 * Whether a tuple is laid out as every kernel lays out IPv4 with ports: both addresses, protocol, both ports. Most are;
 * reading fixed offsets instead of walking the attributes halves the cost of an entry. Any other layout is walked.
 */
function isPlainTuple(view: DataView, start: number, end: number): boolean {
  return (
    end - start === 48 &&
    view.getUint32(start, LITTLE) === 0x8001_0014 && // length 20, CTA_TUPLE_IP, nested
    view.getUint32(start + 4, LITTLE) === 0x1_0008 && // CTA_IP_V4_SRC
    view.getUint32(start + 12, LITTLE) === 0x2_0008 && // CTA_IP_V4_DST
    view.getUint32(start + 20, LITTLE) === 0x8002_001c && // length 28, CTA_TUPLE_PROTO, nested
    view.getUint32(start + 24, LITTLE) === 0x1_0005 && // CTA_PROTO_NUM
    view.getUint32(start + 32, LITTLE) === 0x2_0006 && // CTA_PROTO_SRC_PORT
    view.getUint32(start + 40, LITTLE) === 0x3_0006 // CTA_PROTO_DST_PORT
  );
}

/** Packets, then bytes: 64 bits each, exact up to 2^53. */
function counters(numbers: Float64Array, to: number, view: DataView, start: number, end: number): void {
  let at = start;
  while (at + ATTRIBUTE_HEADER <= end) {
    const length = view.getUint16(at, LITTLE);
    if (length < ATTRIBUTE_HEADER || length > end - at) return;
    const type = view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE;
    if (length === 12 && (type === FIRST || type === SECOND))
      numbers[to + type - FIRST] = view.getUint32(at + 4) * TWO_TO_32 + view.getUint32(at + 8);
    at += (length + 3) & ~3;
  }
}
