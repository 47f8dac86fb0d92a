/**
 * PostgreSQL, protocol 3 (postgresql.org/docs/current/protocol.html). A request is a simple query, an execution of the extended protocol
 * or a function call; its operation is the first word of the statement (of CREATE, ALTER and DROP the object too), never more of it.
 * `(startup)` is a connection's beginning up to the first ReadyForQuery, `(encrypted)` one that goes on in TLS, and is followed as that, or
 * in GSSAPI, and is read no further, `(cancel)` a request that has no answer and counts as lost, `(prepared)` an execution whose statement was prepared unseen.
 *
 * A simple query counts once, however many statements are in it, under the verb of the first; it lasts up to its last CommandComplete, or
 * its error. An execution lasts from its Bind (Execute, where the portal was bound before) to CommandComplete, EmptyQueryResponse,
 * PortalSuspended or ErrorResponse. The outcome is the SQLSTATE. What follows an error up to Sync is not executed, and counts as lost. A
 * Parse that fails counts for the execution sent along with it, or as a request of its own. COPY's data is passed over.
 */
import { type Application, type Dialogue, type Outcome, Read, Strictness } from "../application.js";
import type { Exchanges } from "../exchanges.js";
import { Missed } from "../missed.js";
import { commonestErrorColumn } from "../outcomes.js";
import { seekHello } from "../tls/seek-hello.js";
import { tls } from "../tls/tls.js";
import { NO_SQLSTATE, packSqlstate, postgresOutcome, VERB_NAMES, Verb, verbOf } from "./postgres-keywords.js";
import { looksLikePostgres, MAX_LENGTH, MAX_START, Start, tellsPostgres } from "./postgres-looks.js";
import { Statements } from "./postgres-statements.js";
import { isEnd, Unit, Units } from "./postgres-units.js";

/** Most bytes of a message to wait for: a verb after comments, names, the fields of an error. */
const MAX_READ = 1024;
/** Longest accepted message of an unknown type. */
const MAX_UNKNOWN = 65_536;
/** Type and length. */
const HEADER = 5;
/** No message is of this type. */
const TLS_HANDSHAKE = 0x16;

const OUTCOME: Outcome = { isError: (outcome) => outcome !== 0, word: postgresOutcome };

export const postgres: Application = {
  name: "postgres",
  title: "PostgreSQL",
  strictness: Strictness.length,
  turnsTo: tls,
  transports: {
    tcp: {
      isPipelined: false,
      resumes: "byte",
      looks: (view, at, end, _fromClient, isMidway) =>
        isMidway ? looksLikePostgres(view, at, end) : tellsPostgres(view, at, end),
      tells: tellsPostgres,
      open: (exchanges) => new PostgresDialogue(exchanges),
    },
  },
  requests: {
    outcome: OUTCOME,
    operationTitle: "Statement",
    columns: [commonestErrorColumn(OUTCOME, "Commonest SQLSTATE")],
  },
};

/** A client's messages. */
const enum Front {
  bind = 0x42,
  close = 0x43,
  describe = 0x44,
  execute = 0x45,
  functionCall = 0x46,
  flush = 0x48,
  parse = 0x50,
  query = 0x51,
  sync = 0x53,
  terminate = 0x58,
  copyDone = 0x63,
  copyData = 0x64,
  copyFail = 0x66,
  password = 0x70,
}
/** A server's messages that end something. */
const enum Back {
  parseComplete = 0x31,
  commandComplete = 0x43,
  error = 0x45,
  emptyQuery = 0x49,
  encrypted = 0x53,
  gssEncrypted = 0x47,
  notEncrypted = 0x4e,
  ready = 0x5a,
  suspended = 0x73,
}
const OTHERS = new Uint8Array(256);
/** 2 3 A D G H K N R S T V W c d n t v: what a server sends besides. */
for (const letter of "23ADGHKNRSTVWcdntv") OTHERS[letter.charCodeAt(0)] = 1;

class PostgresDialogue implements Dialogue {
  readonly #exchanges: Exchanges;
  readonly #units: Units;
  readonly #statements = new Statements();
  readonly #portals = new Statements();
  /** Encryption was asked for, and not answered yet: since when, or null. */
  #askedUs: number | null = null;
  /** What the server agreed to; null: nothing. */
  #encryption: "tls" | "gss" | null = null;
  /** First byte of the Bind whose Execute is to come. */
  #bindUs: number | null = null;
  /** Bytes of the client since its last request; of the server since its last answer. */
  #sent = 0;
  #received = 0;
  /** The query at the front has its answer, or the last CommandComplete, so far. */
  #isFailed = false;
  #completeUs: number | null = null;
  /** The server skips everything up to Sync. */
  #isSkipping = false;
  /** Behind the units are others for which there was no room, and so many of them end with ReadyForQuery. */
  #isBeyond = false;
  #endsBeyond = 0;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
    this.#units = new Units(exchanges);
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number, nowUs: number): number {
    let next = at;
    while (next < end) {
      if (this.#encryption !== null)
        return next > at ? next - at : this.#readEncrypted(fromClient, view, at, end);
      const isAsked = this.#askedUs !== null;
      // Bytes after the request for encryption wait, because their meaning depends on the answer.
      if (fromClient && isAsked) break;
      const used = fromClient
        ? this.#readClient(view, next, end, next === at ? firstUs : nowUs)
        : this.#readServer(view, next, end, nowUs);
      if (used === Read.more) break;
      // What was read before it is done with: a message that cannot be read begins here.
      if (used < 0) return next > at ? next - at : used;
      next += used;
      if (!fromClient && isAsked) break;
    }
    return next - at;
  }

  #readEncrypted(fromClient: boolean, view: DataView, at: number, end: number): number {
    if (this.#encryption === "gss") return Read.enough;
    return fromClient ? seekHello(view, at, end) : Read.turns;
  }

  lost(fromClient: boolean): void {
    this.#units.clear();
    this.#isBeyond = false;
    this.#endsBeyond = 0;
    this.#isSkipping = false;
    this.#isFailed = false;
    this.#completeUs = null;
    this.#askedUs = null;
    if (!fromClient) return;
    this.#bindUs = null;
    this.#statements.clear();
    this.#portals.clear();
  }

  end(): void {
    this.#units.clear();
  }

  #readClient(view: DataView, at: number, end: number, timeUs: number): number {
    const type = view.getUint8(at);
    if (type === 0) return this.#readStart(view, at, end, timeUs);
    // Encryption was agreed on, unseen.
    if (type === TLS_HANDSHAKE) {
      const found = seekHello(view, at, end);
      return found > 0 ? Read.broken : found;
    }
    if (end - at < HEADER) return Read.more;
    const length = view.getUint32(at + 1);
    if (length < 4 || length > MAX_LENGTH) return Read.broken;
    const last = at + 1 + length;
    const isRead =
      type === Front.query || type === Front.parse || type === Front.bind || type === Front.execute;
    if ((isRead || type === Front.close) && end < Math.min(last, at + MAX_READ)) return Read.more;
    const readable = Math.min(last, end, at + MAX_READ);
    this.#sent += 1 + length;
    switch (type) {
      case Front.query:
        this.#ask(Unit.query, verbOf(view, at + HEADER, readable), timeUs);
        break;
      case Front.functionCall:
        this.#ask(Unit.query, Verb.functionCall, timeUs);
        break;
      case Front.parse:
        this.#parse(view, at + HEADER, readable, timeUs);
        break;
      case Front.bind:
        this.#bind(view, at + HEADER, readable, timeUs);
        break;
      case Front.execute:
        this.#ask(Unit.execute, this.#verbOfPortal(view, at + HEADER, readable), this.#bindUs ?? timeUs);
        this.#bindUs = null;
        break;
      case Front.sync:
        this.#push(Unit.sync, 0, timeUs);
        break;
      case Front.close:
        this.#close(view, at + HEADER, readable);
        break;
      case Front.describe:
      case Front.flush:
      case Front.terminate:
      case Front.copyDone:
      case Front.copyData:
      case Front.copyFail:
      case Front.password:
        break;
      default:
        return this.#readUnknown(type, length);
    }
    return 1 + length;
  }

  #readStart(view: DataView, at: number, end: number, timeUs: number): number {
    if (end - at < 8) return Read.more;
    const length = view.getUint32(at);
    const code = view.getUint32(at + 4);
    if (length < 8 || length > MAX_START) return Read.broken;
    if (code === Start.ssl || code === Start.gss) this.#askedUs = timeUs;
    else if (code === Start.cancel)
      this.#exchanges.tell(nameOf(Verb.cancel), nameOf(Verb.cancel).length, length);
    else if (code >>> 16 === Start.version3) {
      this.#sent = length;
      this.#ask(Unit.startup, Verb.startup, timeUs);
    } else return Read.broken;
    return length;
  }

  /** A request of the client. */
  #ask(kind: Unit, verb: number, timeUs: number): void {
    const name = nameOf(verb);
    const isExecuted = !this.#isSkipping || this.#units.ends > 0 || kind !== Unit.execute;
    if (!isExecuted && !this.#isBeyond) this.#exchanges.tell(name, name.length, this.#sent);
    else if (this.#push(kind, verb, timeUs)) this.#exchanges.request(name, name.length, timeUs, this.#sent);
    else this.#exchanges.tellUnseen(name, name.length, this.#sent);
    this.#sent = 0;
  }

  /** False: there is no room for it, or was none for one before it. */
  #push(kind: Unit, verb: number, timeUs: number): boolean {
    if (!this.#isBeyond && this.#units.push(kind, verb, timeUs)) return true;
    this.#isBeyond = true;
    if (isEnd(kind)) this.#endsBeyond++;
    return false;
  }

  /** Parse: statement, query, types. */
  #parse(view: DataView, at: number, end: number, timeUs: number): void {
    const name = endOfString(view, at, end);
    const verb = name < end ? verbOf(view, name + 1, end) : Verb.other;
    if (!this.#statements.set(view, at, name, verb)) this.#missStatement();
    if (!this.#isSkipping || this.#units.ends > 0) this.#push(Unit.parse, verb, timeUs);
  }

  /** Bind: portal, statement, and parameters that are not read. */
  #bind(view: DataView, at: number, end: number, timeUs: number): void {
    this.#bindUs ??= timeUs;
    const portal = endOfString(view, at, end);
    if (portal === end) return;
    const statement = endOfString(view, portal + 1, end);
    const verb = this.#statements.get(view, portal + 1, statement);
    if (!this.#portals.set(view, at, portal, verb)) this.#missStatement();
  }

  /** Its executions are `(prepared)`. */
  #missStatement(): void {
    this.#exchanges.operations.missed.add("postgres", Missed.statementRoom);
  }

  #verbOfPortal(view: DataView, at: number, end: number): number {
    return this.#portals.get(view, at, endOfString(view, at, end));
  }

  /** Close: S or P, name. */
  #close(view: DataView, at: number, end: number): void {
    if (at >= end) return;
    const closed = view.getUint8(at) === 0x53 ? this.#statements : this.#portals;
    closed.delete(view, at + 1, endOfString(view, at + 1, end));
  }

  #readServer(view: DataView, at: number, end: number, nowUs: number): number {
    const type = view.getUint8(at);
    if (this.#askedUs !== null && type !== Back.error)
      return this.#readEncryption(type, this.#askedUs, nowUs);
    if (end - at < HEADER) return Read.more;
    const length = view.getUint32(at + 1);
    if (length < 4 || length > MAX_LENGTH) return Read.broken;
    if (type === Back.error && end < Math.min(at + 1 + length, at + MAX_READ)) return Read.more;
    this.#received += 1 + length;
    if (OTHERS[type] === 1) return 1 + length;
    switch (type) {
      case Back.parseComplete:
        if (this.#units.front === Unit.parse) this.#units.shift();
        break;
      case Back.commandComplete:
      case Back.emptyQuery:
      case Back.suspended:
        this.#complete(nowUs);
        break;
      case Back.error:
        this.#askedUs = null;
        this.#fail(nowUs, sqlstateOf(view, at + HEADER, Math.min(end, at + 1 + length, at + MAX_READ)));
        break;
      case Back.ready:
        this.#ready(nowUs);
        break;
      default:
        return this.#readUnknown(type, length);
    }
    return 1 + length;
  }

  /** A message of a type that is not known: passed over by its length, if it may be one at all. */
  #readUnknown(type: number, length: number): number {
    const isLetter = (type | 0x20) >= 0x61 && (type | 0x20) <= 0x7a;
    if (!isLetter || length > MAX_UNKNOWN) {
      // Of what cannot be read nothing counts.
      this.#sent = 0;
      this.#received = 0;
      return Read.broken;
    }
    this.#exchanges.operations.missed.add("postgres", Missed.unreadable);
    return 1 + length;
  }

  /** The one byte that answers a request for encryption. */
  #readEncryption(type: number, askedUs: number, nowUs: number): number {
    this.#askedUs = null;
    if (type === Back.notEncrypted) return 1;
    if (type !== Back.encrypted && type !== Back.gssEncrypted) return Read.broken;
    const name = nameOf(Verb.encrypted);
    this.#exchanges.request(name, name.length, askedUs, 8);
    this.#exchanges.answer(nowUs, 0, false, 1);
    this.#encryption = type === Back.encrypted ? "tls" : "gss";
    return 1;
  }

  /** Whether the server is past the units, where its answers cannot be followed. */
  get #isPast(): boolean {
    return this.#isBeyond && this.#units.front === Unit.none;
  }

  #complete(nowUs: number): void {
    if (this.#isPast) return;
    const { front } = this.#units;
    if (front === Unit.query) this.#completeUs = nowUs;
    else if (front === Unit.execute || front === Unit.none) {
      // An answer without a captured request counts too.
      if (front === Unit.execute) this.#units.shift();
      this.#answer(nowUs, 0);
    }
  }

  #answer(timeUs: number, outcome: number): void {
    this.#exchanges.answer(timeUs, outcome, outcome !== 0, this.#received);
    this.#received = 0;
  }

  #fail(nowUs: number, outcome: number): void {
    if (this.#isPast) return;
    const { front } = this.#units;
    if (front === Unit.query) {
      if (!this.#isFailed) this.#answer(nowUs, outcome);
      this.#isFailed = true;
    } else if (front === Unit.startup || front === Unit.none) {
      if (front === Unit.startup) this.#units.shift();
      this.#answer(nowUs, outcome);
    } else if (front === Unit.parse || front === Unit.execute) {
      const { verb, timeUs } = this.#units;
      while (this.#units.front === Unit.parse) this.#units.shift();
      if (this.#units.front === Unit.execute) {
        this.#units.shift();
        this.#answer(nowUs, outcome);
      } else this.#failParse(verb, timeUs, nowUs, outcome);
      this.#isSkipping = true;
      this.#skip();
    }
  }

  /** A statement was prepared, and not executed along with it. Stands beside what waits: later pipelines may. */
  #failParse(verb: number, timeUs: number, nowUs: number, outcome: number): void {
    const { operations, channel } = this.#exchanges;
    const operation = operations.intern(channel, "postgres", nameOf(verb), nameOf(verb).length);
    operations.requested(operation, 0);
    operations.answered(operation, timeUs, nowUs, outcome, true, this.#received);
    this.#received = 0;
  }

  /** What has been sent up to Sync is not executed. */
  #skip(): void {
    for (;;) {
      const { front } = this.#units;
      if (front !== Unit.parse && front !== Unit.execute) return;
      this.#units.shift();
      if (front === Unit.execute) this.#exchanges.drop();
    }
  }

  #ready(nowUs: number): void {
    this.#skip();
    const { front } = this.#units;
    if (this.#isPast) {
      if (this.#endsBeyond > 0) this.#endsBeyond--;
      this.#isBeyond = this.#endsBeyond > 0;
    }
    if (front !== Unit.none) this.#units.shift();
    if (front === Unit.startup || (front === Unit.query && !this.#isFailed))
      this.#answer(this.#completeUs ?? nowUs, 0);
    this.#received = 0;
    this.#isFailed = false;
    this.#completeUs = null;
    this.#isSkipping = false;
  }
}

function nameOf(verb: number): Uint8Array {
  return VERB_NAMES[verb]!;
}

/** Where the NUL of a string is, or `end`. */
function endOfString(view: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && view.getUint8(i) !== 0) i++;
  return i;
}

/** The code among an error's fields: each a letter and a string. */
function sqlstateOf(view: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && view.getUint8(i) !== 0) {
    const behind = endOfString(view, i + 1, end);
    if (view.getUint8(i) === 0x43) return behind === i + 6 ? packSqlstate(view, i + 1) : NO_SQLSTATE;
    i = behind + 1;
  }
  return NO_SQLSTATE;
}
