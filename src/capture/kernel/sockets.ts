/** TCP sockets of a namespace as `ss` lists them, over sock_diag (sock_diag(7), linux/inet_diag.h). */
import { opener } from "../opener/opener.js";
import {
  finish,
  LITTLE,
  type NetlinkChannel,
  NetlinkDumper,
  NetlinkFamily,
  netlinkChannel,
} from "./netlink.js";
import type { NetnsTarget } from "./netns.js";

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** struct inet_diag_req_v2. */
const REQUEST_BYTES = 56;
const REQUEST_STATES = 4;
/** struct inet_diag_msg, and the inet_diag_sockid in it. */
const ANSWER_BYTES = 72;
const ANSWER_STATE = 1;
const ANSWER_SOURCE_PORT = 4;
const ANSWER_DESTINATION_PORT = 6;
const ANSWER_SOURCE = 8;
const ANSWER_DESTINATION = 24;

/** Kernel numbers of TCP states (net/tcp_states.h). */
export const enum TcpState {
  established = 1,
  listen = 10,
}

/** Where a field is in a socket's words. IPv4 addresses take the first of four. */
export const enum SocketWord {
  version = 0,
  state = 1,
  /** Local port in the upper half, remote port in the lower. */
  ports = 2,
  local = 4,
  remote = 8,
  count = 12,
}

/** Sockets, packed; reused from poll to poll. */
export class SocketTable {
  count = 0;
  /** SocketWord.count a socket. */
  words = new Int32Array(256 * SocketWord.count);

  word(socket: number, word: number): number {
    return this.words[socket * SocketWord.count + word]!;
  }

  truncate(count: number): void {
    this.count = count;
  }

  /** Adds the socket of one answer. */
  take(view: DataView, start: number, end: number, type: number): void {
    if (type !== SOCK_DIAG_BY_FAMILY || end - start < ANSWER_BYTES) return;
    const at = this.count++ * SocketWord.count;
    if (at + SocketWord.count > this.words.length) {
      const larger = new Int32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    const { words } = this;
    const ipv6 = view.getUint8(start) === AF_INET6;
    words[at + SocketWord.version] = ipv6 ? 6 : 4;
    words[at + SocketWord.state] = view.getUint8(start + ANSWER_STATE);
    words[at + SocketWord.ports] =
      (view.getUint16(start + ANSWER_SOURCE_PORT) << 16) | view.getUint16(start + ANSWER_DESTINATION_PORT);
    for (let i = 0; i < 4; i++) {
      words[at + SocketWord.local + i] = ipv6 || i === 0 ? view.getInt32(start + ANSWER_SOURCE + 4 * i) : 0;
      words[at + SocketWord.remote + i] =
        ipv6 || i === 0 ? view.getInt32(start + ANSWER_DESTINATION + 4 * i) : 0;
    }
  }
}

/** Reads one namespace's established and listening TCP sockets as often as asked. Needs no capability once open. */
export class SocketReader {
  readonly table = new SocketTable();
  readonly #dumper: NetlinkDumper;

  constructor(channel: NetlinkChannel) {
    this.#dumper = new NetlinkDumper(channel);
  }

  /** Opens a socket in the namespace; null: this one. Throws NetnsError, SystemError. */
  static open(netns: NetnsTarget | null): SocketReader {
    return new SocketReader(netlinkChannel(opener().netlinkSocket(netns, NetlinkFamily.sockDiag)));
  }

  /** Lists read again because they changed during the read. */
  get resyncs(): number {
    return this.#dumper.resyncs;
  }

  /** Reads the list again, IPv4 then IPv6. Returns false if it changed at every try. Throws NetlinkError. */
  *steps(): Generator<void, boolean> {
    const { table } = this;
    table.truncate(0);
    let whole = true;
    for (const family of [AF_INET, AF_INET6]) {
      const before = table.count;
      const take = (view: DataView, start: number, end: number, type: number) =>
        table.take(view, start, end, type);
      const begin = () => table.truncate(before);
      if (!(yield* this.#dumper.dump(SOCK_DIAG_BY_FAMILY, requestOf(family), begin, take))) whole = false;
    }
    return whole;
  }

  /** Reads the list again without yielding. */
  read(): boolean {
    return finish(this.steps());
  }

  close(): void {
    this.#dumper.close();
  }
}

function requestOf(family: number): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  bytes[0] = family;
  bytes[1] = IPPROTO_TCP;
  const states = (1 << TcpState.established) | (1 << TcpState.listen);
  new DataView(bytes.buffer).setUint32(REQUEST_STATES, states, LITTLE);
  return bytes;
}
