/** The lines of RESP, the Redis serialization protocol, and how a server's message is told from anything else. */
import { Looks } from "../application.js";
import { Keywords } from "../keywords.js";
import { ERRORS } from "./redis-keywords.js";

/** First bytes of RESP's types. */
export const enum Type {
  simple = 0x2b,
  error = 0x2d,
  integer = 0x3a,
  bulk = 0x24,
  array = 0x2a,
  null = 0x5f,
  boolean = 0x23,
  double = 0x2c,
  bigNumber = 0x28,
  blobError = 0x21,
  verbatim = 0x3d,
  map = 0x25,
  set = 0x7e,
  push = 0x3e,
  attribute = 0x7c,
  /** A part of a streamed string, and the end of a streamed aggregate. */
  chunk = 0x3b,
  end = 0x2e,
}

/** What `LengthLine.read` returns in place of a position. */
export const enum Line {
  more = -1,
  broken = -2,
}
/** The length of what is streamed: `?`. */
export const STREAMED = -2;
/** Longest length that is read: 2^31 - 1, as servers have it. */
const MAX_LENGTH = 2 ** 31 - 1;
const MAX_SIMPLE = 64;
/** Bytes of a reply that are waited for to tell it. */
const MAX_TOLD = 128;
const SIGNS = "+-";
const DIGITS = "0123456789";

/** A number in a line of its own. Reused: reading makes nothing. */
export class LengthLine {
  /** The last number read; -1 for a null, STREAMED for what is streamed. */
  value = 0;

  /** Reads from `at`, behind the type's byte, to behind CR LF, and returns that position. */
  read(view: DataView, at: number, end: number): number {
    if (at === end) return Line.more;
    let i = at;
    const first = view.getUint8(i);
    if (first === 0x2d || first === 0x3f) i++;
    let value = 0;
    const digits = i;
    for (; i < end; i++) {
      const digit = view.getUint8(i) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (value > MAX_LENGTH) return Line.broken;
    }
    if (first === 0x3f ? i > digits : i === digits && i < end) return Line.broken;
    if (first === 0x2d && i < end && value !== 1) return Line.broken;
    if (i < end && view.getUint8(i) !== 0x0d) return Line.broken;
    if (i + 1 < end && view.getUint8(i + 1) !== 0x0a) return Line.broken;
    // Zeros in front could go on for ever.
    if (i - at > 16) return Line.broken;
    if (i + 2 > end) return Line.more;
    this.value = first === 0x2d ? -1 : first === 0x3f ? STREAMED : value;
    return i + 2;
  }
}

/** What bytes [at, end) look like as a server's message, arrays aside: a whole line, or a type with its length. */
export function looksLikeReply(view: DataView, at: number, end: number): Looks {
  switch (view.getUint8(at)) {
    case Type.simple:
      return looksLine(view, at + 1, end, MAX_SIMPLE, isGraphic);
    case Type.error:
      return looksLikeError(view, at + 1, end);
    case Type.integer:
      return looksLine(view, at + 1, end, 20, oneOf(SIGNS + DIGITS));
    case Type.double:
      return looksLine(view, at + 1, end, 32, oneOf(`${SIGNS + DIGITS}.einfaEINFA`));
    case Type.bigNumber:
      return looksLine(view, at + 1, end, MAX_SIMPLE, oneOf(SIGNS + DIGITS));
    case Type.boolean:
      return looksLine(view, at + 1, end, 1, oneOf("tf"));
    case Type.null:
      return looksLine(view, at + 1, end, 0, oneOf(""));
    case Type.bulk:
    case Type.verbatim:
    case Type.blobError:
      return looksLikeBulk(view, at, end);
    case Type.map:
    case Type.set:
    case Type.push:
    case Type.attribute:
      return looksLikeAggregate(view, at, end);
    default:
      return Looks.no;
  }
}

/** The same, and what it says of some bytes it says of them and any that follow: it waits for the end of a short string. */
export function tellsReply(view: DataView, at: number, end: number): Looks {
  const looks = looksLikeReply(view, at, Math.min(end, at + MAX_TOLD));
  if (looks !== Looks.response || end - at >= MAX_TOLD) return looks;
  return isTold(view, at, end) ? looks : Looks.short;
}

/** Whether a reply is whole as far as `looksLikeReply` reads it. */
function isTold(view: DataView, at: number, end: number): boolean {
  const type = view.getUint8(at);
  const isString = type === Type.bulk || type === Type.verbatim || type === Type.blobError;
  const isAggregate = type === Type.map || type === Type.set || type === Type.push || type === Type.attribute;
  if (!isString && !isAggregate) return true;
  const length = new LengthLine();
  const next = length.read(view, at + 1, end);
  if (length.value <= 0 && isAggregate) return true;
  return end >= Math.min(at + MAX_TOLD, isAggregate ? next + 1 : next + Math.max(0, length.value) + 2);
}

const isGraphic = (byte: number) => byte > 0x20 && byte < 0x7f;

function oneOf(letters: string): (byte: number) => boolean {
  return (byte) => letters.includes(String.fromCharCode(byte));
}

/** A line of at most so many bytes, all of a kind. */
function looksLine(
  view: DataView,
  at: number,
  end: number,
  longest: number,
  isOne: (byte: number) => boolean,
): Looks {
  let i = at;
  while (i < end && i - at < longest && isOne(view.getUint8(i))) i++;
  if (i === end) return Looks.short;
  if (view.getUint8(i) !== 0x0d || (i === at && longest > 0)) return Looks.no;
  if (i + 1 === end) return Looks.short;
  return view.getUint8(i + 1) === 0x0a ? Looks.response : Looks.no;
}

function looksLikeError(view: DataView, at: number, end: number): Looks {
  const last = Math.min(end, at + ERRORS.longest + 1);
  let i = at;
  while (i < last && isGraphic(view.getUint8(i))) i++;
  if (i === end) return Looks.short;
  return ERRORS.find(view, at, i) >= 0 ? Looks.response : Looks.no;
}

function looksLikeBulk(view: DataView, at: number, end: number): Looks {
  const length = new LengthLine();
  const next = length.read(view, at + 1, end);
  if (next === Line.more) return Looks.short;
  if (next < 0) return Looks.no;
  const last = next + length.value;
  if (length.value < 0 || last >= end) return Looks.response;
  if (last + 1 === end) return view.getUint8(last) === 0x0d ? Looks.response : Looks.no;
  return view.getUint16(last) === 0x0d0a ? Looks.response : Looks.no;
}

function looksLikeAggregate(view: DataView, at: number, end: number): Looks {
  const length = new LengthLine();
  const next = length.read(view, at + 1, end);
  if (next === Line.more) return Looks.short;
  if (next < 0) return Looks.no;
  return next === end || isType(view.getUint8(next)) || length.value === 0 ? Looks.response : Looks.no;
}

/** Whether a value can begin with that byte. */
export function isType(byte: number): boolean {
  return TYPES[byte] === 1;
}

const TYPES = new Uint8Array(256);
for (const letter of "+-:$*_#,(!=%~>|") TYPES[letter.charCodeAt(0)] = 1;

/** First words of what a server sends to a subscriber: messages, then confirmations. */
export const PUSHES = new Keywords([
  "message",
  "pmessage",
  "smessage",
  "subscribe",
  "psubscribe",
  "ssubscribe",
  "unsubscribe",
  "punsubscribe",
  "sunsubscribe",
]);
/** The first of PUSHES that confirms. */
export const FIRST_CONFIRMATION = 3;
