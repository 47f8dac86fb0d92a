/** Counts packets that carry another IP packet. Without `--decapsulate` all tables count by the outermost header, and the ledger says so. */

import { EtherType, IpProtocol } from "../../net.js";
import { TunnelPort } from "../core/layout.js";
import { type Headers, Network } from "./headers.js";

/** Index into TUNNELS. */
export const enum Tunnel {
  none = -1,
  ipip = 0,
  ip6in4 = 1,
  ip4in6 = 2,
  ip6in6 = 3,
  gre = 4,
  vxlan = 5,
  geneve = 6,
}
export const TUNNELS = ["ipip", "6in4", "4in6", "ip6ip6", "gre", "vxlan", "geneve"] as const;

export interface TunnelCount {
  readonly kind: string;
  readonly packets: number;
  /** Why tunnels were not decoded although requested. */
  readonly reason?: string;
}

/** Both headers are as long (RFC 7348 5, RFC 8926 3.4). */
export const TUNNEL_HEADER = 8;
const VXLAN_FLAGS = 0x08;
const GENEVE_TYPE_AT = 2;
const GENEVE_RESERVED = 0x3f;
const RESERVED_AT = 7;
/** Transparent Ethernet bridging (RFC 1701). */
export const ETHERNET_BRIDGED = 0x6558;
/** No smaller number is an EtherType (IEEE 802.3). */
const MIN_ETHER_TYPE = 0x0600;

/** The tunnel over UDP that the packet is in, or Tunnel.none: a port alone does not tell. */
function tunnelOverUdp(view: DataView, { destinationPort, payload, end }: Headers): Tunnel {
  if (payload + TUNNEL_HEADER > end) return Tunnel.none;
  if (destinationPort === TunnelPort.vxlan)
    return view.getUint8(payload) === VXLAN_FLAGS && view.getUint8(payload + RESERVED_AT) === 0
      ? Tunnel.vxlan
      : Tunnel.none;
  if (destinationPort !== TunnelPort.geneve || view.getUint8(payload) >> 6 !== 0) return Tunnel.none;
  const type = view.getUint16(payload + GENEVE_TYPE_AT);
  const isKnown = type === ETHERNET_BRIDGED || type === EtherType.ipv4 || type === EtherType.ipv6;
  const isReserved0 =
    (view.getUint8(payload + 1) & GENEVE_RESERVED) === 0 && view.getUint8(payload + RESERVED_AT) === 0;
  return isKnown || (isReserved0 && type >= MIN_ETHER_TYPE) ? Tunnel.geneve : Tunnel.none;
}

/** The tunnel that the innermost header read is one of. */
export function tunnelOf(view: DataView, headers: Headers): Tunnel {
  const { network, protocol } = headers;
  if (network !== Network.ipv4 && network !== Network.ipv6) return Tunnel.none;
  switch (protocol) {
    case IpProtocol.udp:
      return tunnelOverUdp(view, headers);
    case IpProtocol.ipv4:
      return network === Network.ipv4 ? Tunnel.ipip : Tunnel.ip4in6;
    case IpProtocol.ipv6:
      return network === Network.ipv4 ? Tunnel.ip6in4 : Tunnel.ip6in6;
    case IpProtocol.gre:
      return Tunnel.gre;
    default:
      return Tunnel.none;
  }
}

/** Counts tunnels over UDP, which the counts by protocol do not tell. */
export class UdpTunnels {
  vxlan = 0;
  geneve = 0;

  /** Call for each UDP packet after its headers are decoded. */
  note(view: DataView, headers: Headers): void {
    if (headers.transport < 0) return;
    const tunnel = tunnelOverUdp(view, headers);
    if (tunnel === Tunnel.vxlan) this.vxlan++;
    else if (tunnel === Tunnel.geneve) this.geneve++;
  }
}

/** Of all packets counted, by kind. `ipv4` and `ipv6`: packets whose header of that version names a protocol. */
export function listTunnels(
  ipv4: (protocol: number) => number,
  ipv6: (protocol: number) => number,
  { vxlan, geneve }: UdpTunnels,
): TunnelCount[] {
  const counts = [
    ipv4(IpProtocol.ipv4),
    ipv4(IpProtocol.ipv6),
    ipv6(IpProtocol.ipv4),
    ipv6(IpProtocol.ipv6),
    ipv4(IpProtocol.gre) + ipv6(IpProtocol.gre),
    vxlan,
    geneve,
  ];
  return TUNNELS.map((kind, i) => ({ kind, packets: counts[i]! })).filter(({ packets }) => packets > 0);
}
