/** The only place that uses capabilities: opens sockets in any namespace, asks connection tracking, names namespaces. */
import { openSync, writeSync } from "node:fs";
import { ACCOUNTING_PATH, CONNTRACK_FILES } from "../conntrack/conntrack-files.js";
import { Flag, libc } from "../kernel/libc.js";
import { NetlinkFamily, type NetlinkOptions, netlinkChannel, openNetlinkSocket } from "../kernel/netlink.js";
import { type NetnsTarget, withNetns } from "../kernel/netns.js";
import { Capability } from "../kernel/privilege.js";
import { RouteSocket } from "../kernel/route-socket.js";
import { type HostNetwork, readHostNetwork } from "../live/interfaces.js";
import { listNamespaces } from "../names/namespace-names.js";

/** Kinds of a packet socket: with link headers and without (packet(7)). */
export const enum SocketType {
  datagram = 2,
  raw = 3,
}

/**
 * Two implementations: in this process, or in a small process that keeps the privileges (`RemoteOpener`).
 * Every call is synchronous. The caller owns the descriptors. `netns` null: the namespace the process is in.
 * All throw NetnsError and SystemError.
 */
export interface Opener {
  /** A packet socket without a protocol: it gets no packets until it is bound to one. Needs CAP_NET_RAW. */
  packetSocket(netns: NetnsTarget | null, type: SocketType): number;
  netlinkSocket(netns: NetnsTarget | null, family: NetlinkFamily, options?: SentOptions): number;
  /** Sends a request for the whole connection tracking table over a socket of netfilter. Needs CAP_NET_ADMIN; receiving the answers does not. */
  askConntrack(fd: number, request: Uint8Array): void;
  /** The files of CONNTRACK_FILES, in their order; null: the file does not exist. `writable`: also the file for `setAccounting`. */
  conntrackFiles(netns: NetnsTarget | null, writable: boolean): (number | null)[];
  setAccounting(fd: number, on: boolean): void;
  /** Like `readHostNetwork`. A separate opener uses its own last result and ignores `previous`. */
  network(previous: HostNetwork | null): HostNetwork;
  /**
   * From here on nothing is opened any more; `polls`: connection tracking and the network are still polled. Returns the capabilities that
   * this process itself must keep for that.
   */
  seal(polls: boolean): readonly Capability[];
}

type SentOptions = Pick<NetlinkOptions, "strict">;

class DirectOpener implements Opener {
  packetSocket(netns: NetnsTarget | null, type: SocketType): number {
    const AF_PACKET = 17;
    return withNetns(netns, () => libc().socket(AF_PACKET, type | Flag.closeOnExec, 0));
  }

  netlinkSocket(netns: NetnsTarget | null, family: NetlinkFamily, options: SentOptions = {}): number {
    return withNetns(netns, () => openNetlinkSocket(family, options));
  }

  askConntrack(fd: number, request: Uint8Array): void {
    libc().send(fd, request, 0);
  }

  conntrackFiles(netns: NetnsTarget | null, writable: boolean): (number | null)[] {
    return withNetns(netns, () =>
      CONNTRACK_FILES.map(({ path }) => openIfThere(path, writable && path === ACCOUNTING_PATH ? "r+" : "r")),
    );
  }

  setAccounting(fd: number, on: boolean): void {
    writeSync(fd, on ? "1" : "0", 0);
  }

  network(previous: HostNetwork | null): HostNetwork {
    return readHostNetwork(listNamespaces(), previous);
  }

  seal(polls: boolean): readonly Capability[] {
    return polls ? [Capability.netAdmin] : [];
  }
}

function openIfThere(path: string, flags: string): number | null {
  try {
    return openSync(path, flags);
  } catch {
    return null;
  }
}

/** Opens in this process. */
export const DIRECT: Opener = new DirectOpener();

let current: Opener = DIRECT;

/** The opener of this process. */
export function opener(): Opener {
  return current;
}

/** Replaces the opener of this process. */
export function useOpener(other: Opener): void {
  current = other;
}

/** A socket for links and addresses, in the namespace. Throws NetnsError, SystemError. */
export function openRoute(netns: NetnsTarget | null): RouteSocket {
  const fd = opener().netlinkSocket(netns, NetlinkFamily.route, { strict: true });
  return new RouteSocket(netlinkChannel(fd));
}
