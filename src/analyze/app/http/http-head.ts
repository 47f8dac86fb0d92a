/** The head of an HTTP/1.x message (RFC 9112): what its first line is, where it ends, and how its body is delimited. */
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

/** Longest accepted method; a method is any token (RFC 9110 5.6.2, 9.1). */
const MAX_METHOD = 127;
const TOKEN = new Uint8Array(256);
for (let byte = 0x30; byte < 0x7b; byte++)
  if (byte < 0x3a || (byte > 0x40 && byte < 0x5b) || byte > 0x60) TOKEN[byte] = 1;
for (const mark of "!#$%&'*+-.^_`|~") TOKEN[mark.charCodeAt(0)] = 1;

/** `HTTP/1.1 200`; a space or the line's end follows. */
export const STATUS_LINE = 12;

/** Result of `methodLength` for an incomplete method. */
export const UNKNOWN_YET = -1;

/** Length of the method at `at` that a space follows; 0: none; UNKNOWN_YET: more bytes tell. */
export function methodLength(view: DataView, at: number, end: number): number {
  const stop = Math.min(end, at + MAX_METHOD + 1);
  let i = at;
  while (i < stop && TOKEN[view.getUint8(i)] === 1) i++;
  if (i === end && i < at + MAX_METHOD + 1) return UNKNOWN_YET;
  return i < stop && view.getUint8(i) === Letter.space ? i - at : 0;
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

/** Whether the line [at, feed) ends as a request line does: `HTTP/1.1`. */
export function endsAsRequest(view: DataView, at: number, feed: number): boolean {
  const stop = feed > at && view.getUint8(feed - 1) === Letter.cr ? feed - 1 : feed;
  if (stop - at < 9) return false;
  const digit = view.getUint8(stop - 1);
  return equals(view, stop - 8, "http/1.") && digit >= Letter.zero && digit <= Letter.nine;
}

/** Framing of the body by the header fields. */
export const enum Framing {
  /** No framing field. */
  none = 0,
  /** `Head.length` bytes. */
  length = 1,
  chunked = 2,
  /** A coding that ends with the connection. */
  close = 3,
  /** The fields contradict each other (RFC 9112 6.3): the end of the body is unknown. */
  invalid = 4,
}

/** Longest field that is read, folded lines included; a longer one of these is invalid. */
const MAX_FIELD = 4096;

/** The rest of a field decides: it is shown again with more. */
const FIELD_SHORT = 0;

/** Reads the fields of one message line by line as they come: keeps none of them, of any length. */
export class Fields {
  /** The empty line was read. */
  isDone = false;
  framing: Framing = Framing.none;
  /** Content-Length. */
  length = 0;
  /** The body is sent once the server has said 100 (RFC 9110 10.1.1). */
  expectsContinue = false;
  #isCoded = false;
  /** Inside a line that is skipped to its end. */
  #isPassing = false;

  /** `isMidway`: the rest of the first line comes first. */
  begin(isMidway: boolean): void {
    this.isDone = false;
    this.framing = Framing.none;
    this.length = 0;
    this.expectsContinue = false;
    this.#isCoded = false;
    this.#isPassing = isMidway;
  }

  /** Reads bytes [at, end) up to the empty line. Returns how many it has consumed; the others come again with more. */
  read(view: DataView, at: number, end: number): number {
    let next = at;
    while (next < end && !this.isDone) {
      const used = this.#isPassing ? this.#pass(view, next, end) : this.#readLine(view, next, end);
      if (used === FIELD_SHORT) break;
      next += used;
    }
    return next - at;
  }

  #pass(view: DataView, at: number, end: number): number {
    const feed = lineEnd(view, at, end);
    this.#isPassing = feed === end;
    return Math.min(end, feed + 1) - at;
  }

  #readLine(view: DataView, at: number, end: number): number {
    switch (view.getUint8(at) | 0x20) {
      case 0x63:
        return this.#readField(view, at, end, "content-length:");
      case 0x74:
        return this.#readField(view, at, end, "transfer-encoding:");
      case 0x65:
        return this.#readField(view, at, end, "expect:");
      case 0x2a: // LF
        if (view.getUint8(at) === Letter.lf) this.isDone = true;
        break;
      case 0x2d: // CR
        if (view.getUint8(at) !== Letter.cr) break;
        if (at + 1 === end) return FIELD_SHORT;
        if (view.getUint8(at + 1) !== Letter.lf) break;
        this.isDone = true;
        return 2;
    }
    return this.#pass(view, at, end);
  }

  /** A field that matters if it has this name, in any case. A line that begins with a space goes on (obs-fold). */
  #readField(view: DataView, at: number, end: number, name: string): number {
    const known = Math.min(end - at, name.length);
    for (let i = 1; i < known; i++) {
      const byte = view.getUint8(at + i);
      const letter = name.charCodeAt(i);
      if (byte !== letter && (byte < 0x41 || (byte | 0x20) !== letter)) return this.#pass(view, at, end);
    }
    if (known < name.length) return FIELD_SHORT;
    const stop = Math.min(end, at + MAX_FIELD);
    let feed = lineEnd(view, at, stop);
    while (feed + 1 < stop && isBlank(view.getUint8(feed + 1))) feed = lineEnd(view, feed + 1, stop);
    if (feed + 1 >= stop) {
      if (end - at < MAX_FIELD) return FIELD_SHORT;
      this.framing = Framing.invalid;
      return this.#pass(view, at, end);
    }
    this.#take(view, at + name.length, feed, name);
    return feed + 1 - at;
  }

  #take(view: DataView, at: number, feed: number, name: string): void {
    if (name === "expect:") this.expectsContinue ||= endsWith(view, at, feed, "100-continue");
    else if (name === "content-length:") {
      if (!this.#isCoded) this.#takeLength(view, at, feed);
    } else if (!isIdentity(view, at, feed)) {
      this.#isCoded = true;
      this.framing = endsWith(view, at, feed, "chunked") ? Framing.chunked : Framing.close;
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

/** Whether the last word of a value is this one. */
function endsWith(view: DataView, at: number, end: number, word: string): boolean {
  let stop = end;
  while (stop > at && view.getUint8(stop - 1) <= Letter.space) stop--;
  return stop - at >= word.length && equals(view, stop - word.length, word);
}

/** `identity`, which HTTP/1.1 once had for none. */
function isIdentity(view: DataView, at: number, end: number): boolean {
  let from = at;
  while (from < end && view.getUint8(from) <= Letter.space) from++;
  return endsWith(view, from, end, "identity") && !endsWith(view, from, end - 8, ",");
}
