/** The head of an HTTP/1.x message (RFC 9112): where it ends, what its first line is, and how its body is delimited. */
import { equals } from "./plain-word.js";

const enum Letter {
  tab = 0x09,
  lf = 0x0a,
  cr = 0x0d,
  space = 0x20,
  zero = 0x30,
  nine = 0x39,
  comma = 0x2c,
}

/** Registered methods (IANA), and those of proxies, UPnP and Microsoft's RPC over HTTP. What is none of these is not HTTP. */
const METHODS = (
  "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ACL REPORT SEARCH " +
  "CHECKIN CHECKOUT UNCHECKOUT VERSION-CONTROL BASELINE-CONTROL LABEL MERGE MKACTIVITY MKCALENDAR MKWORKSPACE MKREDIRECTREF " +
  "UPDATEREDIRECTREF ORDERPATCH BIND REBIND UNBIND LINK UNLINK UPDATE QUERY NOTIFY SUBSCRIBE UNSUBSCRIBE POLL BCOPY BMOVE " +
  "BDELETE BPROPFIND BPROPPATCH PURGE BAN RPC_IN_DATA RPC_OUT_DATA"
).split(" ");
const LONGEST_METHOD = 17;
/** By first letter. */
const BY_LETTER: readonly (readonly string[])[] = Array.from({ length: 26 }, (_, i) =>
  METHODS.filter((method) => method.charCodeAt(0) === 65 + i),
);

/** `HTTP/1.1 200`; a space or the line's end follows. */
const STATUS_LINE = 12;

/** What `methodLength` says of bytes that may become a method. */
export const UNKNOWN_YET = -1;

/** Length of the method at `at` that a space follows; 0: none; UNKNOWN_YET: more bytes tell. */
export function methodLength(view: DataView, at: number, end: number): number {
  const candidates = at < end ? BY_LETTER[view.getUint8(at) - 65] : undefined;
  if (candidates === undefined) return 0;
  let length = 1;
  while (at + length < end && length <= LONGEST_METHOD && view.getUint8(at + length) > Letter.space) length++;
  const isWhole = at + length < end;
  for (const method of candidates) {
    if (isWhole ? method.length !== length : method.length < length) continue;
    let i = 1;
    while (i < length && view.getUint8(at + i) === method.charCodeAt(i)) i++;
    if (i < length) continue;
    if (!isWhole) return UNKNOWN_YET;
    return view.getUint8(at + length) === Letter.space ? length : 0;
  }
  return 0;
}

/** The status in the status line at `at`; 0: it is none; UNKNOWN_YET: more bytes tell. */
export function statusOf(view: DataView, at: number, end: number): number {
  const known = Math.min(end - at, STATUS_LINE + 1);
  const form = "HTTP/1.d ddd ";
  for (let i = 0; i < known; i++) {
    const byte = view.getUint8(at + i);
    const letter = form.charCodeAt(i);
    if (letter === 0x64) {
      if (byte < Letter.zero || byte > Letter.nine) return 0;
    } else if (byte !== letter && !(i === STATUS_LINE && (byte === Letter.cr || byte === Letter.lf)))
      return 0;
  }
  if (known <= STATUS_LINE) return UNKNOWN_YET;
  const [a, b, c] = [view.getUint8(at + 9) - 48, view.getUint8(at + 10) - 48, view.getUint8(at + 11) - 48];
  return a === 0 ? 0 : a * 100 + b * 10 + c;
}

/** Where the line at `at` ends: its line feed; `end`: not seen. A line may end without carriage return (RFC 9112 2.2). */
export function lineEnd(view: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && view.getUint8(i) !== Letter.lf) i++;
  return i;
}

/** Whether the line [at, feed) is empty but for its carriage return. */
export function isEmptyLine(view: DataView, at: number, feed: number): boolean {
  return feed === at || (feed === at + 1 && view.getUint8(at) === Letter.cr);
}

/** Whether the line [at, feed) ends as a request line does: `HTTP/1.1`. */
export function endsAsRequest(view: DataView, at: number, feed: number): boolean {
  const stop = feed > at && view.getUint8(feed - 1) === Letter.cr ? feed - 1 : feed;
  if (stop - at < 9) return false;
  const digit = view.getUint8(stop - 1);
  return equals(view, stop - 8, "http/1.") && digit >= Letter.zero && digit <= Letter.nine;
}

/** What the fields say of the body. */
export const enum Framing {
  /** Nothing is said. */
  none = 0,
  /** `Head.length` bytes. */
  length = 1,
  chunked = 2,
  /** A coding that ends with the connection. */
  close = 3,
  /** The fields contradict each other (RFC 9112 6.3): where the body ends is anybody's guess. */
  invalid = 4,
}

/** A head, read. Reused. */
export class Head {
  /** Bytes with the empty line; 0: it is not whole. */
  bytes = 0;
  /** Line feed of its first line. */
  firstLineEnd = 0;
  framing: Framing = Framing.none;
  /** Content-Length. */
  length = 0;

  /** Reads the head at `at`. `from`: bytes of it that are known not to hold its end. */
  read(view: DataView, at: number, end: number, from: number): void {
    this.bytes = 0;
    // An empty line ends at the earliest two bytes behind what was looked through.
    let feed = lineEnd(view, Math.max(at, at + from - 2), end);
    while (feed < end) {
      const next = lineEnd(view, feed + 1, Math.min(end, feed + 3));
      if (next < end && next < feed + 3 && isEmptyLine(view, feed + 1, next)) {
        this.bytes = next + 1 - at;
        this.#readFields(view, at, next);
        return;
      }
      feed = lineEnd(view, feed + 1, end);
    }
  }

  /** Field names in any case; a line that begins with a space goes on (obs-fold). */
  #readFields(view: DataView, at: number, end: number): void {
    this.framing = Framing.none;
    this.length = 0;
    let isCoded = false;
    this.firstLineEnd = lineEnd(view, at, end);
    for (let line = this.firstLineEnd + 1; line < end; ) {
      let feed = lineEnd(view, line, end);
      while (feed + 1 < end && isBlank(view.getUint8(feed + 1))) feed = lineEnd(view, feed + 1, end);
      const first = view.getUint8(line) | 0x20;
      if (first === 0x63 && isField(view, line, feed, "content-length:")) {
        if (!isCoded) this.#takeLength(view, line + 15, feed);
      } else if (first === 0x74 && isField(view, line, feed, "transfer-encoding:")) {
        isCoded = true;
        this.framing = endsChunked(view, line + 18, feed) ? Framing.chunked : Framing.close;
      }
      line = feed + 1;
    }
  }

  /** One number, or the same number several times (RFC 9110 8.6). */
  #takeLength(view: DataView, at: number, end: number): void {
    let value = -1;
    let isAfterNumber = false;
    for (let i = at; i < end; i++) {
      const byte = view.getUint8(i);
      if (byte >= Letter.zero && byte <= Letter.nine && !isAfterNumber)
        value = Math.max(value, 0) * 10 + byte - Letter.zero;
      else if (byte === Letter.comma && value >= 0) {
        this.#takeNumber(value);
        value = -1;
        isAfterNumber = false;
      } else if (isBlank(byte) || byte === Letter.cr || byte === Letter.lf) isAfterNumber = value >= 0;
      else value = Number.POSITIVE_INFINITY;
    }
    this.#takeNumber(value);
  }

  #takeNumber(value: number): void {
    const isSame = this.framing !== Framing.length || this.length === value;
    const isValid = value >= 0 && value <= Number.MAX_SAFE_INTEGER && isSame;
    this.framing = isValid && this.framing !== Framing.invalid ? Framing.length : Framing.invalid;
    this.length = value;
  }
}

function isBlank(byte: number): boolean {
  return byte === Letter.space || byte === Letter.tab;
}

function isField(view: DataView, at: number, end: number, name: string): boolean {
  return end - at >= name.length && equals(view, at, name);
}

/** Whether the last coding named is `chunked`. */
function endsChunked(view: DataView, at: number, end: number): boolean {
  let stop = end;
  while (stop > at && view.getUint8(stop - 1) <= Letter.space) stop--;
  return stop - at >= 7 && equals(view, stop - 7, "chunked");
}
