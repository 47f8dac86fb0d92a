/**
 * Decodes the headers of one packet into a reused view: the outermost IP header, after the link header and VLAN
 * tags alone, and the transport header behind it. LLC, PPPoE and MPLS are not entered, nor are tunnels here: see decapsulate.ts.
 */
import { nflogPayload } from "../../capture/nflog.js";
import type { Packet } from "../../capture/packet.js";
import { EtherType, IpProtocol, LinkType } from "../../net.js";

/** Kind of a packet at the network layer. */
export const enum Network {
  other = 0,
  arp = 1,
  ipv4 = 2,
  ipv6 = 3,
  malformed = 4,
}

/** Why a packet that claims to be IP is not counted as IP. */
export const MALFORMED = [
  "",
  "ip-header-short",
  "ip-version",
  "ip-header-length",
  "ip-total-length",
] as const;
const enum Malformed {
  short = 1,
  version = 2,
  headerLength = 3,
  totalLength = 4,
}

export const enum Fragment {
  none = 0,
  first = 1,
  later = 2,
}

/** Offsets and lengths in bytes. */
const enum Ethernet {
  header = 14,
  type = 12,
  vlanTag = 4,
}
/** tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and LINKTYPE_LINUX_SLL2.html */
const enum Sll {
  header = 16,
  arphrd = 2,
  protocol = 14,
}
const enum Sll2 {
  header = 20,
  protocol = 0,
  arphrd = 8,
}
/** RFC 791 3.1 */
const enum Ipv4 {
  header = 20,
  totalLength = 2,
  fragment = 6,
  protocol = 9,
}
/** RFC 8200 3 */
const enum Ipv6 {
  header = 40,
  payloadLength = 4,
  nextHeader = 6,
}
/** RFC 9293 3.1 */
const enum Tcp {
  header = 20,
  offset = 12,
  flags = 13,
}
/** RFC 768 */
const enum Udp {
  header = 8,
}

/** ARPHRD_ values whose protocol field is no EtherType: netlink, radiotap, Frame Relay. */
const ARPHRD_OTHER: ReadonlySet<number> = new Set([824, 803, 770]);
/** AF_INET6 of Linux, NetBSD and OpenBSD, BSD/OS, FreeBSD, macOS: the null link type carries the writer's own number. */
const AF_INET = 2;
const AF_INET6: ReadonlySet<number> = new Set([10, 23, 24, 28, 30]);

/** The decoded view. Every field holds for the packet last given to `decode`, within its `network`'s meaning. */
export class Headers {
  network: Network = Network.other;
  /** Index into MALFORMED; 0 when nothing is wrong. */
  malformed = 0;
  /** Start of the IP header in the packet's view. */
  ip = 0;
  /** IP protocol number of the upper layer. */
  protocol = 0;
  fragment = 0;
  /** Whether the two ports were there to read. Both are 0 otherwise. */
  hasPorts = false;
  sourcePort = 0;
  destinationPort = 0;
  /** TCP's flag byte, or 0. */
  tcpFlags = 0;
  /** ICMP and ICMPv6 type, or -1. */
  icmpType = -1;
  /** Start of a whole TCP or UDP header in the packet's view, not of a fragment; -1: there is none. */
  transport = -1;
  /**
   * Start of what it carries, behind TCP's options; a first fragment of UDP has it too, and so has what is neither TCP, UDP nor ICMP: behind
   * the IP headers. It and what follows hold where it is below `end`.
   */
  payload = 0;
  /** End of what was captured of the IP packet. */
  end = 0;
  /** Bytes carried, captured or not; negative: the IP packet ends within the TCP header. */
  payloadLength = 0;

  /** Reads the packet's headers into this view. Never throws; never reads outside the captured bytes. */
  decode(packet: Packet): void {
    const view = packet.view;
    const start = packet.offset;
    const end = start + packet.caplen;
    this.network = Network.other;
    this.malformed = 0;
    this.transport = -1;
    let at = start;
    let type = 0;
    switch (packet.linkType) {
      case LinkType.ethernet:
        at += Ethernet.header;
        if (at > end) return;
        type = view.getUint16(start + Ethernet.type);
        break;
      case LinkType.linuxSll:
        at += Sll.header;
        if (at > end || ARPHRD_OTHER.has(view.getUint16(start + Sll.arphrd))) return;
        type = view.getUint16(start + Sll.protocol);
        break;
      case LinkType.linuxSll2:
        at += Sll2.header;
        if (at > end || ARPHRD_OTHER.has(view.getUint16(start + Sll2.arphrd))) return;
        type = view.getUint16(start + Sll2.protocol);
        break;
      case LinkType.raw:
      case LinkType.rawBsd:
      case LinkType.rawOpenBsd: {
        if (at >= end) return;
        type = typeOfVersion(view.getUint8(at));
        break;
      }
      case LinkType.nflog: {
        at = nflogPayload(view, start, end);
        if (at < 0 || at >= end) return;
        const family = view.getUint8(start);
        if (family === AF_INET) type = EtherType.ipv4;
        else type = AF_INET6.has(family) ? EtherType.ipv6 : typeOfVersion(view.getUint8(at));
        break;
      }
      case LinkType.ipv4:
        type = EtherType.ipv4;
        break;
      case LinkType.ipv6:
        type = EtherType.ipv6;
        break;
      case LinkType.null:
      case LinkType.loop:
        at += 4;
        if (at > end) return;
        type = typeOfFamily(view, start, packet.linkType);
        break;
      default:
        return;
    }
    while (
      type === EtherType.vlan ||
      type === EtherType.qinq ||
      type === EtherType.qinqOld1 ||
      type === EtherType.qinqOld2
    ) {
      if (at + Ethernet.vlanTag > end) return;
      type = view.getUint16(at + 2);
      at += Ethernet.vlanTag;
    }
    const sent = start + packet.length;
    if (type === EtherType.ipv4) this.#decodeIpv4(view, at, end, sent);
    else if (type === EtherType.ipv6) this.#decodeIpv6(view, at, end, sent);
    else if (type === EtherType.arp) this.network = Network.arp;
  }

  /** `end`: of what was captured; `sent`: of what was on the wire. */
  #decodeIpv4(view: DataView, at: number, end: number, sent: number): void {
    if (at + Ipv4.header > end) {
      this.#setMalformed(Malformed.short);
      return;
    }
    const first = view.getUint8(at);
    if (first >> 4 !== 4) {
      this.#setMalformed(Malformed.version);
      return;
    }
    const headerLength = (first & 15) * 4;
    if (headerLength < Ipv4.header) {
      this.#setMalformed(Malformed.headerLength);
      return;
    }
    const totalLength = view.getUint16(at + Ipv4.totalLength);
    // 0: the sender's card was to fill it in (segmentation offload); the frame's own length counts.
    if (totalLength !== 0 && totalLength < headerLength) {
      this.#setMalformed(Malformed.totalLength);
      return;
    }
    const fragment = view.getUint16(at + Ipv4.fragment);
    this.network = Network.ipv4;
    this.ip = at;
    this.protocol = view.getUint8(at + Ipv4.protocol);
    this.fragment =
      (fragment & 0x1fff) !== 0 ? Fragment.later : (fragment & 0x2000) !== 0 ? Fragment.first : Fragment.none;
    const last = totalLength === 0 ? sent : Math.min(sent, at + totalLength);
    const stop = totalLength === 0 ? end : Math.min(end, at + totalLength);
    this.#decodeTransport(view, at + headerLength, stop, last);
  }

  #decodeIpv6(view: DataView, at: number, end: number, sent: number): void {
    if (at + Ipv6.header > end) {
      this.#setMalformed(Malformed.short);
      return;
    }
    if (view.getUint8(at) >> 4 !== 6) {
      this.#setMalformed(Malformed.version);
      return;
    }
    this.network = Network.ipv6;
    this.ip = at;
    this.fragment = Fragment.none;
    let protocol = view.getUint8(at + Ipv6.nextHeader);
    const payloadLength = view.getUint16(at + Ipv6.payloadLength);
    // 0: a jumbogram (RFC 2675) or segmentation offload.
    const whole = at + Ipv6.header + payloadLength;
    const last = payloadLength === 0 ? sent : Math.min(sent, whole);
    const stop = payloadLength === 0 ? end : Math.min(end, whole);
    let next = at + Ipv6.header;
    while (isExtension(protocol)) {
      if (protocol === IpProtocol.fragment) {
        if (next + 8 > end) break;
        const field = view.getUint16(next + 2);
        protocol = view.getUint8(next);
        next += 8;
        if ((field & 0xfff8) !== 0) {
          this.fragment = Fragment.later;
          break;
        }
        if ((field & 1) !== 0) this.fragment = Fragment.first;
      } else {
        if (next + 2 > end) break;
        protocol = view.getUint8(next);
        next += 8 * (view.getUint8(next + 1) + 1);
      }
    }
    this.protocol = protocol;
    this.#decodeTransport(view, next, stop, last);
  }

  /** Reads what the flow needs of the upper header. Bytes behind the IP packet (Ethernet padding) are not part of it. */
  #decodeTransport(view: DataView, at: number, end: number, last: number): void {
    const protocol = this.protocol;
    this.hasPorts = false;
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.tcpFlags = 0;
    this.icmpType = -1;
    this.end = 0;
    if (this.fragment === Fragment.later) return;
    if (protocol === IpProtocol.tcp || protocol === IpProtocol.udp) {
      if (at + 4 > end) return;
      this.hasPorts = true;
      this.sourcePort = view.getUint16(at);
      this.destinationPort = view.getUint16(at + 2);
      if (protocol === IpProtocol.tcp) {
        if (at + Tcp.flags < end) this.tcpFlags = view.getUint8(at + Tcp.flags);
        if (at + Tcp.header <= end)
          this.#decodePayload(at, at + (view.getUint8(at + Tcp.offset) >> 4) * 4, end, last);
      } else if (at + Udp.header <= end) this.#decodePayload(at, at + Udp.header, end, last);
    } else if (protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6) {
      if (at < end) this.icmpType = view.getUint8(at);
    } else this.#setPayload(at, end, last);
  }

  #decodePayload(at: number, payload: number, end: number, last: number): void {
    if (this.protocol === IpProtocol.tcp && payload < at + Tcp.header) return;
    if (this.fragment === Fragment.none) this.transport = at;
    this.#setPayload(payload, end, last);
  }

  #setPayload(payload: number, end: number, last: number): void {
    this.payload = payload;
    this.end = end;
    this.payloadLength = Math.max(last, end) - payload;
  }

  #setMalformed(reason: number): void {
    this.network = Network.malformed;
    this.malformed = reason;
  }
}

/** Extension headers that are walked (RFC 8200 4): the others, such as AH and ESP, are upper protocols of their own. */
function isExtension(protocol: number): boolean {
  return (
    protocol === IpProtocol.hopByHop ||
    protocol === IpProtocol.routing ||
    protocol === IpProtocol.fragment ||
    protocol === IpProtocol.destinationOptions
  );
}

/** Above an Ethernet length field, so an EtherType (IEEE 802.3). */
const MAX_FRAME_LENGTH = 1500;

/** Of a packet that nothing but its first byte describes. */
function typeOfVersion(byte: number): number {
  const version = byte >> 4;
  return version === 4 ? EtherType.ipv4 : version === 6 ? EtherType.ipv6 : 0;
}

/**
 * The EtherType that the 4 bytes before a BSD loopback packet stand for. With link type loop they are an address family in
 * network order. With null they are one in the writer's byte order, in all 4 bytes or only in the first 2 (IRIX), whose
 * upper byte is always 0; some writers put an EtherType there.
 */
function typeOfFamily(view: DataView, at: number, linkType: number): number {
  let family = view.getUint32(at, linkType !== LinkType.loop);
  if (linkType === LinkType.null && family > 0xffff)
    family = family < 0x0006_0000 ? family >>> 16 : view.getUint32(at);
  else if (linkType === LinkType.null && (family & 0xff) === 0 && family < 0x0600) family >>>= 8;
  if (family === AF_INET) return EtherType.ipv4;
  if (AF_INET6.has(family)) return EtherType.ipv6;
  return family > MAX_FRAME_LENGTH && linkType === LinkType.null ? family & 0xffff : 0;
}
