/** Recognises messages of PostgreSQL's protocol 3, and whether a client or a server sent them. */
import { Looks } from "../application.js";
import { Verb, verbOf } from "./postgres-keywords.js";

/** Before the first message of a client: a length and one of these (postgresql.org/docs/current/protocol-message-formats.html). */
export const enum Start {
  version3 = 3,
  cancel = 80_877_102,
  ssl = 80_877_103,
  gss = 80_877_104,
}
/** src/include/libpq/pqcomm.h: MAX_STARTUP_PACKET_LENGTH */
export const MAX_START = 10_000;
/** No message is longer (MaxAllocSize). */
export const MAX_LENGTH = 0x3fff_ffff;
const HEADER = 5;
/** What messages begin with that are looked for behind bytes that cannot be read; none there is longer than 16 MiB. */
const TYPES = Uint8Array.from("QPBEDCSHZTNR123nIst", (letter) => letter.charCodeAt(0));
/** Bytes of one that are looked at. */
const MAX_TOLD = 1024;
/** Messages in one segment that are looked at. */
const MAX_CHAIN = 3;

/** What bytes [at, end) of a connection look like that began before: its first message, or any later one, by what is there of it. */
export function looksLikePostgres(view: DataView, at: number, end: number): Looks {
  if (view.getUint8(at) === 0) return looksLikeStart(view, at, end);
  let from = at;
  let found = Looks.no;
  for (let i = 0; i < MAX_CHAIN && from < end; i++) {
    if (end - from < HEADER) return i > 0 ? found : Looks.no;
    const length = view.getUint32(from + 1);
    if (length < 4 || length > MAX_LENGTH) return Looks.no;
    const looks = looksLikeMessage(view, view.getUint8(from), from + HEADER, length - 4, end);
    if (looks === Looks.no || (i > 0 && looks !== found)) return Looks.no;
    found = looks;
    from += 1 + length;
  }
  return found;
}

/** The same by one message alone, which is waited for as far as it is looked at: it is the same in whatever segments it comes. */
export function tellsPostgres(view: DataView, at: number, end: number): Looks {
  const type = view.getUint8(at);
  if (type === 0) return looksLikeStart(view, at, end);
  if (!TYPES.includes(type) || (end - at > 1 && view.getUint8(at + 1) !== 0)) return Looks.no;
  if (end - at < HEADER) return Looks.short;
  const length = view.getUint32(at + 1);
  if (length < 4) return Looks.no;
  const told = at + Math.min(1 + length, MAX_TOLD);
  return end < told ? Looks.short : looksLikeMessage(view, type, at + HEADER, length - 4, told);
}

function looksLikeStart(view: DataView, at: number, end: number): Looks {
  if (end - at < 8)
    return view.getUint8(at) === 0 && (end - at < 2 || view.getUint8(at + 1) === 0) ? Looks.short : Looks.no;
  const length = view.getUint32(at);
  const code = view.getUint32(at + 4);
  if (code === Start.ssl || code === Start.gss) return length === 8 ? Looks.request : Looks.no;
  if (code === Start.cancel) return length >= 16 && length <= 8 + 4 + 256 ? Looks.request : Looks.no;
  if (code >>> 16 !== Start.version3 || length < 9 || length > MAX_START) return Looks.no;
  if (end - at < 9) return Looks.short;
  const letter = view.getUint8(at + 8);
  return letter === 0
    ? length === 9
      ? Looks.request
      : Looks.no
    : isGraphic(letter)
      ? Looks.request
      : Looks.no;
}

function isGraphic(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

/** One message, its body [at, at + length) as far as it is there. Close of a statement named ELECT is taken for the tag SELECT. */
function looksLikeMessage(view: DataView, type: number, at: number, length: number, end: number): Looks {
  if (isServers(view, type, at, length, end)) return Looks.response;
  return isClients(view, type, at, length, end) ? Looks.request : Looks.no;
}

function isClients(view: DataView, type: number, at: number, length: number, end: number): boolean {
  switch (type) {
    case 0x51: // Query
      return length > 0 && isQuery(view, at, at + length, end);
    case 0x50: // Parse: name, query, parameter types
      return isParse(view, at, at + length, end);
    case 0x42: // Bind: portal, statement, formats, parameters, formats
      return (
        length >= 8 &&
        skipString(view, skipString(view, at, at + length, end), at + length, end) <= at + length - 6
      );
    case 0x45: // Execute: portal, rows
      return length >= 5 && at + length <= end && skipString(view, at, at + length, end) === at + length - 4;
    case 0x44: // Describe, Close: what, name
    case 0x43:
      return (
        length >= 2 &&
        at + length <= end &&
        isWhat(view.getUint8(at)) &&
        skipString(view, at + 1, at + length, end) === at + length
      );
    case 0x53: // Sync, Flush
    case 0x48:
      return length === 0;
    default:
      return false;
  }
}

function isServers(view: DataView, type: number, at: number, length: number, end: number): boolean {
  switch (type) {
    case 0x5a: // ReadyForQuery
      return length === 1 && at < end && [0x49, 0x54, 0x45].includes(view.getUint8(at));
    case 0x43: // CommandComplete
      return length > 1 && length <= 64 && at + length <= end && isTag(view, at, at + length);
    case 0x54: // RowDescription: fields, name
      return (
        length >= 2 &&
        at + 2 <= end &&
        length >= 2 + view.getUint16(at) * 19 &&
        (view.getUint16(at) === 0) === (length === 2)
      );
    case 0x44: // DataRow
      return isRow(view, at, at + length, end);
    case 0x45: // ErrorResponse, NoticeResponse: severity first
    case 0x4e:
      return (
        length > 8 &&
        at + 2 <= end &&
        view.getUint8(at) === 0x53 &&
        isGraphic(view.getUint8(at + 1)) &&
        (at + length > end || view.getUint16(at + length - 2) === 0)
      );
    case 0x31: // ParseComplete, BindComplete, CloseComplete, NoData, EmptyQueryResponse, PortalSuspended
    case 0x32:
    case 0x33:
    case 0x6e:
    case 0x49:
    case 0x73:
      return length === 0;
    case 0x52: // Authentication
      return length >= 4 && length < 65_536 && at + 4 <= end && view.getUint32(at) <= 12;
    case 0x53: // ParameterStatus
      return (
        length > 2 &&
        length < 65_536 &&
        at + length <= end &&
        skipString(view, skipString(view, at, at + length, end), at + length, end) === at + length
      );
    case 0x74: // ParameterDescription
      return length >= 2 && at + 2 <= end && length === 2 + view.getUint16(at) * 4;
    default:
      return false;
  }
}

function isWhat(byte: number): boolean {
  return byte === 0x53 || byte === 0x50;
}

/** Behind the NUL of a string; beyond all lengths where it has none before `last`, or is cut. */
function skipString(view: DataView, at: number, last: number, end: number): number {
  const stop = Math.min(last, end);
  for (let i = at; i < stop; i++) if (view.getUint8(i) === 0) return i + 1;
  return Number.POSITIVE_INFINITY;
}

/** Text up to its NUL, the first word one of SQL's. */
function isQuery(view: DataView, at: number, last: number, end: number): boolean {
  if (last <= end && skipString(view, at, last, end) !== last) return false;
  const verb = verbOf(view, at, Math.min(last, end));
  return verb === Verb.empty ? last <= end : verb !== Verb.other;
}

function isParse(view: DataView, at: number, last: number, end: number): boolean {
  const query = skipString(view, at, last, end);
  if (query === Number.POSITIVE_INFINITY) return false;
  const verb = verbOf(view, query, Math.min(last, end));
  if (verb === Verb.other || (verb === Verb.empty && last > end)) return false;
  const types = skipString(view, query, last, end);
  if (types === Number.POSITIVE_INFINITY) return last > end;
  return types + 2 > end || types + 2 + view.getUint16(types) * 4 === last;
}

/** A command tag: a verb with what follows in capitals and digits, and a NUL. */
function isTag(view: DataView, at: number, last: number): boolean {
  const verb = verbOf(view, at, last);
  return verb !== Verb.other && verb !== Verb.empty && skipString(view, at, last, last) === last;
}

/** Fields, each with a length, that fill the message. The first few are looked at. */
function isRow(view: DataView, at: number, last: number, end: number): boolean {
  if (last - at < 2 || at + 2 > end) return false;
  const fields = view.getUint16(at);
  let from = at + 2;
  for (let i = 0; i < fields && i < 16; i++) {
    if (from + 4 > last) return false;
    if (from + 4 > end) return i > 0;
    const length = view.getInt32(from);
    if (length < -1) return false;
    from += 4 + Math.max(0, length);
  }
  return fields <= 16 ? from === last : from + (fields - 16) * 4 <= last;
}
