/** Opens an AF_PACKET socket with its ring (packet(7)), promiscuous, filtered before the first packet can come. */
import { LinkType } from "../../net.js";
import { encodeProgram, type FilterProgram } from "../kernel/filter.js";
import { type Libc, libc, type Mapping, SystemError } from "../kernel/libc.js";
import { NetnsError } from "../kernel/netns.js";
import { opener, SocketType } from "../opener/opener.js";
import { CaptureError, type LiveOptions } from "./live.js";
import { boundTo } from "./packet-socket.js";

/** Milliseconds after which the kernel hands over a block that is not full. */
export const RETIRE_MS = 50;

const AF_PACKET = 17;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SOL_PACKET = 263;
// linux/sockios.h
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
const IFF_UP = 1;
/** struct ifreq: the name, then what is asked for. */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const PACKET_RESERVE = 12;
const PACKET_IGNORE_OUTGOING = 23;
const TPACKET_V3 = 2;
const PACKET_MR_PROMISC = 1;
const ETH_P_ALL = 3;
/** Room before each frame for the VLAN tag that the kernel removed. */
const VLAN_BYTES = 4;

// linux/if_arp.h
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
/** Interfaces without a link header: PPP, tunnels, SIT, raw IP, none (tun, WireGuard). */
const ARPHRD_BARE: ReadonlySet<number> = new Set([512, 519, 768, 769, 776, 778, 823, 65_534]);

const MEBIBYTE = 1024 * 1024;
/** A frame longer than a block is cut: no block is smaller than the largest frame of segmentation offload. */
const SMALL_BLOCK = MEBIBYTE / 4;
const FRAME_BYTES = 65_536;
/** Room for the bytes of one write plus the largest packet. Unused pages cost nothing. */
const ROOM_BYTES = MEBIBYTE;

/** A ring that is filling. */
export interface OpenedRing {
  readonly fd: number;
  readonly mapping: Mapping;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly linkType: number;
  /** ARPHRD_ of the interface. */
  readonly hardware: number;
}

/** Opens the ring; calls `compile` for its filter once the link type is known. Throws CaptureError. */
export function openRing(options: LiveOptions, compile: (linkType: number) => FilterProgram): OpenedRing {
  try {
    return openSocket(options, compile);
  } catch (error) {
    throw explain(error, options);
  }
}

function openSocket(options: LiveOptions, compile: (linkType: number) => FilterProgram): OpenedRing {
  const c = libc();
  // Protocol 0: no packet comes in before the ring, the filter and the interface are set.
  let fd = opener().packetSocket(options.netns, SocketType.raw);
  let mapping: Mapping | null = null;
  try {
    if (Buffer.byteLength(options.interface) >= IFNAMSIZ) throw noInterface(options.interface);
    const index = askInterface(c, fd, SIOCGIFINDEX, options.interface).getInt32(0, true);
    c.bind(fd, linkAddress(index, 0));
    const type = hardwareType(c, fd);
    const bare = ARPHRD_BARE.has(type);
    if (bare) {
      const datagrams = opener().packetSocket(options.netns, SocketType.datagram);
      c.close(fd);
      fd = datagrams;
    } else if (type !== ARPHRD_ETHER && type !== ARPHRD_LOOPBACK)
      throw new CaptureError("unsupported", `${options.interface}: interface type ${type} is not supported`);
    const linkType = bare ? LinkType.raw : LinkType.ethernet;
    const program = compile(linkType);
    c.setsockopt(fd, SOL_PACKET, PACKET_VERSION, words(TPACKET_V3));
    c.setsockopt(fd, SOL_PACKET, PACKET_RESERVE, words(VLAN_BYTES));
    c.attachFilter(fd, encodeProgram(program));
    const { blockBytes, blocks } = divide(options.bufferBytes);
    setRing(c, fd, blockBytes, blocks);
    mapping = c.mapShared(fd, blockBytes * blocks, ROOM_BYTES);
    // On loopback each packet passes twice, going out and coming in; it is counted once.
    if (type === ARPHRD_LOOPBACK) c.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, words(1));
    c.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, words(index, PACKET_MR_PROMISC, 0, 0));
    c.bind(fd, linkAddress(index, ETH_P_ALL));
    failIfDown(c, fd, options.interface);
    return { fd, mapping, blockBytes, blocks, linkType, hardware: type };
  } catch (error) {
    mapping?.unmap();
    c.close(fd);
    throw error;
  }
}

/**
 * Binds a ring to its interface again: to the current one of that name, which may be a new one. Needs no privilege.
 * False: missing, not up, or of another kind.
 */
export function rebindRing({ fd, hardware }: OpenedRing, name: string): boolean {
  const c = libc();
  try {
    const isUp = (askInterface(c, fd, SIOCGIFFLAGS, name).getUint16(0, true) & IFF_UP) !== 0;
    if (!isUp || askInterface(c, fd, SIOCGIFHWADDR, name).getUint16(0, true) !== hardware) return false;
    const index = askInterface(c, fd, SIOCGIFINDEX, name).getInt32(0, true);
    if (index !== boundTo(c, fd)) {
      c.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, words(index, PACKET_MR_PROMISC, 0, 0));
      c.bind(fd, linkAddress(index, ETH_P_ALL));
    }
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

/** What netdevice(7) answers of an interface in the socket's namespace. */
function askInterface(c: Libc, fd: number, request: number, name: string): DataView {
  const ifreq = new Uint8Array(IFREQ_BYTES);
  ifreq.set(Buffer.from(name).subarray(0, IFNAMSIZ - 1));
  c.ioctl(fd, request, ifreq);
  return new DataView(ifreq.buffer, IFNAMSIZ);
}

function divide(bufferBytes: number): { blockBytes: number; blocks: number } {
  const blockBytes = bufferBytes >= 8 * MEBIBYTE ? MEBIBYTE : SMALL_BLOCK;
  return { blockBytes, blocks: Math.max(2, Math.floor(bufferBytes / blockBytes)) };
}

/** struct tpacket_req3 */
function setRing(c: Libc, fd: number, blockBytes: number, blocks: number): void {
  const frames = (blockBytes / FRAME_BYTES) * blocks;
  const request = words(blockBytes, blocks, FRAME_BYTES, frames, RETIRE_MS, 0, 0);
  c.setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request);
}

/** struct sockaddr_ll */
function linkAddress(index: number, protocol: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol); // network order
  view.setInt32(4, index, true);
  return address;
}

function hardwareType(c: Libc, fd: number): number {
  const address = new Uint8Array(20);
  c.getsockname(fd, address);
  return new DataView(address.buffer).getUint16(8, true);
}

function failIfDown(c: Libc, fd: number, name: string): void {
  const error = new Uint8Array(4);
  c.getsockopt(fd, SOL_SOCKET, SO_ERROR, error);
  if (error[0] !== 0)
    throw new CaptureError("interface", `${name} is down: \`ip link set ${name} up\` brings it up`);
}

/** 32-bit values in host order. */
function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setInt32(i * 4, value, true);
  });
  return bytes;
}

/** The error for an unknown interface name. */
export function noInterface(name: string): CaptureError {
  return new CaptureError("interface", `no interface ${name}; \`netwatch capture -D\` lists them`);
}

function explain(error: unknown, options: LiveOptions): Error {
  if (error instanceof CaptureError) return error;
  if (error instanceof NetnsError)
    return new CaptureError(error.code === "ENOENT" ? "interface" : "permission", error.message);
  if (!(error instanceof SystemError)) return error as Error;
  switch (error.code) {
    case "EPERM":
    case "EACCES":
      return new CaptureError("permission", `capturing on ${options.interface} needs CAP_NET_RAW`);
    case "ENODEV":
    case "ENXIO":
      return noInterface(options.interface);
    case "ENOMEM":
      return new CaptureError(
        "unsupported",
        `the kernel has no room for a buffer of ${Math.round(options.bufferBytes / MEBIBYTE)} MB: ask for less with --buffer`,
      );
    default:
      return new CaptureError("unsupported", `${options.interface}: ${error.message}`);
  }
}
