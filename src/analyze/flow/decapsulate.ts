/**
 * Decodes tunnels: a packet inside one counts for its inner ends instead of the tunnel's. A packet that cannot be decoded counts for the innermost
 * readable ends, and is counted by reason.
 */
import type { Packet } from "../../capture/packet.js";
import { EtherType, LinkType } from "../../net.js";
import { Fragment, type Headers, Network } from "./headers.js";
import { ETHERNET_BRIDGED, TUNNEL_HEADER, TUNNELS, Tunnel, type TunnelCount, tunnelOf } from "./tunnels.js";

/** Most nested tunnels to decode. */
export const MAX_LEVELS = 4;

/** Why a tunnel is not decoded; index of its text in REASONS. */
const enum Reason {
  none = 0,
  fragment = 1,
  header = 2,
  protocol = 3,
  damaged = 4,
  levels = 5,
}
const REASONS = [
  "",
  "fragment of a packet",
  "header of the tunnel cut off or unknown",
  "unknown protocol inside",
  "damaged packet inside",
  `more than ${MAX_LEVELS} tunnels in each other`,
] as const;

/** RFC 2784 2, RFC 2890 2: bits of the first word. */
const enum GreFlag {
  checksum = 0x8000,
  key = 0x2000,
  sequence = 0x1000,
  /** Routing, which RFC 2784 does without, and the version. */
  unknown = 0x4007,
}
/** Length of the header, and of each field that a flag adds. */
const GRE_WORD = 4;
/** RFC 8926 3.4: the length of the options, in words. */
const GENEVE_OPTIONS = 0x3f;
/** Destination, source, type. */
const ETHERNET_HEADER = 14;

/** Replaces a packet's headers by those inside its tunnels, and counts its work. */
export class Decapsulator {
  readonly #entered = new Float64Array(TUNNELS.length);
  readonly #missed = new Float64Array(TUNNELS.length * REASONS.length);
  /** The frame that the headers were read of. */
  readonly #frame: Packet = {
    view: new DataView(new ArrayBuffer(0)),
    offset: 0,
    caplen: 0,
    length: 0,
    timeUs: 0,
    nanos: 0,
    linkType: LinkType.ethernet,
  };

  /** `headers` are those of the packet, and afterwards the innermost that can be read. Borrows both. */
  enter(packet: Packet, headers: Headers): void {
    const outermost = tunnelOf(packet.view, headers);
    if (outermost === Tunnel.none) return;
    const frame = this.#frame;
    frame.view = packet.view;
    frame.offset = packet.offset;
    frame.caplen = packet.caplen;
    frame.length = packet.length;
    frame.linkType = packet.linkType;
    let tunnel: Tunnel = outermost;
    let level = 0;
    for (; tunnel !== Tunnel.none; level++) {
      const reason = level === MAX_LEVELS ? Reason.levels : this.#enterOne(tunnel, headers);
      if (reason !== Reason.none) {
        const place = tunnel * REASONS.length + reason;
        this.#missed[place] = this.#missed[place]! + 1;
        break;
      }
      tunnel = tunnelOf(packet.view, headers);
    }
    if (level > 0) this.#entered[outermost] = this.#entered[outermost]! + 1;
  }

  /** Packets that count by a header inside, by the kind of the outermost tunnel. */
  listEntered(): TunnelCount[] {
    return TUNNELS.map((kind, i) => ({ kind, packets: this.#entered[i]! })).filter(
      ({ packets }) => packets > 0,
    );
  }

  /** Tunnels that were not entered. */
  listMissed(): TunnelCount[] {
    return TUNNELS.flatMap((kind, i) =>
      REASONS.map((reason, j) => ({ kind, reason, packets: this.#missed[i * REASONS.length + j]! })),
    ).filter(({ packets }) => packets > 0);
  }

  /** On success frame and headers are those inside; else they stay. */
  #enterOne(tunnel: Tunnel, headers: Headers): Reason {
    if (headers.fragment !== Fragment.none) return Reason.fragment;
    const frame = this.#frame;
    const { view, offset, caplen, length, linkType } = frame;
    const inside = findInside(tunnel, view, headers);
    if (inside.linkType < 0) return inside.linkType === UNKNOWN ? Reason.protocol : Reason.header;
    const { payload, payloadLength, end } = headers;
    frame.offset = inside.at;
    frame.linkType = inside.linkType;
    frame.caplen = end - inside.at;
    frame.length = payload + payloadLength - inside.at;
    const isCut = frame.caplen < (inside.linkType === LinkType.ethernet ? ETHERNET_HEADER : 1);
    if (!isCut) headers.decode(frame);
    if (!isCut && headers.network !== Network.other && headers.network !== Network.malformed)
      return Reason.none;
    const reason = isCut || headers.network === Network.malformed ? Reason.damaged : Reason.protocol;
    frame.offset = offset;
    frame.caplen = caplen;
    frame.length = length;
    frame.linkType = linkType;
    if (!isCut) headers.decode(frame);
    return reason;
  }
}

/** Result of findInside without a link type. */
const UNKNOWN = -1;
const CUT = -2;
/** Reused. */
const INSIDE = { at: 0, linkType: 0 };

/** Where the frame inside begins, and of which link type it is. */
function findInside(tunnel: Tunnel, view: DataView, { payload, end }: Headers): typeof INSIDE {
  INSIDE.at = payload;
  INSIDE.linkType = CUT;
  switch (tunnel) {
    case Tunnel.ipip:
    case Tunnel.ip4in6:
      INSIDE.linkType = LinkType.ipv4;
      break;
    case Tunnel.ip6in4:
    case Tunnel.ip6in6:
      INSIDE.linkType = LinkType.ipv6;
      break;
    case Tunnel.gre: {
      if (payload + GRE_WORD > end) break;
      const flags = view.getUint16(payload);
      if ((flags & GreFlag.unknown) !== 0) break;
      INSIDE.at += GRE_WORD;
      for (const flag of [GreFlag.checksum, GreFlag.key, GreFlag.sequence])
        if ((flags & flag) !== 0) INSIDE.at += GRE_WORD;
      INSIDE.linkType = linkTypeOf(view.getUint16(payload + 2));
      break;
    }
    case Tunnel.vxlan:
      INSIDE.at += TUNNEL_HEADER;
      INSIDE.linkType = LinkType.ethernet;
      break;
    default:
      INSIDE.at += TUNNEL_HEADER + (view.getUint8(payload) & GENEVE_OPTIONS) * 4;
      INSIDE.linkType = linkTypeOf(view.getUint16(payload + 2));
  }
  if (INSIDE.at > end) INSIDE.linkType = CUT;
  return INSIDE;
}

function linkTypeOf(etherType: number): number {
  switch (etherType) {
    case EtherType.ipv4:
      return LinkType.ipv4;
    case EtherType.ipv6:
      return LinkType.ipv6;
    case ETHERNET_BRIDGED:
      return LinkType.ethernet;
    default:
      return UNKNOWN;
  }
}
