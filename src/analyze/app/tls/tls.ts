/**
 * TLS and SSL 3.0 (RFC 8446, RFC 5246): the host a client asks for by name (SNI), the version and protocol (ALPN) agreed on. Nothing is
 * decrypted.
 *
 * A duration is from the first byte of the ClientHello to the first byte of the ServerHello; where the server asks for another hello
 * (HelloRetryRequest), to that of the second. A fatal alert that can be read, up to ChangeCipherSpec, is an error: the server's refusal,
 * and with TLS 1.2 and older the client's too. Of TLS 1.3 nothing behind the ServerHello can be read.
 */
import {
  type Application,
  type Dialogue,
  Looks,
  MAX_HELD,
  type Outcome,
  Read,
  Strictness,
} from "../application.js";
import type { Exchanges } from "../exchanges.js";
import { MAX_NAME } from "../operations.js";
import { commonestErrorColumn, commonestOutcome, type OutcomeCounts } from "../outcomes.js";
import { type ClientHello, readClientHello, readServerHello } from "./tls-hello.js";
import { encodeAgreed, encodeAlert, TlsVersion, tlsOutcome } from "./tls-outcome.js";

/** Record types (RFC 8446 5.1). */
const enum Content {
  changeCipherSpec = 20,
  alert = 21,
  handshake = 22,
}

/** Handshake types (RFC 8446 4). */
const enum Handshake {
  helloRequest = 0,
  clientHello = 1,
  serverHello = 2,
}

/** Bytes of a record's header, and of a handshake message's. */
const RECORD = 5;
const MESSAGE = 4;
/** Longest record, encrypted (RFC 5246 6.2.3). */
const MAX_RECORD = 16_384 + 2048;
const FATAL = 2;

const NO_NAME = Uint8Array.from("(no name)", (letter) => letter.charCodeAt(0));

const OUTCOME: Outcome = {
  isError: (outcome) => tlsOutcome(outcome).alert !== null,
  word: (outcome) => tlsOutcome(outcome).alert ?? "",
};

/** What most of the handshakes agreed on that came so far. */
function agreed(outcomes: OutcomeCounts): ReturnType<typeof tlsOutcome> | null {
  const most = commonestOutcome(outcomes, (outcome) => tlsOutcome(outcome).version !== null);
  return most === null ? null : tlsOutcome(most);
}

export const tls: Application = {
  name: "tls",
  title: "TLS",
  strictness: Strictness.signature,
  transports: {
    tcp: { isPipelined: false, looks: tlsLooks, open: (exchanges) => new TlsDialogue(exchanges) },
  },
  requests: {
    outcome: OUTCOME,
    operationTitle: "Server name",
    columns: [
      {
        name: "version",
        title: "Version",
        kind: "text",
        priority: 2,
        value: (outcomes) => agreed(outcomes)?.version ?? null,
      },
      { name: "alpn", title: "ALPN", kind: "text", value: (outcomes) => agreed(outcomes)?.alpn ?? null },
      commonestErrorColumn(OUTCOME, "Commonest alert"),
    ],
    redact: { noun: "name" },
  },
};

function tlsLooks(view: DataView, at: number, end: number): Looks {
  const length = end - at;
  const first = view.getUint8(at);
  if ((first & 0x80) !== 0) return looksOfVersion2(view, at, end);
  if (first !== Content.handshake) return Looks.no;
  if (length > 1 && view.getUint8(at + 1) !== 3) return Looks.no;
  if (length > 2 && view.getUint8(at + 2) > 4) return Looks.no;
  if (length <= RECORD) return Looks.short;
  const record = view.getUint16(at + 3);
  if (record === 0 || record > MAX_RECORD) return Looks.no;
  switch (view.getUint8(at + RECORD)) {
    case Handshake.clientHello:
      return Looks.request;
    case Handshake.serverHello:
      return Looks.response;
    default:
      return Looks.no;
  }
}

/** A hello in the form of SSL 2.0 (RFC 5246 E.2): its five lengths must add up. */
function looksOfVersion2(view: DataView, at: number, end: number): Looks {
  const length = end - at;
  if (length > 2 && view.getUint8(at + 2) !== Handshake.clientHello) return Looks.no;
  if (length > 3 && view.getUint8(at + 3) !== 3 && view.getUint8(at + 3) !== 0) return Looks.no;
  if (length < 11) return Looks.short;
  const ciphers = view.getUint16(at + 5);
  const challenge = view.getUint16(at + 9);
  const whole = 9 + ciphers + view.getUint16(at + 7) + challenge;
  const isSane = ciphers > 0 && ciphers % 3 === 0 && challenge >= 16 && challenge <= 32;
  return isSane && whole === (view.getUint16(at) & 0x7fff) ? Looks.request : Looks.no;
}

const enum State {
  hello = 0,
  /** Records that can still be read: until ChangeCipherSpec. */
  records = 1,
  done = 2,
}

class TlsDialogue implements Dialogue {
  readonly #exchanges: Exchanges;
  #client = State.hello;
  #server = State.hello;
  /** What the client asked, by its number, or -1, and the only protocol it offered. */
  #operation = -1;
  #offered = 0;
  /** The handshake message that was found last: bytes [from, to) of a view, without its header. */
  #message: DataView | null = null;
  #from = 0;
  #to = 0;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number, nowUs: number): number {
    const state = fromClient ? this.#client : this.#server;
    if (state === State.done) return Read.enough;
    if (fromClient && state === State.hello && (view.getUint8(at) & 0x80) !== 0)
      return this.#readVersion2(view, at, end, firstUs);
    if (end - at < RECORD) return Read.more;
    const bytes = RECORD + view.getUint16(at + 3);
    if (bytes > RECORD + MAX_RECORD) return Read.broken;
    switch (view.getUint8(at)) {
      case Content.handshake:
        if (state === State.records) return bytes;
        return this.#readHello(fromClient, view, at, end, firstUs);
      case Content.alert:
        if (bytes !== RECORD + 2) return Read.enough;
        if (end - at < bytes) return Read.more;
        if (view.getUint8(at + RECORD) !== FATAL) return bytes;
        this.#fail(view.getUint8(at + RECORD + 1), nowUs);
        return Read.enough;
      case Content.changeCipherSpec:
        // One stands between the two hellos that a HelloRetryRequest leads to.
        return state === State.hello ? bytes : Read.enough;
      default:
        return state === State.hello ? Read.broken : Read.enough;
    }
  }

  lost(): void {
    // Records do not begin where segments do: after a gap neither side can be read.
    this.#client = State.done;
    this.#server = State.done;
  }

  end(): void {}

  #readHello(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number): number {
    const bytes = this.#findMessage(view, at, end);
    if (bytes <= 0) return bytes;
    const type = this.#message!.getUint8(this.#from - MESSAGE);
    if (fromClient && type === Handshake.clientHello) {
      this.#ask(readClientHello(this.#message!, this.#from, this.#to), firstUs, bytes);
      return bytes;
    }
    if (fromClient || type !== Handshake.serverHello)
      return type === Handshake.helloRequest && !fromClient ? bytes : Read.broken;
    const hello = readServerHello(this.#message!, this.#from, this.#to);
    if (hello === null) return Read.broken;
    if (hello.isRetry) return bytes;
    const isHidden = hello.version >= TlsVersion.tls13;
    const protocol = isHidden ? this.#offered : hello.protocol;
    this.#exchanges.answer(firstUs, encodeAgreed(hello.version, protocol), false, bytes);
    this.#server = isHidden ? State.done : State.records;
    if (isHidden) this.#client = State.done;
    return isHidden ? Read.enough : bytes;
  }

  #readVersion2(view: DataView, at: number, end: number, firstUs: number): number {
    if (end - at < 2) return Read.more;
    const bytes = 2 + (view.getUint16(at) & 0x7fff);
    this.#ask(null, firstUs, bytes);
    return bytes;
  }

  #ask(hello: ClientHello | null, timeUs: number, bytes: number): void {
    this.#client = State.records;
    this.#offered = hello?.protocol ?? 0;
    const name = this.#exchanges.operations.scratch;
    const length = writeHost(hello, name);
    this.#operation = this.#exchanges.request(name, length, timeUs, bytes);
  }

  #fail(alert: number, timeUs: number): void {
    if (this.#exchanges.count > 0) this.#exchanges.answer(timeUs, encodeAlert(alert), true, RECORD + 2);
    else if (this.#operation >= 0)
      this.#exchanges.operations.failed(this.#operation, timeUs, encodeAlert(alert));
    this.#client = State.done;
    this.#server = State.done;
  }

  /**
   * Finds the handshake message that begins with the record at `at`. Returns the bytes of its records, Read.more or Read.broken. A message
   * may be cut into any number of records (RFC 8446 5.1); those of one are read where they are, others copied together.
   */
  #findMessage(view: DataView, at: number, end: number): number {
    const record = view.getUint16(at + 3);
    if (record >= MESSAGE && end - at >= RECORD + MESSAGE) {
      const length = MESSAGE + lengthOf(view, at + RECORD);
      if (length <= record) {
        if (end - at < RECORD + length) return tooLittle(end - at);
        this.#message = view;
        this.#from = at + RECORD + MESSAGE;
        this.#to = at + RECORD + length;
        return RECORD + record;
      }
    }
    return this.#joinRecords(view, at, end);
  }

  #joinRecords(view: DataView, at: number, end: number): number {
    const joined = new Uint8Array(end - at);
    const message = new DataView(joined.buffer);
    let have = 0;
    for (let from = at; from + RECORD < end; ) {
      const record = view.getUint16(from + 3);
      if (view.getUint8(from) !== Content.handshake || record === 0) return Read.broken;
      const to = Math.min(end, from + RECORD + record);
      joined.set(new Uint8Array(view.buffer, view.byteOffset + from + RECORD, to - from - RECORD), have);
      have += to - from - RECORD;
      const length = have >= MESSAGE ? MESSAGE + lengthOf(message, 0) : Number.POSITIVE_INFINITY;
      if (have >= length) {
        this.#message = message;
        this.#from = MESSAGE;
        this.#to = length;
        return from + RECORD + record - at;
      }
      from += RECORD + record;
    }
    return tooLittle(end - at);
  }
}

function tooLittle(bytes: number): number {
  return bytes >= MAX_HELD ? Read.broken : Read.more;
}

/** Length in a handshake message's header. */
function lengthOf(view: DataView, at: number): number {
  return view.getUint8(at + 1) * 65_536 + view.getUint16(at + 2);
}

/** Writes the host in small letters; `(no name)` where there is none, or one that no host can have. Of a long one the end. */
function writeHost(hello: ClientHello | null, into: Uint8Array): number {
  if (hello?.host) {
    const { view, at, end } = hello.host;
    const stop = end - at > 1 && view.getUint8(end - 1) === 0x2e ? end - 1 : end;
    const from = Math.max(at, stop - MAX_NAME);
    let length = 0;
    while (from + length < stop && isHostByte(view.getUint8(from + length))) {
      const byte = view.getUint8(from + length);
      into[length++] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
    if (length > 0 && from + length === stop) return length;
  }
  into.set(NO_NAME);
  return NO_NAME.length;
}

/** Letters, digits, hyphen, dot, underscore. */
function isHostByte(byte: number): boolean {
  const small = byte | 0x20;
  return (
    (small >= 0x61 && small <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f
  );
}
