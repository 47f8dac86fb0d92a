/** Packets that carry another IP packet. The outermost header is what all tables count by, so the reader is told of them. */
import { EtherType, IpProtocol } from "../net.js";
import type { Headers } from "./headers.js";

export interface TunnelCount {
  readonly kind: string;
  readonly packets: number;
}

/** IANA service names. */
const enum Port {
  vxlan = 4789,
  geneve = 6081,
}
/** Both headers are as long (RFC 7348 5, RFC 8926 3.4). */
const HEADER = 8;
const VXLAN_FLAGS = 0x08;
const VXLAN_RESERVED_AT = 7;
const GENEVE_TYPE_AT = 2;
/** Transparent Ethernet bridging (RFC 1701). */
const ETHERNET = 0x6558;

/** Counts tunnels over UDP, which a port alone does not tell. */
export class UdpTunnels {
  vxlan = 0;
  geneve = 0;

  /** Told of a UDP packet, once its headers are read. */
  note(view: DataView, { destinationPort, transport, payload, end }: Headers): void {
    if (transport < 0 || payload + HEADER > end) return;
    if (destinationPort === Port.vxlan) {
      if (view.getUint8(payload) === VXLAN_FLAGS && view.getUint8(payload + VXLAN_RESERVED_AT) === 0)
        this.vxlan++;
    } else if (destinationPort === Port.geneve) {
      const type = view.getUint16(payload + GENEVE_TYPE_AT);
      const isKnown = type === ETHERNET || type === EtherType.ipv4 || type === EtherType.ipv6;
      if (view.getUint8(payload) >> 6 === 0 && isKnown) this.geneve++;
    }
  }
}

/** Of all packets counted, by kind. `ipv4` and `ipv6`: packets whose header of that version names a protocol. */
export function listTunnels(
  ipv4: (protocol: number) => number,
  ipv6: (protocol: number) => number,
  { vxlan, geneve }: UdpTunnels,
): TunnelCount[] {
  const counts: readonly TunnelCount[] = [
    { kind: "ipip", packets: ipv4(IpProtocol.ipv4) },
    { kind: "6in4", packets: ipv4(IpProtocol.ipv6) },
    { kind: "4in6", packets: ipv6(IpProtocol.ipv4) },
    { kind: "ip6ip6", packets: ipv6(IpProtocol.ipv6) },
    { kind: "gre", packets: ipv4(IpProtocol.gre) + ipv6(IpProtocol.gre) },
    { kind: "vxlan", packets: vxlan },
    { kind: "geneve", packets: geneve },
  ];
  return counts.filter(({ packets }) => packets > 0);
}
