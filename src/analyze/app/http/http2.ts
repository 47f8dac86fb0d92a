/**
 * HTTP/2 (RFC 9113) and gRPC, recognised by name: nothing of them is read beyond the client's first HEADERS frame, whose content type says
 * which it is. Sent in the clear after the preface; inside TLS, and after an upgrade of HTTP/1.1, they are not seen.
 */
import { type Application, Looks, Strictness } from "../application.js";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Bytes of a frame's header (RFC 9113 4.1). */
const FRAME = 9;
/** Where no HEADERS frame has come in as many bytes, it is called HTTP/2. */
const MAX_LOOKED_AT = 4096;

const enum Frame {
  headers = 1,
  settings = 4,
}

/** Flags of a HEADERS frame (RFC 9113 6.2). */
const enum Flag {
  padded = 8,
  priority = 0x20,
}

const enum Version {
  no = 0,
  unknownYet = 1,
  http2 = 2,
  grpc = 3,
}

export const grpc: Application = byName("grpc", "gRPC", Version.grpc);

export const http2: Application = byName("http2", "HTTP/2", Version.http2);

/** Recognised, not read. */
function byName(name: string, title: string, version: Version): Application {
  return {
    name,
    title,
    strictness: Strictness.signature,
    transports: {
      tcp: {
        isPipelined: true,
        looks: (view, at, end, fromClient) => looksFor(versionOf(view, at, end, fromClient), version),
        open: () => null,
      },
    },
    requests: null,
    toldWith: "http",
  };
}

function looksFor(found: Version, wanted: Version): Looks {
  if (found === Version.unknownYet) return Looks.short;
  return found === wanted ? Looks.request : Looks.no;
}

function versionOf(view: DataView, at: number, end: number, fromClient: boolean): Version {
  if (!fromClient && isServerSettings(view, at, end)) return Version.unknownYet;
  const known = Math.min(end - at, PREFACE.length);
  for (let i = 0; i < known; i++) if (view.getUint8(at + i) !== PREFACE.charCodeAt(i)) return Version.no;
  for (let from = at + PREFACE.length; from + FRAME <= end; ) {
    const length = view.getUint8(from) * 65_536 + view.getUint16(from + 1);
    const to = from + FRAME + length;
    if (view.getUint8(from + 3) === Frame.headers) {
      if (to > end) break;
      return isGrpc(view, from, to) ? Version.grpc : Version.http2;
    }
    from = to;
  }
  return end - at >= MAX_LOOKED_AT ? Version.http2 : Version.unknownYet;
}

/** What a server may say before the client has said which of the two it is: SETTINGS, on stream 0 (RFC 9113 3.4). */
function isServerSettings(view: DataView, at: number, end: number): boolean {
  if (end - at < FRAME)
    return view.getUint8(at) === 0 && (end - at < 4 || view.getUint8(at + 3) === Frame.settings);
  const isSettings = view.getUint8(at) === 0 && view.getUint8(at + 3) === Frame.settings;
  return isSettings && view.getUint16(at + 1) % 6 === 0 && view.getUint32(at + 5) === 0;
}

/** The value a gRPC client sends (with `+proto` and the like behind), and the same in Huffman's code (RFC 7541 B): 88 bits. */
const GRPC_TYPE = Uint8Array.from("application/grpc", (letter) => letter.charCodeAt(0));
const GRPC_TYPE_CODED = Uint8Array.of(0x1d, 0x75, 0xd0, 0x62, 0x0d, 0x26, 0x3d, 0x4c, 0x4d, 0x65, 0x64);
/** Index of `content-type` in the static table (RFC 7541 A). */
const CONTENT_TYPE = 31;

/** Whether the HEADERS frame in [at, end) has gRPC's content type. It is the connection's first: no name was learned before. */
function isGrpc(view: DataView, at: number, end: number): boolean {
  const flags = view.getUint8(at + 4);
  const block = new HeaderBlock(view, at + FRAME, end);
  if ((flags & Flag.padded) !== 0) block.end -= block.take();
  if ((flags & Flag.priority) !== 0) block.at += 5;
  while (block.at < block.end) if (block.isNextGrpc()) return true;
  return false;
}

/** Walks over the fields of a header block (RFC 7541 6). What does not fit ends it. */
class HeaderBlock {
  readonly view: DataView;
  at: number;
  end: number;

  constructor(view: DataView, at: number, end: number) {
    this.view = view;
    this.at = at;
    this.end = end;
  }

  take(): number {
    return this.at < this.end ? this.view.getUint8(this.at++) : 0;
  }

  /** Passes over the next field. True: it is the content type of gRPC. */
  isNextGrpc(): boolean {
    const first = this.view.getUint8(this.at);
    if (first >= 0x80) {
      this.#integer(7);
      return false;
    }
    if ((first & 0xe0) === 0x20) {
      this.#integer(5);
      return false;
    }
    const name = this.#integer(first >= 0x40 ? 6 : 4);
    if (name === 0) this.#string();
    const value = this.#string();
    return name === CONTENT_TYPE && value;
  }

  /** An integer with so many bits in its first byte (RFC 7541 5.1). */
  #integer(bits: number): number {
    const most = (1 << bits) - 1;
    let value = this.take() & most;
    if (value < most) return value;
    for (let shift = 0; shift < 28 && this.at < this.end; shift += 7) {
      const byte = this.take();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.at = this.end;
    return -1;
  }

  /** A string (RFC 7541 5.2). True: it begins with gRPC's content type. */
  #string(): boolean {
    if (this.at >= this.end) return false;
    const wanted = this.view.getUint8(this.at) >= 0x80 ? GRPC_TYPE_CODED : GRPC_TYPE;
    const length = this.#integer(7);
    const from = this.at;
    this.at = length < 0 || from + length > this.end ? this.end : from + length;
    if (this.at - from < wanted.length) return false;
    for (let i = 0; i < wanted.length; i++) if (this.view.getUint8(from + i) !== wanted[i]) return false;
    return true;
  }
}
