/** Counts packets: the base of all results. The hot path of the program. */
import type { Packet } from "../capture/packet.js";
import { IpProtocol, LinkType } from "../net.js";
import { Core, type CoreHost, type Exports, rowAt } from "./core/core.js";
import {
  Batch,
  Cell,
  Mark,
  MarkShift,
  Meta,
  Place,
  ProtocolSlot,
  Row,
  SeriesClass,
  Total,
} from "./core/layout.js";
import type { Timeouts } from "./flow/ageing.js";
import { Decapsulator } from "./flow/decapsulate.js";
import { FlowTable } from "./flow/flows.js";
import { Headers, MALFORMED, Network } from "./flow/headers.js";
import { UdpTunnels } from "./flow/tunnels.js";
import { Inspector } from "./inspector.js";
import { Series } from "./series.js";

/** Conversations kept unless told otherwise. */
export const DEFAULT_MAX_FLOWS = 1_000_000;
/** TCP connections kept unless told otherwise. */
const DEFAULT_MAX_CONNECTIONS = 262_144;

/** The classes that the throughput series tells apart, by SeriesClass. */
export const SERIES_CLASSES = ["TCP", "UDP", "ICMP", "other IP", "ARP", "OTHER"] as const;
/** Class of every protocol slot. */
const CLASS_OF_SLOT = Uint8Array.from({ length: ProtocolSlot.count }, (_, slot) => {
  if (slot === ProtocolSlot.arp) return SeriesClass.arp;
  if (slot === ProtocolSlot.other) return SeriesClass.other;
  switch (slot & 0xff) {
    case IpProtocol.tcp:
      return SeriesClass.tcp;
    case IpProtocol.udp:
      return SeriesClass.udp;
    default:
      return slot === IpProtocol.icmp || slot === ProtocolSlot.ipv6 + IpProtocol.icmpv6
        ? SeriesClass.icmp
        : SeriesClass.otherIp;
  }
});

export interface AnalyzerOptions {
  /** Conversations kept; the rest is counted as `other`. */
  readonly maxFlows?: number;
  /** TCP connections kept; of those beyond, only packets and bytes are counted. */
  readonly maxConnections?: number;
  /** Count packets in tunnels by the headers inside. Bytes stay those of the whole frame. */
  readonly decapsulate?: boolean;
  /** Seed of the flow table's hash; changes no result. */
  readonly seed?: number;
  /** Known times at which names change, microseconds since 1970, ascending. */
  readonly nameChangesUs?: readonly number[];
  /** When flows are reported and leave; none unless told: then every flow stays while there is room. */
  readonly timeouts?: Timeouts;
  /** What counts in the core's memory. Absent: the compiled core. */
  readonly openCore?: (core: Core, host: CoreHost) => Exports;
}

/** Longest TCP header (RFC 9293 3.1). */
const TCP_HEADER = 60;
const ICMP_ECHO = 8;
const ICMPV6_ECHO = 128;
const NOTHING = new DataView(new ArrayBuffer(0));

/**
 * Counts packets. Give it each packet once, in order; ask it for its counts at any time. Packets are counted in batches, by the core: those
 * given stay where they are until `flush`, or until anything is asked.
 */
export class Analyzer {
  readonly #malformed = new Float64Array(MALFORMED.length);
  readonly #udpTunnels = new UdpTunnels();
  /** null: tunnels are not entered. */
  readonly decapsulator: Decapsulator | null;
  readonly #core: Core;
  readonly #flows: FlowTable;
  readonly #inspector: Inspector;
  readonly #series: Series;
  readonly #headers = new Headers();
  /** Packets of the batch at hand; which of them lie in the core's memory, a bit each; and the views they lie in. */
  #count = 0;
  #here = 0;
  readonly #views: DataView[] = Array.from({ length: Batch.rows }, () => NOTHING);
  /** The view of the last packet, and where it begins in the core's memory; negative: it is not there. */
  #view: DataView = NOTHING;
  #viewAt = -1;
  readonly #packet: Packet = {
    view: NOTHING,
    offset: 0,
    caplen: 0,
    length: 0,
    timeUs: 0,
    nanos: 0,
    linkType: LinkType.ethernet,
  };

  /** Throws RangeError where there is no room for so many conversations. */
  constructor(options: AnalyzerOptions = {}) {
    this.decapsulator = options.decapsulate ? new Decapsulator() : null;
    const { maxFlows = DEFAULT_MAX_FLOWS, maxConnections = DEFAULT_MAX_CONNECTIONS } = options;
    const host: CoreHost = {
      moveSeries: (timeUs) => this.#moveSeries(timeUs),
      evictFlows: () => this.#flows.makeRoom(),
      expireFlow: (place, isIpv6) => this.#flows.expire(isIpv6 ? this.#flows.ipv6 : this.#flows.ipv4, place),
      evictConnections: () => this.#inspector.makeRoom(),
      conclude: (connection) => this.#inspector.conclude(connection),
      follow: (row, connection) => this.#inspector.follow(this.#views[row]!, row, connection),
      datagram: (row) => this.#inspector.datagram(this.#views[row]!, row),
    };
    const core = new Core({ maxFlows, maxConnections }, options.seed ?? 0, host, options.openCore);
    this.#core = core;
    this.#flows = new FlowTable(core, () => this.flush(), options.timeouts);
    this.#inspector = new Inspector(this.#flows, core, options.nameChangesUs);
    this.#flows.observe(this.#inspector);
    const classes = SERIES_CLASSES.length;
    this.#series = new Series(classes, core.doubles.subarray(Place.series / 8, Place.rows / 8));
  }

  /** Packets by reason, as indexed in MALFORMED. They are OTHER in the tables. */
  get malformed(): Float64Array {
    this.flush();
    return this.#malformed;
  }

  get udpTunnels(): UdpTunnels {
    this.flush();
    return this.#udpTunnels;
  }

  get flows(): FlowTable {
    this.flush();
    return this.#flows;
  }

  get inspector(): Inspector {
    this.flush();
    return this.#inspector;
  }

  get series(): Series {
    this.flush();
    return this.#series;
  }

  /** Packets and bytes by ProtocolSlot, in turn. */
  get protocols(): Float64Array {
    this.flush();
    return this.#core.doubles.subarray(Place.protocols / 8, Place.protocols / 8 + ProtocolSlot.count * 2);
  }

  get packets(): number {
    return this.#total(Total.packets);
  }

  /** Bytes on the wire. Exact up to 2^53; beyond it is rounded, and says so in the ledger. */
  get bytes(): number {
    return this.#total(Total.bytes);
  }

  get capturedBytes(): number {
    return this.#total(Total.capturedBytes);
  }

  /** Packets of which fewer bytes were captured than were on the wire. */
  get truncated(): number {
    return this.#total(Total.truncated);
  }

  /** Packets without a time. */
  get timeless(): number {
    return this.#total(Total.timeless);
  }

  /** Earliest and latest time in microseconds; Infinity and -Infinity before the first. */
  get firstUs(): number {
    return this.#total(Total.firstUs);
  }

  get lastUs(): number {
    return this.#total(Total.lastUs);
  }

  /** The nanoseconds beyond those microseconds. */
  get firstNanos(): number {
    this.flush();
    return this.#core.cells[Cell.firstNanos]!;
  }

  get lastNanos(): number {
    this.flush();
    return this.#core.cells[Cell.lastNanos]!;
  }

  #total(which: Total): number {
    this.flush();
    return this.#core.totals[which]!;
  }

  /** Memory for the source of number `i`: packets that lie in it are counted faster. undefined: there is none for it. */
  room(i: number, bytes: number): Uint8Array | undefined {
    return this.#core.room(i, bytes);
  }

  /** Counts one packet. Borrows its bytes until `flush`. */
  add(packet: Packet): void {
    if (this.#flows.ages) this.#flows.pass(packet.timeUs);
    const i = this.#count++;
    const { view } = packet;
    if (view !== this.#view) this.#lookAt(view);
    const { words, doubles } = this.#core;
    const row = rowAt(i);
    doubles[(row + Row.timeUs) >> 3] = packet.timeUs;
    doubles[(row + Row.length) >> 3] = packet.length;
    words[(row + Row.nanos) >> 2] = packet.nanos;
    words[(row + Row.caplen) >> 2] = packet.caplen;
    if (this.#viewAt >= 0 && packet.linkType === LinkType.ethernet && this.decapsulator === null) {
      words[(row + Row.offset) >> 2] = this.#viewAt + packet.offset;
      this.#views[i] = this.#core.view;
      this.#here |= 1 << i;
    } else {
      this.#views[i] = view;
      this.#read(packet, row);
    }
    if (i === Batch.rows - 1 || this.#flows.ages) this.flush();
  }

  /** Counts what was added: what those packets lay in may be used again. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    const here = this.#here;
    this.#count = 0;
    this.#here = 0;
    const core = this.#core;
    if (here !== 0) {
      for (let left = core.decode(count, here); left !== 0; left &= left - 1)
        this.#readHere(31 - Math.clz32(left & -left));
    }
    core.run(count);
  }

  #lookAt(view: DataView): void {
    this.#view = view;
    this.#viewAt = view.buffer === this.#core.bytes.buffer ? view.byteOffset : -1;
  }

  /** Reads the headers of a packet that lies in the core's memory, and that the core has left. */
  #readHere(i: number): void {
    const { words, doubles } = this.#core;
    const row = rowAt(i);
    const packet = this.#packet;
    packet.view = this.#core.view;
    packet.offset = words[(row + Row.offset) >> 2]!;
    packet.caplen = words[(row + Row.caplen) >> 2]!;
    packet.length = doubles[(row + Row.length) >> 3]!;
    this.#read(packet, row);
  }

  /** Reads the headers of a packet into its row. */
  #read(packet: Packet, row: number): void {
    const headers = this.#headers;
    headers.decode(packet);
    if (this.decapsulator !== null) this.decapsulator.enter(packet, headers);
    let slot: number = ProtocolSlot.other;
    let marks = 0;
    switch (headers.network) {
      case Network.ipv4:
        slot = ProtocolSlot.ipv4 + headers.protocol;
        marks = this.#readFlow(packet.view, headers, row);
        break;
      case Network.ipv6:
        slot = ProtocolSlot.ipv6 + headers.protocol;
        marks = this.#readFlow(packet.view, headers, row) | Mark.ipv6;
        break;
      case Network.arp:
        slot = ProtocolSlot.arp;
        break;
      case Network.malformed:
        this.#malformed[headers.malformed]!++;
        break;
    }
    const seriesClass = CLASS_OF_SLOT[slot]!;
    if (seriesClass === SeriesClass.udp && this.decapsulator === null)
      this.#udpTunnels.note(packet.view, headers);
    const { words } = this.#core;
    words[(row + Row.slot) >> 2] = slot;
    words[(row + Row.marks) >> 2] = marks | (seriesClass << MarkShift.seriesClass);
  }

  /** Reads what is counted by flow and by connection. */
  #readFlow(view: DataView, headers: Headers, row: number): number {
    const { words, bytes } = this.#core;
    const { protocol, transport, payload, end } = headers;
    const isIpv4 = headers.network === Network.ipv4;
    words[(row + Row.meta) >> 2] = headers.hasPorts ? protocol : protocol | Meta.portless;
    words[(row + Row.sentPorts) >> 2] = (headers.sourcePort << 16) | headers.destinationPort;
    words[(row + Row.addresses) >> 2] = row + Row.addressCopy;
    copy(view, headers.ip + (isIpv4 ? 12 : 8), bytes, row + Row.addressCopy, isIpv4 ? 8 : 32);
    let marks = Mark.flow | (headers.tcpFlags << MarkShift.flags);
    if (headers.icmpType === (protocol === IpProtocol.icmp ? ICMP_ECHO : ICMPV6_ECHO)) marks |= Mark.request;
    if (transport < 0) return marks;
    marks |= Mark.whole;
    words[(row + Row.payload) >> 2] = payload;
    words[(row + Row.end) >> 2] = end;
    words[(row + Row.payloadLength) >> 2] = headers.payloadLength;
    if (protocol === IpProtocol.udp) return payload < end ? marks | Mark.datagram : marks;
    if (headers.payloadLength < 0) return marks;
    const header = Math.min(payload, end) - transport;
    copy(view, transport, bytes, row + Row.headerCopy, Math.min(header, TCP_HEADER));
    words[(row + Row.transport) >> 2] = row + Row.headerCopy;
    words[(row + Row.headerEnd) >> 2] = row + Row.headerCopy + header;
    return marks | Mark.segment;
  }

  #moveSeries(timeUs: number): void {
    const series = this.#series;
    series.moveTo(timeUs);
    const { totals, cells } = this.#core;
    totals[Total.stepStart] = series.currentStart;
    totals[Total.stepEnd] = series.currentEnd;
    cells[Cell.step] = series.currentCell;
  }
}

function copy(from: DataView, at: number, to: Uint8Array, toAt: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) to[toAt + i] = from.getUint8(at + i);
}
