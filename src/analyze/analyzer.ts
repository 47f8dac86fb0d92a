/** Takes packets, keeps the counts that everything later is built from. The hot path of the program. */
import { type Packet, Time } from "../capture/packet.js";
import { IpProtocol } from "../net.js";
import type { Timeouts } from "./flow/ageing.js";
import { Decapsulator } from "./flow/decapsulate.js";
import { FlowTable } from "./flow/flows.js";
import { Headers, MALFORMED, Network } from "./flow/headers.js";
import { UdpTunnels } from "./flow/tunnels.js";
import { Inspector } from "./inspector.js";
import { Series } from "./series.js";

/** Conversations kept unless told otherwise. */
export const DEFAULT_MAX_FLOWS = 1_000_000;

/** Index of a packet's protocol in `Analyzer.protocols`: the IPv4 numbers, the IPv6 numbers, and what is not IP. */
export const enum ProtocolSlot {
  ipv4 = 0,
  ipv6 = 256,
  arp = 512,
  other = 513,
  count = 514,
}

/** The classes that the throughput series tells apart. */
export const SERIES_CLASSES = ["TCP", "UDP", "ICMP", "other IP", "ARP", "OTHER"] as const;
const enum SeriesClass {
  tcp = 0,
  udp = 1,
  icmp = 2,
  otherIp = 3,
  arp = 4,
  other = 5,
}

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
  /** Count packets in tunnels by the headers inside. Bytes stay those of the whole frame. */
  readonly decapsulate?: boolean;
  /** Stirs the hash of the flow table; changes no result. */
  readonly seed?: number;
  /** When names change, microseconds since 1970 in ascending order, as far as it is known beforehand. */
  readonly nameChangesUs?: readonly number[];
  /** When flows are reported and leave; none unless told: then every flow stays while there is room. */
  readonly timeouts?: Timeouts;
}

/** Counts packets. Give it each packet once, in order; ask it for its counts at any time. */
export class Analyzer {
  packets = 0;
  /** Bytes on the wire. Exact up to 2^53; beyond it is rounded, and says so in the ledger. */
  bytes = 0;
  capturedBytes = 0;
  /** Packets of which fewer bytes were captured than were on the wire. */
  truncated = 0;
  /** Packets without a time. */
  timeless = 0;
  /** Earliest and latest time in microseconds; Infinity and -Infinity before the first. */
  firstUs = Number.POSITIVE_INFINITY;
  lastUs = Number.NEGATIVE_INFINITY;
  /** The nanoseconds beyond those microseconds. */
  firstNanos = 0;
  lastNanos = 0;
  /** Packets by reason, as indexed in MALFORMED. They are OTHER in the tables. */
  readonly malformed = new Float64Array(MALFORMED.length);
  /** Packets and bytes by ProtocolSlot, in turn. */
  readonly protocols = new Float64Array(ProtocolSlot.count * 2);
  readonly flows: FlowTable;
  readonly inspector: Inspector;
  readonly series = new Series(SERIES_CLASSES.length);
  readonly udpTunnels = new UdpTunnels();
  /** null: tunnels are not entered. */
  readonly decapsulator: Decapsulator | null;
  readonly #headers = new Headers();

  constructor(options: AnalyzerOptions = {}) {
    this.decapsulator = options.decapsulate ? new Decapsulator() : null;
    this.flows = new FlowTable(options.maxFlows ?? DEFAULT_MAX_FLOWS, options.seed ?? 0, options.timeouts);
    this.inspector = new Inspector(this.flows, options.nameChangesUs);
    this.flows.observe(this.inspector);
  }

  /** Counts one packet. Borrows it; keeps nothing of it. */
  add(packet: Packet): void {
    const { caplen, length, timeUs } = packet;
    const headers = this.#headers;
    headers.decode(packet);
    if (this.decapsulator !== null) this.decapsulator.enter(packet, headers);
    this.packets++;
    this.bytes += length;
    this.capturedBytes += caplen;
    if (caplen < length) this.truncated++;
    let slot: number;
    switch (headers.network) {
      case Network.ipv4:
        slot = ProtocolSlot.ipv4 + headers.protocol;
        this.#follow(packet, headers);
        break;
      case Network.ipv6:
        slot = ProtocolSlot.ipv6 + headers.protocol;
        this.#follow(packet, headers);
        break;
      case Network.arp:
        slot = ProtocolSlot.arp;
        break;
      case Network.malformed:
        slot = ProtocolSlot.other;
        this.malformed[headers.malformed] = this.malformed[headers.malformed]! + 1;
        break;
      default:
        slot = ProtocolSlot.other;
    }
    const seriesClass = CLASS_OF_SLOT[slot]!;
    if (seriesClass === SeriesClass.udp && this.decapsulator === null)
      this.udpTunnels.note(packet.view, headers);
    const protocols = this.protocols;
    protocols[slot * 2] = protocols[slot * 2]! + 1;
    protocols[slot * 2 + 1] = protocols[slot * 2 + 1]! + length;
    if (timeUs === Time.none) {
      this.timeless++;
      return;
    }
    if (timeUs <= this.firstUs && (timeUs < this.firstUs || packet.nanos < this.firstNanos)) {
      this.firstUs = timeUs;
      this.firstNanos = packet.nanos;
    }
    if (timeUs >= this.lastUs && (timeUs > this.lastUs || packet.nanos > this.lastNanos)) {
      this.lastUs = timeUs;
      this.lastNanos = packet.nanos;
    }
    this.series.add(seriesClass, timeUs, length);
  }

  /** Counts a packet in its flow, then looks into it. */
  #follow(packet: Packet, headers: Headers): void {
    const place = this.flows.add(packet, headers);
    if (headers.transport >= 0) this.inspector.inspect(place >> 1, (place & 1) === 1, packet, headers);
  }
}
