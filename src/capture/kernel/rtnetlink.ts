/** Links, addresses and namespace numbers in rtnetlink: encodes requests, decodes answers. Does no I/O. */
import { type AddressBytes, formatAddress } from "../../net.js";
import { ATTRIBUTE_TYPE, LITTLE } from "./netlink.js";

/** Message types (linux/rtnetlink.h). */
export const enum RouteMessage {
  newLink = 16,
  getLink = 18,
  newAddress = 20,
  getAddress = 22,
  newNamespaceNumber = 88,
  getNamespaceNumber = 90,
}

// linux/rtnetlink.h, linux/net_namespace.h: struct rtgenmsg, padded
const RTGENMSG_BYTES = 4;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
// linux/if_link.h
const IFINFO_BYTES = 16;
const IFLA_TARGET_NETNSID = 46;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_SLAVE_KIND = 4;
const IFF_UP = 1;
const IFF_PROMISC = 0x100;
const IFF_LOWER_UP = 0x1_0000;
// linux/if_addr.h
const IFADDR_BYTES = 8;
const IFA_TARGET_NETNSID = 10;

const AF_INET = 2;
const AF_INET6 = 10;

/** A network interface of one namespace. Its name is foreign text: Linux forbids only `/`, NUL and white space in it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`, `vlan`, ...; empty for hardware and the loopback. */
  readonly kind: string;
  readonly up: boolean;
  readonly carrier: boolean;
  /** Whether it is in promiscuous mode now. */
  readonly promiscuous: boolean;
  readonly mtu: number;
  /** Index of the bridge, or other master, that it is a port of. */
  readonly master: number | null;
  /** Whether that master is a bridge. */
  readonly isBridgePort: boolean;
  /** Index of its other end (veth) or of the link it stands on (vlan). */
  readonly peer: number | null;
  /** The namespace of that other end, by the number this namespace has for it; null: the same namespace. */
  readonly peerNamespace: number | null;
  readonly counters: LinkCounters;
}

/** Counted by the kernel since the link was made. */
export interface LinkCounters {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly receivedDropped: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly sentDropped: number;
}

/** An address of one namespace. */
export interface LinkAddress {
  /** Index of the link that has it. */
  readonly link: number;
  readonly address: AddressBytes;
  /** Canonical text of `address`. */
  readonly text: string;
  readonly prefix: number;
  /** When it was set, in hundredths of a second since boot; null: unknown. */
  readonly setAtCs: number | null;
}

/** Asks for all links, of this namespace or of the one that it calls `netnsid`: the header of a dump of RTM_GETLINK. */
export function linkRequest(netnsid: number | null): Uint8Array {
  return withAttribute(IFINFO_BYTES, IFLA_TARGET_NETNSID, netnsid);
}

/**
 * Asks for all addresses, as above, with RTM_GETADDR; another namespace's needs a strict socket: on others the kernel
 * ignores the number and returns this namespace's.
 */
export function addressRequest(netnsid: number | null): Uint8Array {
  return withAttribute(IFADDR_BYTES, IFA_TARGET_NETNSID, netnsid);
}

/** Asks, with RTM_GETNSID, which number this namespace has for the one that `fd` is open on. */
export function namespaceRequest(fd: number): Uint8Array {
  return withAttribute(RTGENMSG_BYTES, NETNSA_FD, fd);
}

function withAttribute(headerBytes: number, type: number, value: number | null): Uint8Array {
  const bytes = new Uint8Array(headerBytes + (value === null ? 0 : 8));
  if (value === null) return bytes;
  const view = new DataView(bytes.buffer);
  view.setUint16(headerBytes, 8, LITTLE);
  view.setUint16(headerBytes + 2, type, LITTLE);
  view.setInt32(headerBytes + 4, value, LITTLE);
  return bytes;
}

/** The number in an RTM_NEWNSID message, from `start` to `end`; null: none. */
export function decodeNamespaceNumber(view: DataView, start: number, end: number): number | null {
  const id = attributesOf(view, start + RTGENMSG_BYTES, end).get(NETNSA_NSID);
  const number = id && id.byteLength >= 4 ? id.getInt32(0, LITTLE) : -1;
  return number < 0 ? null : number;
}

/** Attributes of a message by type; the last of each. */
function attributesOf(view: DataView, from: number, end: number): Map<number, DataView> {
  const found = new Map<number, DataView>();
  for (let at = from; at + 4 <= end; ) {
    const length = view.getUint16(at, LITTLE);
    if (length < 4 || at + length > end) break;
    const type = view.getUint16(at + 2, LITTLE) & ATTRIBUTE_TYPE;
    found.set(type, new DataView(view.buffer, view.byteOffset + at + 4, length - 4));
    at += align(length);
  }
  return found;
}

const enum LinkAttribute {
  name = 3,
  mtu = 4,
  link = 5,
  master = 10,
  linkInfo = 18,
  stats64 = 23,
  promiscuity = 30,
  linkNetnsid = 37,
}

/** The link that an RTM_NEWLINK message, from `body` to `end`, describes; null if it is truncated. */
export function decodeLink(view: DataView, body: number, end: number): Link | null {
  if (end - body < IFINFO_BYTES) return null;
  const attributes = attributesOf(view, body + IFINFO_BYTES, end);
  const number = (type: LinkAttribute) => {
    const value = attributes.get(type);
    return value && value.byteLength >= 4 ? value.getInt32(0, LITTLE) : null;
  };
  const index = view.getInt32(body + 4, LITTLE);
  const flags = view.getUint32(body + 8, LITTLE);
  const info = attributes.get(LinkAttribute.linkInfo);
  const infos = info ? attributesOf(info, 0, info.byteLength) : new Map<number, DataView>();
  const peer = number(LinkAttribute.link);
  return {
    index,
    name: textOf(attributes.get(LinkAttribute.name)),
    kind: textOf(infos.get(IFLA_INFO_KIND)),
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    promiscuous: (flags & IFF_PROMISC) !== 0 || (number(LinkAttribute.promiscuity) ?? 0) > 0,
    mtu: number(LinkAttribute.mtu) ?? 0,
    master: number(LinkAttribute.master),
    isBridgePort: textOf(infos.get(IFLA_INFO_SLAVE_KIND)) === "bridge",
    peer: peer === null || peer === 0 || peer === index ? null : peer,
    peerNamespace: number(LinkAttribute.linkNetnsid),
    counters: decodeCounters(attributes.get(LinkAttribute.stats64)),
  };
}

/** struct rtnl_link_stats64: packets received and sent, bytes received and sent, errors (2), dropped (2), each 64 bits. */
function decodeCounters(stats: DataView | undefined): LinkCounters {
  const field = (i: number) =>
    stats && stats.byteLength >= 8 * (i + 1) ? Number(stats.getBigUint64(8 * i, LITTLE)) : 0;
  return {
    receivedPackets: field(0),
    sentPackets: field(1),
    receivedBytes: field(2),
    sentBytes: field(3),
    receivedDropped: field(6),
    sentDropped: field(7),
  };
}

const enum AddressAttribute {
  address = 1,
  local = 2,
  cacheInfo = 6,
}

/** The address that an RTM_NEWADDR message, from `body` to `end`, describes; null if it is no IP address. */
export function decodeAddress(view: DataView, body: number, end: number): LinkAddress | null {
  if (end - body < IFADDR_BYTES) return null;
  const family = view.getUint8(body);
  const size = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  const attributes = attributesOf(view, body + IFADDR_BYTES, end);
  // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is always its own.
  const value = attributes.get(AddressAttribute.local) ?? attributes.get(AddressAttribute.address);
  if (size === 0 || value?.byteLength !== size) return null;
  const address = new Uint8Array(value.buffer, value.byteOffset, size).slice();
  const cache = attributes.get(AddressAttribute.cacheInfo); // struct ifa_cacheinfo: cstamp is the third word
  return {
    link: view.getInt32(body + 4, LITTLE),
    address,
    text: formatAddress(address),
    prefix: view.getUint8(body + 1),
    setAtCs: cache && cache.byteLength >= 16 ? cache.getUint32(8, LITTLE) : null,
  };
}

const utf8 = new TextDecoder();

function textOf(value: DataView | undefined): string {
  if (!value) return "";
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** NLMSG_ALIGN and NLA_ALIGN. */
function align(length: number): number {
  return (length + 3) & ~3;
}
