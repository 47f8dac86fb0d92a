/**
 * The leaf vocabulary: link types, EtherTypes, IP protocol numbers, addresses. Imports nothing.
 *
 * Numbers that the hot path compares are `const enum`s here and in analyze/: the compiler writes the number itself, where
 * an exported object or constant would cost a load and a check for every packet (a tenth of the whole loop, measured).
 */

/** LINKTYPE_ values a capture may carry (tcpdump.org/linktypes.html) that lead straight to IP. */
export const enum LinkType {
  null = 0,
  ethernet = 1,
  rawBsd = 12,
  rawOpenBsd = 14,
  raw = 101,
  loop = 108,
  linuxSll = 113,
  ipv4 = 228,
  ipv6 = 229,
  nflog = 239,
  linuxSll2 = 276,
}

/** EtherTypes (IEEE 802 numbers) that the header walk knows. */
export const enum EtherType {
  ipv4 = 0x0800,
  arp = 0x0806,
  ipv6 = 0x86dd,
  vlan = 0x8100,
  qinq = 0x88a8,
  qinqOld1 = 0x9100,
  qinqOld2 = 0x9200,
}

/** IP protocol numbers (IANA protocol-numbers) used by name in the code. */
export const enum IpProtocol {
  hopByHop = 0,
  icmp = 1,
  ipv4 = 4,
  tcp = 6,
  udp = 17,
  ipv6 = 41,
  routing = 43,
  fragment = 44,
  gre = 47,
  icmpv6 = 58,
  destinationOptions = 60,
}

/** The usual names of IP protocols other than the four that have rules of their own below. */
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  0: "HOPOPT",
  2: "IGMP",
  3: "GGP",
  4: "IPIP",
  6: "TCP",
  8: "EGP",
  9: "IGP",
  12: "PUP",
  17: "UDP",
  22: "XNS-IDP",
  27: "RDP",
  29: "ISO-TP4",
  33: "DCCP",
  36: "XTP",
  41: "IPv6",
  43: "IPv6-Route",
  44: "IPv6-Frag",
  46: "RSVP",
  47: "GRE",
  50: "ESP",
  51: "AH",
  55: "MOBILE",
  57: "SKIP",
  59: "IPv6-NoNxt",
  60: "IPv6-Opts",
  80: "ISO-IP",
  88: "EIGRP",
  89: "OSPF",
  92: "MTP",
  94: "IPIP-old",
  97: "ETHERIP",
  98: "ENCAP",
  103: "PIM",
  108: "IPComp",
  112: "VRRP",
  113: "PGM",
  115: "L2TP",
  124: "IS-IS",
  132: "SCTP",
  133: "FC",
  135: "Mobility",
  136: "UDPLite",
  137: "MPLS-in-IP",
  138: "MANET",
  139: "HIP",
  140: "Shim6",
  141: "WESP",
  142: "ROHC",
  143: "Ethernet",
};

/** Name of an IP protocol as the tables print it. ICMP is ICMP only in IPv4 and ICMPv6 only in IPv6; elsewhere the number is shown. */
export function protocolName(protocol: number, version: 4 | 6): string {
  if (protocol === IpProtocol.icmp) return version === 4 ? "ICMP" : "IP-1";
  if (protocol === IpProtocol.icmpv6) return version === 6 ? "ICMPv6" : "IP-58";
  return PROTOCOL_NAMES[protocol] ?? `IP-${protocol}`;
}

/** Text of an IPv4 address held as one 32-bit word, network order value. */
export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** Text of an IPv6 address held as four 32-bit words, in the form of RFC 5952 (IPv4-mapped addresses end in dots). */
export function formatIpv6(w0: number, w1: number, w2: number, w3: number): string {
  if (w0 === 0 && w1 === 0 && w2 >>> 0 === 0xffff) return `::ffff:${formatIpv4(w3)}`;
  const groups = [
    w0 >>> 16,
    w0 & 0xffff,
    w1 >>> 16,
    w1 & 0xffff,
    w2 >>> 16,
    w2 & 0xffff,
    w3 >>> 16,
    w3 & 0xffff,
  ];
  let bestStart = -1;
  let bestLength = 1; // a single zero group is not shortened (RFC 5952 4.2.2)
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > bestLength) [bestStart, bestLength] = [i, n];
    i += n;
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}

/** An address as bytes: 4 (IPv4) or 16 (IPv6). */
export type AddressBytes = Uint8Array;

/** Parses IPv4 or IPv6 text. Returns null for anything else (zones such as %eth0 included). */
export function parseAddress(text: string): AddressBytes | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): AddressBytes | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return null;
  const parts = match.slice(1).map(Number);
  return parts.every((n) => n <= 255) ? Uint8Array.from(parts) : null;
}

function parseIpv6(text: string): AddressBytes | null {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const tail = parseIpv4(dotted[2]!);
    if (!tail) return null;
    const word = (i: number) => ((tail[i]! << 8) | tail[i + 1]!).toString(16);
    return parseIpv6(`${dotted[1]}${word(0)}:${word(2)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const given = groups.reduce((n, g) => n + g.length, 0);
  if (halves.length === 1 ? given !== 8 : given > 7) return null;
  if (!groups.flat().every((g) => /^[0-9a-fA-F]{1,4}$/.test(g))) return null;
  const all =
    halves.length === 1
      ? groups[0]!
      : [...groups[0]!, ...new Array<string>(8 - given).fill("0"), ...groups[1]!];
  const bytes = new Uint8Array(16);
  all.forEach((g, i) => {
    const n = Number.parseInt(g, 16);
    bytes[2 * i] = n >> 8;
    bytes[2 * i + 1] = n & 255;
  });
  return bytes;
}

/** Text of an address given as 4 or 16 bytes; the inverse of `parseAddress`, in canonical form. */
export function formatAddress(bytes: AddressBytes): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length === 4
    ? formatIpv4(view.getInt32(0))
    : formatIpv6(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12));
}

/** A block of addresses: `10.0.0.0/16`. */
export interface Cidr {
  readonly network: AddressBytes;
  readonly prefix: number;
}

/** Parses `address/prefix`. Returns null when either half is wrong. Host bits are ignored. */
export function parseCidr(text: string): Cidr | null {
  const [address, prefix, ...rest] = text.split("/");
  if (address === undefined || prefix === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix))
    return null;
  const network = parseAddress(address);
  if (!network || Number(prefix) > network.length * 8) return null;
  return { network, prefix: Number(prefix) };
}

/** Whether the address lies in the block. Families never match each other. */
export function cidrContains(cidr: Cidr, address: AddressBytes): boolean {
  if (cidr.network.length !== address.length) return false;
  const whole = cidr.prefix >> 3;
  for (let i = 0; i < whole; i++) if (cidr.network[i] !== address[i]) return false;
  const bits = cidr.prefix & 7;
  if (bits === 0) return true;
  const mask = (0xff << (8 - bits)) & 0xff;
  return (cidr.network[whole]! & mask) === (address[whole]! & mask);
}
