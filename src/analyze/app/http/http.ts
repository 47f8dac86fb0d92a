/**
 * HTTP/1.0 and 1.1 (RFC 9112): method and route of each request, status of its answer.
 *
 * A duration is from the first byte of the request to the first byte of its final answer (not of `100 Continue`). Bytes are those of
 * heads and bodies: a body of known length as its head says it, others as they come. An answer of 400 and more is an error.
 * Bodies are passed over unseen, holes in them included. What comes after CONNECT and 101 (WebSocket, h2c) is not read.
 */
import { type Application, type Dialogue, Looks, MAX_HELD, Read } from "../application.js";
import type { Exchanges } from "../exchanges.js";
import {
  endsAsRequest,
  Framing,
  Head,
  isEmptyLine,
  lineEnd,
  methodLength,
  statusOf,
  UNKNOWN_YET,
} from "./http-head.js";
import { equals } from "./plain-word.js";
import { writeRoute } from "./route.js";

/** A request line is believed at its end, or if it is as long as this. */
const LINE_SEEN = 256;
/** Digits of a chunk's size: as many as a number holds exactly. */
const MAX_SIZE_DIGITS = 13;

export const http: Application = {
  name: "http",
  isPipelined: false,
  looks: httpLooks,
  open: (exchanges) => new HttpDialogue(exchanges),
};

function httpLooks(view: DataView, at: number, end: number): Looks {
  const status = statusOf(view, at, end);
  if (status !== 0) return status === UNKNOWN_YET ? Looks.short : Looks.response;
  const method = methodLength(view, at, end);
  if (method <= 0) return method === 0 ? Looks.no : Looks.short;
  const seen = Math.min(end, at + LINE_SEEN);
  const feed = lineEnd(view, at, seen);
  if (feed === seen) return seen - at === LINE_SEEN ? Looks.request : Looks.short;
  return endsAsRequest(view, at + method, feed) ? Looks.request : Looks.no;
}

/** What the dialogue must know of a request when its answer comes. */
const enum Kind {
  plain = 0,
  head = 1,
  connect = 2,
}

/** What the next bytes of a side are. */
const enum State {
  head = 0,
  /** A body as long as its head said, or the next head: whether there is a body depends on a request that was not seen. */
  perhapsBody = 1,
  chunkSize = 2,
  trailers = 3,
  untilClose = 4,
  /** Another protocol. */
  tunnel = 5,
}

/** One side's place in its messages. */
class Half {
  state: State = State.head;
  /** Bytes of an unfinished head that were looked through. */
  scanned = 0;
  /** Operation that the body belongs to, or -1. */
  operation = -1;
  /** While perhapsBody: how long it is. */
  length = 0;

  begin(): void {
    this.state = State.head;
    this.scanned = 0;
    this.operation = -1;
  }
}

class HttpDialogue implements Dialogue {
  readonly #exchanges: Exchanges;
  readonly #head = new Head();
  readonly #client = new Half();
  readonly #server = new Half();

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number): number {
    const half = fromClient ? this.#client : this.#server;
    switch (half.state) {
      case State.head:
        return this.#readHead(fromClient, half, view, at, end, firstUs);
      case State.perhapsBody: {
        const status = statusOf(view, at, end);
        if (status === UNKNOWN_YET) return Read.more;
        half.state = State.head;
        return status === 0 ? half.length : this.#readHead(fromClient, half, view, at, end, firstUs);
      }
      case State.chunkSize:
        return this.#readChunk(fromClient, half, view, at, end);
      case State.trailers:
        return this.#readTrailer(fromClient, half, view, at, end);
      case State.untilClose:
        this.#grow(fromClient, half, end - at);
        return end - at;
      default:
        return Read.enough;
    }
  }

  lost(fromClient: boolean): void {
    const half = fromClient ? this.#client : this.#server;
    if (half.state !== State.tunnel) half.begin();
  }

  end(): void {}

  #readHead(
    fromClient: boolean,
    half: Half,
    view: DataView,
    at: number,
    end: number,
    firstUs: number,
  ): number {
    // Empty lines before a message are passed over (RFC 9112 2.2).
    const first = view.getUint8(at);
    if (first === 0x0d || first === 0x0a) return 1;
    const isHead = fromClient ? methodLength(view, at, end) : statusOf(view, at, end);
    if (isHead === 0) return Read.broken;
    const head = this.#head;
    head.read(view, at, end, half.scanned);
    if (head.bytes === 0) {
      half.scanned = end - at;
      return end - at >= MAX_HELD ? Read.broken : Read.more;
    }
    half.begin();
    return fromClient
      ? this.#takeRequest(half, view, at, isHead, firstUs)
      : this.#takeResponse(half, isHead, firstUs);
  }

  #takeRequest(half: Half, view: DataView, at: number, method: number, timeUs: number): number {
    const head = this.#head;
    const feed = head.firstLineEnd;
    if (head.framing >= Framing.close || !endsAsRequest(view, at + method, feed)) return Read.broken;
    const { operations, channel } = this.#exchanges;
    const name = operations.scratch;
    for (let i = 0; i < method; i++) name[i] = view.getUint8(at + i);
    const isConnect = method === 7 && equals(view, at, "connect");
    let length = method;
    if (!isConnect) {
      name[length++] = 0x20;
      const from = at + method + 1;
      length = writeRoute(
        view,
        from,
        targetEnd(view, from, feed),
        name,
        length,
        operations.vocabulary,
        channel,
      );
    }
    const isHead = method === 4 && equals(view, at, "head");
    const body = head.framing === Framing.length ? head.length : 0;
    if (this.#server.state !== State.head) this.#exchanges.overlaps = true;
    const kind = isConnect ? Kind.connect : isHead ? Kind.head : Kind.plain;
    half.operation = this.#exchanges.request(name, length, timeUs, head.bytes + body, kind);
    if (head.framing === Framing.chunked) half.state = State.chunkSize;
    return head.bytes + body;
  }

  #takeResponse(half: Half, status: number, timeUs: number): number {
    const head = this.#head;
    if (status < 200 && status !== 101) return head.bytes;
    const isKnown = this.#exchanges.count > 0;
    const kind = isKnown ? this.#exchanges.oldestKind : Kind.plain;
    const isTunnel = status === 101 || (kind === Kind.connect && status < 300);
    const hasBody = !isTunnel && status !== 204 && status !== 304 && kind !== Kind.head;
    const body = hasBody && isKnown && head.framing === Framing.length ? head.length : 0;
    half.operation = this.#exchanges.answer(timeUs, status, status >= 400, head.bytes + body);
    if (isTunnel) {
      half.state = State.tunnel;
      this.#client.state = State.tunnel;
      return Read.enough;
    }
    if (!hasBody) return head.bytes;
    switch (head.framing) {
      case Framing.length:
        if (isKnown) break;
        half.state = State.perhapsBody;
        half.length = head.length;
        if (head.length === 0) half.state = State.head;
        break;
      case Framing.chunked:
        half.state = State.chunkSize;
        break;
      case Framing.invalid:
        return Read.broken;
      default:
        half.state = State.untilClose;
    }
    return head.bytes + body;
  }

  /** A chunk with the line of its size (RFC 9112 7.1), and the end of the line that closed the one before. */
  #readChunk(fromClient: boolean, half: Half, view: DataView, at: number, end: number): number {
    const first = view.getUint8(at);
    if (first === 0x0d || first === 0x0a) return 1;
    const feed = lineEnd(view, at, end);
    if (feed === end) return end - at >= MAX_HELD ? Read.broken : Read.more;
    let size = 0;
    let i = at;
    for (; i < feed; i++) {
      const digit = hexDigit(view.getUint8(i));
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (i === at || i - at > MAX_SIZE_DIGITS) return Read.broken;
    const bytes = feed + 1 - at + size;
    this.#grow(fromClient, half, bytes);
    if (size === 0) half.state = State.trailers;
    return bytes;
  }

  #readTrailer(fromClient: boolean, half: Half, view: DataView, at: number, end: number): number {
    const feed = lineEnd(view, at, end);
    if (feed === end) return end - at >= MAX_HELD ? Read.broken : Read.more;
    this.#grow(fromClient, half, feed + 1 - at);
    if (isEmptyLine(view, at, feed)) half.begin();
    return feed + 1 - at;
  }

  /** Counts bytes of a body whose length was not known. */
  #grow(fromClient: boolean, half: Half, bytes: number): void {
    if (half.operation < 0) return;
    if (fromClient) this.#exchanges.operations.requestGrew(half.operation, bytes);
    else this.#exchanges.operations.responseGrew(half.operation, bytes);
  }
}

/** Where the target ends that begins at `at`: before the last space of its line. */
function targetEnd(view: DataView, at: number, feed: number): number {
  let i = feed - 1;
  while (i > at && view.getUint8(i) !== 0x20) i--;
  return i;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const small = byte | 0x20;
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : -1;
}
