/** Messages between two processes, and descriptors that go with them (unix(7), SCM_RIGHTS). */
import { constants } from "node:os";
import { addressOf, libc, SystemError } from "./libc.js";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_DOMAIN = 39;
const SO_RCVTIMEO = 20;
const SCM_RIGHTS = 1;
/** MSG_NOSIGNAL, MSG_CMSG_CLOEXEC; MSG_TRUNC and MSG_CTRUNC come back if a part did not fit. */
const NO_SIGNAL = 0x4000;
const DESCRIPTORS_CLOSE_ON_EXEC = 0x4000_0000;
const CUT = 0x20 | 0x8;
/** asm-generic/ioctls.h: FIOCLEX and FIONCLEX. */
const CLOSE_ON_EXEC = 0x5451;
const KEEP_ON_EXEC = 0x5450;

/** struct msghdr, struct iovec and struct cmsghdr of a 64-bit machine. */
const HEADER_BYTES = 56;
const PART_BYTES = 16;
const CONTROL_BYTES = 16;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
/** Most descriptors in one message. */
const MAX_DESCRIPTORS = 32;

/** One message. The receiver owns the descriptors and closes them. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly descriptors: readonly number[];
}

/** Two connected sockets that keep messages apart. Closed on exec. Throws SystemError. */
export function openPair(): readonly [number, number] {
  const fds = new Int32Array(2);
  libc().socketpair(AF_UNIX, SOCK_SEQPACKET, fds);
  return [fds[0]!, fds[1]!];
}

/** Whether a descriptor is an end of such a pair. */
export function isPairEnd(fd: number): boolean {
  try {
    return optionOf(fd, SO_DOMAIN) === AF_UNIX && optionOf(fd, SO_TYPE) === SOCK_SEQPACKET;
  } catch {
    return false; // no socket, or not open
  }
}

/** An integer option of a socket. Throws SystemError if the descriptor is no socket. */
export function optionOf(fd: number, name: number): number {
  const value = new Uint8Array(4);
  libc().getsockopt(fd, SOL_SOCKET, name, value);
  return new DataView(value.buffer).getInt32(0, true);
}

/** Whether the descriptor stays open in programs that the process becomes or starts. */
export function keepOnExec(fd: number, isKept: boolean): void {
  libc().ioctl(fd, isKept ? KEEP_ON_EXEC : CLOSE_ON_EXEC, new Uint8Array(4));
}

/** Time-out of a receive, in seconds. */
export function setPatience(fd: number, seconds: number): void {
  libc().setsockopt(
    fd,
    SOL_SOCKET,
    SO_RCVTIMEO,
    new Uint8Array(BigInt64Array.of(BigInt(seconds), 0n).buffer),
  );
}

/** Sends one message; waits while the other side is not ready. Throws SystemError: EPIPE if the other side is closed. */
export function sendMessage(fd: number, bytes: Uint8Array, descriptors: readonly number[] = []): void {
  if (descriptors.length > MAX_DESCRIPTORS) throw new SystemError("sendmsg", constants.errno.E2BIG);
  const frame = new Frame(bytes, descriptors.length);
  descriptors.forEach((one, i) => {
    frame.control.setInt32(CONTROL_BYTES + i * 4, one, true);
  });
  frame.call((header) => libc().sendmsg(fd, header, NO_SIGNAL), "sendmsg");
}

/**
 * Receives one message into `room`; zero bytes: the other side is closed. Throws SystemError: EAGAIN if none came in time,
 * EMSGSIZE if it is larger.
 */
export function receiveMessage(fd: number, room: Uint8Array): Message {
  const frame = new Frame(room, MAX_DESCRIPTORS);
  const received = frame.call((header) => libc().recvmsg(fd, header, DESCRIPTORS_CLOSE_ON_EXEC), "recvmsg");
  const descriptors = frame.descriptors;
  if (!frame.isCut) return { bytes: room.subarray(0, received), descriptors };
  for (const one of descriptors) libc().close(one);
  throw new SystemError("recvmsg", constants.errno.EMSGSIZE);
}

/** A struct msghdr of one part, with room for descriptors. It owns the memory that its addresses point to. */
class Frame {
  readonly control: DataView;
  readonly #header = new DataView(new ArrayBuffer(HEADER_BYTES));
  readonly #part = new DataView(new ArrayBuffer(PART_BYTES));
  /** Referenced here because the kernel has its address. */
  held: Uint8Array | null;

  constructor(bytes: Uint8Array, descriptors: number) {
    this.held = bytes;
    this.control = new DataView(new ArrayBuffer(CONTROL_BYTES + ((descriptors * 4 + 7) & ~7)));
    const header = this.#header;
    this.#part.setBigUint64(0, addressOf(bytes), true);
    this.#part.setBigUint64(8, BigInt(bytes.length), true);
    header.setBigUint64(16, addressOf(bytesOf(this.#part)), true);
    header.setBigUint64(24, 1n, true);
    if (descriptors === 0) return;
    header.setBigUint64(32, addressOf(bytesOf(this.control)), true);
    header.setBigUint64(CONTROL_LENGTH, BigInt(this.control.byteLength), true);
    this.control.setBigUint64(0, BigInt(CONTROL_BYTES + descriptors * 4), true);
    this.control.setInt32(8, SOL_SOCKET, true);
    this.control.setInt32(12, SCM_RIGHTS, true);
  }

  /** Repeats a call that a signal interrupted. */
  call(fn: (header: Uint8Array) => number, syscall: string): number {
    let result: number;
    do result = fn(bytesOf(this.#header));
    while (-result === constants.errno.EINTR);
    this.held = null;
    if (result < 0) throw new SystemError(syscall, -result);
    return result;
  }

  get isCut(): boolean {
    return (this.#header.getInt32(FLAGS, true) & CUT) !== 0;
  }

  get descriptors(): number[] {
    const { control } = this;
    const length = Number(this.#header.getBigUint64(CONTROL_LENGTH, true));
    if (length < CONTROL_BYTES || control.getInt32(12, true) !== SCM_RIGHTS) return [];
    const end = Math.min(Number(control.getBigUint64(0, true)), length);
    const found: number[] = [];
    for (let at = CONTROL_BYTES; at + 4 <= end; at += 4) found.push(control.getInt32(at, true));
    return found;
  }
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
