/**
 * HTTP/1.0 and 1.1 (RFC 9112): method and route of each request, status of its answer.
 *
 * A duration is from the first byte of the request to the first byte of its final answer (not of `100 Continue`). Bytes are those of
 * heads and bodies: a body of known length as its head says it, others as they come. An answer of 400 and more is an error.
 * Heads are read line by line, however long; bodies are passed over unseen, holes in them included. A body that waits for `100 Continue`
 * may be withheld (RFC 9110 10.1.1): what the client sends next tells. What comes after CONNECT and 101 (WebSocket, h2c) is not read.
 */
import { type Application, type Dialogue, Looks, Read, Strictness } from "../application.js";
import type { Exchanges } from "../exchanges.js";
import { MAX_NAME } from "../operations.js";
import { countOutcomes, type OutcomeCounts } from "../outcomes.js";
import {
  endsAsRequest,
  Fields,
  Framing,
  lineEnd,
  methodLength,
  STATUS_LINE,
  statusOf,
  UNKNOWN_YET,
} from "./http-head.js";
import { equals } from "./plain-word.js";
import { writeRoute } from "./route.js";

/** A request line is believed at its end, or if it is as long as this and nothing but text, with a path or URL for target. */
const LINE_SEEN = 256;
/** Bytes of a request line that are read for the route. */
const MAX_LINE = 8192;
/** Longest method shown; longest one accepted within a connection. */
const MAX_SHOWN = 32;
const MAX_USUAL = 24;
const LONG_METHOD = Uint8Array.from("{method}", (letter) => letter.charCodeAt(0));
/** Empty lines before a message that are passed over where one is looked for. */
const MAX_EMPTY = 64;
/** Digits of a chunk's size. */
const MAX_SIZE_DIGITS = 32;

/** From here on a status is an error; from there on it is the server's fault (RFC 9110 15.5, 15.6). */
const CLIENT_ERROR = 400;
const SERVER_ERROR = 500;
const STATUS_CLASSES = [2, 3, 4, 5] as const;

const isError = (status: number): boolean => status >= CLIENT_ERROR;

export const http: Application = {
  name: "http",
  title: "HTTP",
  strictness: Strictness.text,
  transports: {
    tcp: {
      isPipelined: false,
      resumes: "line",
      looks(view, at, end, _, isMidway) {
        let from = at;
        while (from < end && isLineBreak(view.getUint8(from)) && from - at < MAX_EMPTY) from++;
        return from === end ? Looks.short : looksLikeHead(view, from, end, isMidway === true);
      },
      open: (exchanges) => new HttpDialogue(exchanges),
    },
  },
  requests: {
    outcome: { isError, word: String, errors: errorClasses },
    operationTitle: "Route",
    columns: STATUS_CLASSES.map((first) => ({
      name: `status_${first}xx`,
      title: `${first}xx`,
      kind: "count",
      value: (outcomes) => countOutcomes(outcomes, (status) => Math.floor(status / 100) === first),
    })),
    redact: { noun: "route", nameAt: (operation) => operation.indexOf(" ") + 1 },
  },
};

/** `5xx`; `4xx and 5xx`. */
function errorClasses(outcomes: OutcomeCounts): string {
  const server = countOutcomes(outcomes, (status) => status >= SERVER_ERROR);
  if (server === 0) return "4xx";
  const client = countOutcomes(outcomes, (status) => isError(status) && status < SERVER_ERROR);
  return client === 0 ? "5xx" : "4xx and 5xx";
}

function looksLikeHead(view: DataView, at: number, end: number, isMidway: boolean): Looks {
  const status = statusOf(view, at, end);
  if (status !== 0 && status !== UNKNOWN_YET) return Looks.response;
  const method = methodLength(view, at, end);
  if (status === UNKNOWN_YET) return Looks.short;
  if (method === 0) return Looks.no;
  if (isMidway && !isUsual(view, at, method === UNKNOWN_YET ? end : at + method)) return Looks.no;
  if (method === UNKNOWN_YET) return Looks.short;
  const seen = Math.min(end, at + LINE_SEEN);
  const feed = lineEnd(view, at, seen);
  if (!isText(view, at + method + 1, feed)) return Looks.no;
  if (feed < seen) return endsAsRequest(view, at + method, feed) ? Looks.request : Looks.no;
  if (seen - at < LINE_SEEN) return Looks.short;
  return isTarget(view, at + method + 1, seen) ? Looks.request : Looks.no;
}

function isLineBreak(byte: number): boolean {
  return byte === 0x0d || byte === 0x0a;
}

/** A method as they usually are: the end of a body is not taken for the beginning of one. */
function isUsual(view: DataView, at: number, end: number): boolean {
  for (let i = at; i < end; i++) {
    const byte = view.getUint8(i);
    if ((byte < 0x41 || byte > 0x5a) && byte !== 0x2d && byte !== 0x5f) return false;
  }
  return end - at <= MAX_USUAL;
}

/** Nothing but text, a carriage return at the end aside. */
function isText(view: DataView, at: number, end: number): boolean {
  for (let i = at; i < end; i++) {
    const byte = view.getUint8(i);
    if ((byte < 0x20 || byte === 0x7f) && !(byte === 0x0d && i === end - 1)) return false;
  }
  return true;
}

/** A path, or a URL: `http://`. */
function isTarget(view: DataView, at: number, end: number): boolean {
  if (at >= end) return false;
  if (view.getUint8(at) === 0x2f) return true;
  let i = at;
  while (i < end && (view.getUint8(i) | 0x20) >= 0x61 && (view.getUint8(i) | 0x20) <= 0x7a) i++;
  return i > at && i + 3 <= end && equals(view, i, "://");
}

/** What the dialogue must know of a request when its answer comes. */
const enum Kind {
  plain = 0,
  head = 1,
  connect = 2,
}

/** What the next bytes of a side are. */
const enum State {
  firstLine = 0,
  fields = 1,
  /** A body as long as its head said, or the next head: whether there is a body depends on a request that was not seen. */
  perhapsBody = 2,
  /** The same of a client that waits for `100 Continue`. */
  withheldBody = 3,
  body = 4,
  chunkSize = 5,
  /** The rest of the line of a chunk's size. */
  chunkExtension = 6,
  trailers = 7,
  untilClose = 8,
  /** The answer to CONNECT decides whether another protocol follows. */
  perhapsTunnel = 9,
  /** The same, and what came first is no request. */
  likelyTunnel = 10,
  /** Another protocol. */
  tunnel = 11,
  /** Where the message ends cannot be told. */
  unreadable = 12,
}

/** One side's place in its messages. */
class Half {
  state: State = State.firstLine;
  readonly fields = new Fields();
  /** Of the head that is read: bytes so far, when its first came, and what its first line says. */
  bytes = 0;
  timeUs = 0;
  status = 0;
  kind: Kind = Kind.plain;
  nameLength = 0;
  /** The name, where its head came in pieces. */
  name: Uint8Array | null = null;
  /** Operation that the body belongs to, or -1. */
  operation = -1;
  /** Bytes of the body, or chunk, that is still to come. */
  length = 0;

  begin(): void {
    this.state = State.firstLine;
    this.name = null;
    this.operation = -1;
  }
}

class HttpDialogue implements Dialogue {
  readonly #exchanges: Exchanges;
  readonly #client = new Half();
  readonly #server = new Half();

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number): number {
    const half = fromClient ? this.#client : this.#server;
    switch (half.state) {
      case State.firstLine:
        return this.#readFirstLine(fromClient, half, view, at, end, firstUs);
      case State.fields:
        return this.#readFields(fromClient, half, view, at, end);
      case State.perhapsBody: {
        const status = statusOf(view, at, end);
        if (status === UNKNOWN_YET) return Read.more;
        if (status !== 0) return this.#readNext(fromClient, half, view, at, end, firstUs);
        if (half.fields.framing === Framing.length) return this.#passBody(half);
        half.state = State.chunkSize;
        return this.#readChunk(fromClient, half, view, at, end);
      }
      case State.withheldBody:
        return this.#readWithheld(half, view, at, end, firstUs);
      case State.body:
        return this.#passBody(half);
      case State.chunkSize:
        return this.#readChunk(fromClient, half, view, at, end);
      case State.chunkExtension:
        return this.#readExtension(fromClient, half, view, at, end);
      case State.trailers:
        return this.#readTrailers(fromClient, half, view, at, end);
      case State.untilClose:
        this.#grow(fromClient, half, end - at);
        return end - at;
      case State.perhapsTunnel: {
        const looks = looksLikeHead(view, at, end, true);
        if (looks === Looks.short) return Read.more;
        if (looks === Looks.request) return this.#readNext(fromClient, half, view, at, end, firstUs);
        // The first bytes decide, in whatever segments the rest comes.
        half.state = State.likelyTunnel;
        return end - at;
      }
      case State.likelyTunnel:
        return end - at;
      case State.unreadable:
        return Read.broken;
      default:
        return Read.enough;
    }
  }

  lost(fromClient: boolean): void {
    const half = fromClient ? this.#client : this.#server;
    if (half.state !== State.tunnel) half.begin();
  }

  end(): void {}

  #readNext(
    fromClient: boolean,
    half: Half,
    view: DataView,
    at: number,
    end: number,
    firstUs: number,
  ): number {
    half.begin();
    return this.#readFirstLine(fromClient, half, view, at, end, firstUs);
  }

  #readFirstLine(
    fromClient: boolean,
    half: Half,
    view: DataView,
    at: number,
    end: number,
    firstUs: number,
  ): number {
    // Empty lines before a message are passed over (RFC 9112 2.2).
    if (isLineBreak(view.getUint8(at))) return 1;
    const used = fromClient
      ? this.#readRequestLine(half, view, at, end)
      : this.#readStatusLine(half, view, at, end);
    if (used <= 0) return used;
    half.state = State.fields;
    half.bytes = used;
    half.timeUs = firstUs;
    const more = at + used < end ? this.#readFields(fromClient, half, view, at + used, end) : Read.more;
    if (fromClient && half.state === State.fields && half.name === null)
      half.name = this.#exchanges.operations.scratch.slice(0, Math.min(half.nameLength, MAX_NAME));
    return used + more;
  }

  /** Method and target, of which the name is made. Returns the bytes read: all, or of a long line so many. */
  #readRequestLine(half: Half, view: DataView, at: number, end: number): number {
    const method = methodLength(view, at, end);
    if (method <= 0) return method === UNKNOWN_YET ? Read.more : Read.broken;
    const seen = Math.min(end, at + MAX_LINE);
    const feed = lineEnd(view, at, seen);
    const isLong = feed === at + MAX_LINE;
    if (feed - at >= LINE_SEEN && !isTarget(view, at + method + 1, at + LINE_SEEN)) return Read.broken;
    if (!isText(view, at, feed)) return Read.broken;
    if (feed === seen && !isLong) return Read.more;
    if (!isLong && !endsAsRequest(view, at + method, feed)) return Read.broken;
    const { operations, channel } = this.#exchanges;
    const name = operations.scratch;
    let length = method;
    if (method <= MAX_SHOWN) for (let i = 0; i < method; i++) name[i] = view.getUint8(at + i);
    else {
      name.set(LONG_METHOD);
      length = LONG_METHOD.length;
    }
    const isConnect = method === 7 && equals(view, at, "connect");
    if (!isConnect) {
      name[length++] = 0x20;
      const from = at + method + 1;
      const to = isLong ? feed : targetEnd(view, from, feed);
      length = writeRoute(view, from, to, name, length, operations.vocabulary, channel);
    }
    const isHead = method === 4 && equals(view, at, "head");
    half.kind = isConnect ? Kind.connect : isHead ? Kind.head : Kind.plain;
    half.nameLength = length;
    half.fields.begin(isLong);
    return isLong ? MAX_LINE : feed + 1 - at;
  }

  #readStatusLine(half: Half, view: DataView, at: number, end: number): number {
    const status = statusOf(view, at, end);
    if (status <= 0) return status === UNKNOWN_YET ? Read.more : Read.broken;
    half.status = status;
    half.fields.begin(true);
    return STATUS_LINE;
  }

  #readFields(fromClient: boolean, half: Half, view: DataView, at: number, end: number): number {
    const { fields } = half;
    const used = fields.read(view, at, end);
    half.bytes += used;
    if (!fields.isDone) return used;
    half.state = State.firstLine;
    const isReadable = fromClient ? this.#takeRequest(half) : this.#takeResponse(half);
    half.name = null;
    if (!isReadable) half.state = State.unreadable;
    return used;
  }

  /** The head of a request has ended. False: the end of its body is unknown. */
  #takeRequest(half: Half): boolean {
    const { framing, length, expectsContinue } = half.fields;
    if (framing >= Framing.close) return false;
    const name = half.name ?? this.#exchanges.operations.scratch;
    const body = framing === Framing.length ? length : 0;
    const mayWithhold = expectsContinue && (body > 0 || framing === Framing.chunked);
    if (this.#server.state !== State.firstLine) this.#exchanges.overlaps = true;
    const bytes = half.bytes + (mayWithhold ? 0 : body);
    half.operation = this.#exchanges.request(name, half.nameLength, half.timeUs, bytes, half.kind);
    half.length = body;
    if (mayWithhold) half.state = State.withheldBody;
    else if (half.kind === Kind.connect) half.state = State.perhapsTunnel;
    else if (framing === Framing.chunked) half.state = State.chunkSize;
    else if (body > 0) half.state = State.body;
    return true;
  }

  /** The head of an answer has ended. False: the end of its body is unknown. */
  #takeResponse(half: Half): boolean {
    const { status, timeUs } = half;
    if (status === 100 && this.#client.state === State.withheldBody) this.#sendBody();
    if (status < 200 && status !== 101) return true;
    const { framing, length } = half.fields;
    const isKnown = this.#exchanges.count > 0;
    const kind = isKnown ? this.#exchanges.oldestKind : Kind.plain;
    const isTunnel = status === 101 || (kind === Kind.connect && status < 300);
    const hasBody = !isTunnel && status !== 204 && status !== 304 && kind !== Kind.head;
    const body = hasBody && isKnown && framing === Framing.length ? length : 0;
    half.operation = this.#exchanges.answer(timeUs, status, status >= 400, half.bytes + body);
    half.length = length;
    if (isTunnel) this.#client.state = half.state = State.tunnel;
    else if (this.#client.state === State.perhapsTunnel || this.#client.state === State.likelyTunnel)
      this.#client.begin();
    if (!hasBody) return true;
    if (framing === Framing.invalid) return false;
    if (framing === Framing.chunked) half.state = isKnown ? State.chunkSize : State.perhapsBody;
    else if (framing !== Framing.length) half.state = State.untilClose;
    else if (length > 0) half.state = isKnown ? State.body : State.perhapsBody;
    return true;
  }

  #passBody(half: Half): number {
    half.begin();
    return half.length;
  }

  /** The body that was waited for is sent. */
  #sendBody(): void {
    const half = this.#client;
    const isChunked = half.fields.framing === Framing.chunked;
    half.state = isChunked ? State.chunkSize : State.body;
    if (!isChunked) this.#grow(true, half, half.length);
  }

  /** The server has not asked for the body: either it comes anyway, or the next request. */
  #readWithheld(half: Half, view: DataView, at: number, end: number, firstUs: number): number {
    const isRequestBehind =
      half.length > 0 &&
      end - at > half.length &&
      looksLikeHead(view, at + half.length, end, true) === Looks.request;
    const looks = isRequestBehind ? Looks.no : looksLikeHead(view, at, end, true);
    if (looks === Looks.short) return Read.more;
    if (looks === Looks.request) return this.#readNext(true, half, view, at, end, firstUs);
    this.#sendBody();
    return half.state === State.body ? this.#passBody(half) : this.#readChunk(true, half, view, at, end);
  }

  /** A chunk with the line of its size (RFC 9112 7.1), and the end of the line that closed the one before. */
  #readChunk(fromClient: boolean, half: Half, view: DataView, at: number, end: number): number {
    if (isLineBreak(view.getUint8(at))) return 1;
    let size = 0;
    let i = at;
    for (; i < end && i - at <= MAX_SIZE_DIGITS; i++) {
      const digit = hexDigit(view.getUint8(i));
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (i === end && i - at <= MAX_SIZE_DIGITS) return Read.more;
    if (i === at || i - at > MAX_SIZE_DIGITS || size > Number.MAX_SAFE_INTEGER) return Read.broken;
    if (!endsSize(view.getUint8(i))) return Read.broken;
    half.length = size;
    half.state = State.chunkExtension;
    const used = i - at;
    this.#grow(fromClient, half, used);
    return used + this.#readExtension(fromClient, half, view, i, end);
  }

  #readExtension(fromClient: boolean, half: Half, view: DataView, at: number, end: number): number {
    const feed = lineEnd(view, at, end);
    const isWhole = feed < end;
    const bytes = isWhole ? feed + 1 - at + half.length : end - at;
    this.#grow(fromClient, half, bytes);
    if (isWhole) half.state = half.length === 0 ? State.trailers : State.chunkSize;
    if (half.state === State.trailers) half.fields.begin(false);
    return bytes;
  }

  #readTrailers(fromClient: boolean, half: Half, view: DataView, at: number, end: number): number {
    const used = half.fields.read(view, at, end);
    this.#grow(fromClient, half, used);
    if (half.fields.isDone) half.begin();
    return used;
  }

  /** Counts bytes of a body whose length was not known. */
  #grow(fromClient: boolean, half: Half, bytes: number): void {
    if (half.operation < 0) return;
    if (fromClient) this.#exchanges.operations.requestGrew(half.operation, bytes);
    else this.#exchanges.operations.responseGrew(half.operation, bytes);
  }
}

/** What may stand behind the size of a chunk: an extension, blanks, the line's end. */
function endsSize(byte: number): boolean {
  return byte === 0x3b || byte === 0x20 || byte === 0x09 || isLineBreak(byte);
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
