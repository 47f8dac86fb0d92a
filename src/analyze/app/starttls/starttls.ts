/**
 * Clear text that may turn to TLS (STARTTLS): SMTP, FTP, POP3, IMAP, NNTP, XMPP, LDAP. Nothing of it is counted. Once the client has
 * asked and the server has agreed, the client's hello is looked for, at any byte: what a client sends in clear behind its request, as an
 * injection does, is passed over.
 */
import { type Application, type Dialogue, Looks, Read, Strictness } from "../application.js";
import { seekHello } from "../tls/seek-hello.js";
import { tls } from "../tls/tls.js";
import { ANY, START_TLS, type StartTls } from "./starttls-rows.js";

/** Bytes of a message that are looked at. */
const MAX_SEEN = 128;

export const startTls: Application = {
  name: "starttls",
  title: "STARTTLS",
  strictness: Strictness.text,
  isSilent: true,
  turnsTo: tls,
  transports: { tcp: { isPipelined: false, looks: looksClear, open: () => new ClearDialogue() } },
  requests: null,
};

function looksClear(view: DataView, at: number, end: number, fromClient: boolean, isMidway?: boolean): Looks {
  if (isMidway) return Looks.no;
  let looks = Looks.no;
  for (const { begunBy, begins } of START_TLS) {
    if ((begunBy === "client") !== fromClient) continue;
    for (const text of begins) {
      const known = knownLength(view, at, end, text);
      if (known === text.length) return fromClient ? Looks.request : Looks.response;
      if (known > 0) looks = Looks.short;
    }
  }
  return looks;
}

class ClearDialogue implements Dialogue {
  /** Those that begin as this connection did. */
  #rows: readonly StartTls[] = [];
  #asked: StartTls | null = null;
  #hasAgreed = false;
  /** Of each side: the message that was looked at goes on. */
  readonly #isMidway = { client: false, server: false };

  read(fromClient: boolean, view: DataView, at: number, end: number): number {
    if (this.#rows.length === 0)
      this.#rows = START_TLS.filter(({ begins }) =>
        begins.some((text) => knownLength(view, at, end, text) === text.length),
      );
    if (this.#rows.length === 0) return Read.foreign;
    const side = fromClient ? "client" : "server";
    if (fromClient && this.#asked) {
      const found = seekHello(view, at, end);
      const isAgreed = this.#hasAgreed && !this.#isMidway.server;
      return found === Read.turns && !isAgreed ? Read.more : found;
    }
    if (!fromClient && this.#hasAgreed && !this.#isMidway.server && isRecord(view.getUint8(at)))
      return Read.turns;
    const { ends } = this.#rows[0]!;
    const length = ends === "ber" ? lengthOfBer(view, at, end) : lengthOf(view, at, end, ends);
    if (length < 0) return Read.foreign;
    if (!this.#isMidway[side]) {
      if (end - at < Math.min(length, MAX_SEEN)) return Read.more;
      this.#see(fromClient, textOf(view, at, Math.min(end, at + Math.min(length, MAX_SEEN))));
    }
    this.#isMidway[side] = length === Number.POSITIVE_INFINITY;
    return Math.min(length, ends === "ber" ? length : end - at);
  }

  #see(fromClient: boolean, text: string): void {
    if (fromClient) this.#asked = this.#rows.find(({ asks }) => asks.test(text)) ?? null;
    else if (this.#asked?.agrees.test(text)) this.#hasAgreed = true;
  }

  lost(): void {}

  end(): void {}
}

/** Content types of what a server may send first: an alert, a handshake (RFC 8446 5.1). */
function isRecord(byte: number): boolean {
  return byte === 21 || byte === 22;
}

/** Bytes up to the one that ends a line; Infinity: it is not there. */
function lengthOf(view: DataView, at: number, end: number, ending: string): number {
  const last = ending.charCodeAt(0);
  for (let i = at; i < end; i++) if (view.getUint8(i) === last) return i + 1 - at;
  return Number.POSITIVE_INFINITY;
}

/** Bytes of a BER sequence with its header; -1: there is none. While its length is not there: as long as its longest header. */
function lengthOfBer(view: DataView, at: number, end: number): number {
  if (view.getUint8(at) !== 0x30) return -1;
  if (end - at < 2) return 6;
  const first = view.getUint8(at + 1);
  const bytes = first & 0x7f;
  if (first < 0x80) return 2 + first;
  if (bytes === 0 || bytes > 4) return -1;
  if (end - at < 2 + bytes) return 6;
  let length = 0;
  for (let i = 0; i < bytes; i++) length = length * 256 + view.getUint8(at + 2 + i);
  return 2 + bytes + length;
}

function textOf(view: DataView, at: number, end: number): string {
  let text = "";
  for (let i = at; i < end; i++) text += String.fromCharCode(view.getUint8(i));
  return text;
}

/** How many bytes from `at` on are those of `text`: all of it, as many as there are, or 0: they are others. */
function knownLength(view: DataView, at: number, end: number, text: string): number {
  const known = Math.min(end - at, text.length);
  for (let i = 0; i < known; i++)
    if (text[i] !== ANY && view.getUint8(at + i) !== text.charCodeAt(i)) return 0;
  return known;
}
