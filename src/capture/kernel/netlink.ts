/** Netlink sockets: asking the kernel for a list (a dump) and reading what comes, in place (netlink(7), RFC 3549). */
import { Flag, libc, SystemError } from "./libc.js";

/** Netlink uses the host's byte order; netwatch runs only on little-endian machines. */
export const LITTLE = true;

// linux/netlink.h
const HEADER_BYTES = 16;
const MESSAGE_TYPE = 4;
const MESSAGE_FLAGS = 6;
const MESSAGE_SEQUENCE = 8;
const MESSAGE_PORT = 12;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_GET_STRICT_CHK = 12;

/** Netlink families (linux/netlink.h). */
export const enum NetlinkFamily {
  route = 0,
  sockDiag = 4,
  netfilter = 12,
}

/** Bits of an attribute's type that say how it is coded, not what it is. */
export const ATTRIBUTE_TYPE = 0x3fff;

/** The kernel never puts more than this into one answer to a dump (af_netlink.c). */
const BUFFER_BYTES = 32 * 1024;
/** A later answer counts as none: the kernel fills it while `recv` waits. */
const TIMEOUT_SECONDS = 2;
/** Tries at a dump that changed or overran while it was read. */
const TRIES = 4;

/** The kernel's error instead of a list; EAGAIN: no answer within two seconds. */
export class NetlinkError extends SystemError {}

/** Sending and receiving. `openNetlink` opens the kernel's; a test has its own. */
export interface NetlinkChannel {
  send(bytes: Uint8Array): void;
  /** Bytes received, their true number even where the buffer was smaller; or the error number, negative. */
  receive(buffer: Uint8Array): number;
  close(): void;
}

export interface NetlinkOptions {
  /** Receive buffer of the socket in bytes. */
  readonly receiveBuffer?: number;
  /** Multicast groups to listen to as well. */
  readonly groups?: readonly number[];
  /** The kernel refuses unknown parts of a request instead of ignoring them (Linux 4.20). */
  readonly strict?: boolean;
}

/** Opens a socket in the namespace the caller is in. Throws SystemError. */
export function openNetlink(family: NetlinkFamily, options: NetlinkOptions = {}): NetlinkChannel {
  return netlinkChannel(openNetlinkSocket(family, options));
}

/** The channel over an open socket, which it owns and closes. `send`: sends the requests in place of this process. */
export function netlinkChannel(
  fd: number,
  send: NetlinkChannel["send"] = (bytes) => void libc().send(fd, bytes, 0),
): NetlinkChannel {
  const { recv, close } = libc();
  return { send, receive: (buffer) => recv(fd, buffer, Flag.truncate), close: () => close(fd) };
}

/** Like `openNetlink`; returns the socket itself, which the caller closes. */
export function openNetlinkSocket(family: NetlinkFamily, options: NetlinkOptions = {}): number {
  const { socket, bind, setsockopt, close } = libc();
  const fd = socket(AF_NETLINK, SOCK_RAW | Flag.closeOnExec, family);
  try {
    bind(fd, Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)); // the kernel chooses the port
    const timeout = new BigInt64Array([BigInt(TIMEOUT_SECONDS), 0n]);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeout.buffer));
    const set = (level: number, name: number, value: number) =>
      setsockopt(fd, level, name, new Uint8Array(Int32Array.of(value).buffer));
    if (options.receiveBuffer !== undefined) set(SOL_SOCKET, SO_RCVBUF, options.receiveBuffer);
    for (const group of options.groups ?? []) set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
    if (options.strict) set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Takes one message of a dump: its type, and its payload in `view` from `start` to `end`. Borrowed. */
export type TakeMessage = (view: DataView, start: number, end: number, type: number) => void;

/** Asks for lists over one channel, one at a time. */
export class NetlinkDumper {
  /** Dumps restarted because the list changed (NLM_F_DUMP_INTR) or the kernel lost a part of it (ENOBUFS). */
  resyncs = 0;
  /** Malformed parts of an answer, and those longer than the buffer. */
  malformed = 0;
  readonly #channel: NetlinkChannel;
  readonly #bytes = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #sequence = 0;
  /** The current dump is incomplete. */
  #broken = false;

  constructor(channel: NetlinkChannel) {
    this.#channel = channel;
  }

  close(): void {
    this.#channel.close();
  }

  /**
   * Asks for a list of `type` with `payload` as the request's own header. Each message goes to `take`; `begin` is called before a list starts
   * or restarts, to drop earlier messages. Yields after every answer of the kernel, so that the
   * caller can do other work; run it to its end before the next dump. Returns false if the last try was incomplete too.
   * Throws NetlinkError if the kernel refuses, or does not answer within two seconds.
   */
  dump(type: number, payload: Uint8Array, begin: () => void, take: TakeMessage): Generator<void, boolean> {
    return this.#ask(type, NLM_F_DUMP, payload, begin, take);
  }

  /** Like `dump`, for a request about one object. */
  get(type: number, payload: Uint8Array, begin: () => void, take: TakeMessage): Generator<void, boolean> {
    return this.#ask(type, NLM_F_ACK, payload, begin, take);
  }

  *#ask(
    type: number,
    flags: number,
    payload: Uint8Array,
    begin: () => void,
    take: TakeMessage,
  ): Generator<void, boolean> {
    for (let tries = 1; ; tries++) {
      begin();
      this.#broken = false;
      this.#channel.send(this.#request(type, flags, payload));
      while (!this.#receive(take)) yield;
      if (!this.#broken) return true;
      this.resyncs++;
      if (tries === TRIES) return false;
    }
  }

  #request(type: number, flags: number, payload: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(HEADER_BYTES + payload.length);
    const view = new DataView(bytes.buffer);
    this.#sequence = (this.#sequence + 1) >>> 0 || 1;
    view.setUint32(0, bytes.length, LITTLE);
    view.setUint16(MESSAGE_TYPE, type, LITTLE);
    view.setUint16(MESSAGE_FLAGS, NLM_F_REQUEST | flags, LITTLE);
    view.setUint32(MESSAGE_SEQUENCE, this.#sequence, LITTLE);
    bytes.set(payload, HEADER_BYTES);
    return bytes;
  }

  /** Reads one answer of the kernel, which holds many messages. True: it was the last. */
  #receive(take: TakeMessage): boolean {
    const received = this.#channel.receive(this.#bytes);
    if (received < 0) {
      const error = new NetlinkError("netlink", -received);
      if (error.code !== "ENOBUFS" && error.code !== "EINTR") throw error;
      if (error.code === "ENOBUFS") this.#broken = true; // the dump itself goes on
      return false;
    }
    if (received > BUFFER_BYTES) this.#damage();
    return this.#walk(Math.min(received, BUFFER_BYTES), take);
  }

  #walk(end: number, take: TakeMessage): boolean {
    const view = this.#view;
    for (let at = 0; at + HEADER_BYTES <= end; ) {
      const length = view.getUint32(at, LITTLE);
      if (length < HEADER_BYTES || length > end - at) {
        this.#damage();
        return false;
      }
      // Messages of an abandoned list, and events of a group, have another sequence number.
      if (view.getUint32(at + MESSAGE_SEQUENCE, LITTLE) === this.#sequence) {
        const type = view.getUint16(at + MESSAGE_TYPE, LITTLE);
        if ((view.getUint16(at + MESSAGE_FLAGS, LITTLE) & NLM_F_DUMP_INTR) !== 0) this.#broken = true;
        if (type === NLMSG_DONE || type === NLMSG_ERROR) {
          throwIfError(view, at + HEADER_BYTES, at + length);
          return true;
        }
        take(view, at + HEADER_BYTES, at + length, type);
      }
      at += (length + 3) & ~3;
    }
    return false;
  }

  #damage(): void {
    this.malformed++;
    this.#broken = true;
  }
}

/** Whether these bytes are exactly a request of `dump` for a list of `type`. */
export function isDumpRequest(bytes: Uint8Array, type: number, payload: Uint8Array): boolean {
  if (bytes.length !== HEADER_BYTES + payload.length) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return (
    view.getUint32(0, LITTLE) === bytes.length &&
    view.getUint16(MESSAGE_TYPE, LITTLE) === type &&
    view.getUint16(MESSAGE_FLAGS, LITTLE) === (NLM_F_REQUEST | NLM_F_DUMP) &&
    view.getUint32(MESSAGE_PORT, LITTLE) === 0 &&
    payload.every((byte, i) => bytes[HEADER_BYTES + i] === byte)
  );
}

/** Both ends of a list, good and bad, carry an error number: 0 or negative. */
function throwIfError(view: DataView, start: number, end: number): void {
  if (end - start < 4) return;
  const error = view.getInt32(start, LITTLE);
  if (error < 0) throw new NetlinkError("netlink", -error);
}

/** Runs a dump to its end without yielding. */
export function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
