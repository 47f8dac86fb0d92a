/** The two hellos of a TLS handshake (RFC 8446 4.1): reads the requested host and the agreed parameters. */
import { protocolOf } from "./tls-outcome.js";

/** Extension types (IANA). */
const enum Extension {
  serverName = 0,
  alpn = 16,
  supportedVersions = 43,
}

const RANDOM = 32;
/** The first bytes of the random value that makes a ServerHello a HelloRetryRequest: SHA-256 of that word. */
const RETRY_1 = 0xcf21ad74;
const RETRY_2 = 0xe59a6111;

/** A piece of a message. Borrowed. */
interface Bytes {
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
}

export interface ClientHello {
  /** The host name asked for, as sent. */
  readonly host: Bytes | null;
  /** The protocol offered (see protocolOf), 0 where none or several are. */
  readonly protocol: number;
}

export interface ServerHello {
  readonly version: number;
  /** The protocol chosen, 0 where none is said. */
  readonly protocol: number;
  readonly isRetry: boolean;
}

/** Reads a ClientHello's body in [at, end). One that is cut or wrong gives what was before. */
export function readClientHello(view: DataView, at: number, end: number): ClientHello {
  let host: Bytes | null = null;
  let protocol = 0;
  let from = at + 2 + RANDOM;
  from = behind(view, from, end, 1);
  from = behind(view, from, end, 2);
  from = behind(view, from, end, 1);
  eachExtension(view, from, end, (type, start, stop) => {
    // A list's length, then its entries: type 0, length, name.
    if (type === Extension.serverName && stop - start >= 5 && view.getUint8(start + 2) === 0) {
      const nameEnd = start + 5 + view.getUint16(start + 3);
      if (nameEnd <= stop) host = { view, at: start + 5, end: nameEnd };
    } else if (type === Extension.alpn) protocol = onlyProtocol(view, start, stop);
  });
  return { host, protocol };
}

/** Reads a ServerHello's body in [at, end); null: it is none. */
export function readServerHello(view: DataView, at: number, end: number): ServerHello | null {
  if (end - at < 2 + RANDOM + 1) return null;
  let version = view.getUint16(at);
  let protocol = 0;
  const isRetry = view.getUint32(at + 2) === RETRY_1 && view.getUint32(at + 6) === RETRY_2;
  // Behind the session: the cipher suite and the compression method.
  const from = behind(view, at + 2 + RANDOM, end, 1) + 3;
  eachExtension(view, from, end, (type, start, stop) => {
    if (type === Extension.supportedVersions && stop - start === 2) version = view.getUint16(start);
    else if (type === Extension.alpn) protocol = onlyProtocol(view, start, stop);
  });
  return { version, protocol, isRetry };
}

/** Behind a field with a length of `size` bytes; `end` or more where it does not fit. */
function behind(view: DataView, at: number, end: number, size: 1 | 2): number {
  if (at + size > end) return end;
  return at + size + (size === 1 ? view.getUint8(at) : view.getUint16(at));
}

function eachExtension(
  view: DataView,
  at: number,
  end: number,
  take: (type: number, at: number, end: number) => void,
): void {
  if (at + 2 > end) return;
  const stop = Math.min(end, at + 2 + view.getUint16(at));
  for (let from = at + 2; from + 4 <= stop; ) {
    const to = from + 4 + view.getUint16(from + 2);
    if (to > stop) return;
    take(view.getUint16(from), from + 4, to);
    from = to;
  }
}

/** The protocol of a list that holds one. */
function onlyProtocol(view: DataView, at: number, end: number): number {
  if (end - at < 4) return 0;
  const length = view.getUint8(at + 2);
  return at + 3 + length === end && length > 0 ? protocolOf(view, at + 3, end) : 0;
}
