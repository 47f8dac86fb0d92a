/**
 * DNS over UDP and TCP. A request is a message with a query, its operation the type that is asked for (`A`, `AAAA`; TYPEn where it has
 * no name) or the opcode (`NOTIFY`, `UPDATE`); the outcome is the response code, that of EDNS included. Failed are all but NOERROR and
 * NXDOMAIN: that a name does not exist is an answer, and is told apart by its outcome.
 *
 * A query and its answer have the id, the client's port and the question in common; an answer without a question goes by the id. A query
 * sent again counts again. Of equal ones the oldest is answered first, so that the duration is the one that the client waited, and
 * what was sent in vain stays unanswered. Of an answer in many messages (AXFR) the first counts. Names are read, never kept.
 */
import {
  type Application,
  type Datagrams,
  type Dialogue,
  Looks,
  type Outcome,
  Read,
  Strictness,
} from "../application.js";
import type { Exchanges } from "../exchanges.js";
import { type Channel, type Operations, OTHER_OPERATION } from "../operations.js";
import { commonestErrorColumn, countOutcomes } from "../outcomes.js";
import { DnsMessage, dnsOutcome, isDnsError, looksLikeDns, MAX_QUESTION, mayBeDns } from "./dns-message.js";

/** RFC 1035 4.2.2: a length stands before each message. */
const PREFIX = 2;
/** Most bytes of an answer to wait for: EDNS' record is at its end. For longer ones the header's response code counts. */
const MAX_ANSWER = 8192;
/** Shortest message to search for: a header, the root and a type. */
const MIN_MESSAGE = 17;
/** Bytes that a message is recognised by: head, question, and the beginning of a record. */
const MAX_LOOKED = MAX_QUESTION + 4;
const OTHER = Uint8Array.from(OTHER_OPERATION, (letter) => letter.charCodeAt(0));

/** RFC 1035 4.1.1 */
const NXDOMAIN = 3;
const SERVFAIL = 2;

const OUTCOME: Outcome = { isError: isDnsError, word: dnsOutcome };

export const dns: Application = {
  name: "dns",
  title: "DNS",
  strictness: Strictness.fields,
  transports: {
    tcp: { isPipelined: false, looks: looksPrefixed, open: (exchanges) => new DnsDialogue(exchanges) },
    udp: { looks: looksLikeDns, open: (operations) => new DnsQueries(operations) },
  },
  requests: {
    outcome: OUTCOME,
    operationTitle: "Type",
    columns: [
      {
        name: "nxdomain",
        title: "NXDOMAIN",
        kind: "count",
        value: (outcomes) => countOutcomes(outcomes, (rcode) => rcode === NXDOMAIN),
      },
      {
        name: "servfail",
        title: "SERVFAIL",
        kind: "count",
        value: (outcomes) => countOutcomes(outcomes, (rcode) => rcode === SERVFAIL),
      },
      commonestErrorColumn(OUTCOME),
    ],
  },
};

/** Over TCP. At the start of a connection the same bytes decide in any segmentation; within it the available bytes. */
function looksPrefixed(
  view: DataView,
  at: number,
  end: number,
  _fromClient: boolean,
  isMidway?: boolean,
): Looks {
  if (end - at < PREFIX) return Looks.short;
  const length = view.getUint16(at);
  if (length < MIN_MESSAGE) return Looks.no;
  const from = at + PREFIX;
  const seen = from + Math.min(length, MAX_LOOKED);
  if (end >= seen) return looksLikeDns(view, from, isMidway ? Math.min(end, from + length) : seen);
  const looks = isMidway ? looksLikeDns(view, from, end) : Looks.no;
  return looks === Looks.no && mayBeDns(view, from, end) ? Looks.short : looks;
}

/** DNS over TCP: answers come in any order (RFC 7766 6.2.1.1). */
class DnsDialogue implements Dialogue {
  readonly #exchanges: Exchanges;
  readonly #message = new DnsMessage();

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number, nowUs: number): number {
    if (end - at < PREFIX) return Read.more;
    const length = view.getUint16(at);
    const isAnswer = end - at >= PREFIX + 4 && view.getUint16(at + PREFIX + 2) >= 0x8000;
    if (end - at < PREFIX + Math.min(length, isAnswer ? MAX_ANSWER : MAX_QUESTION)) return Read.more;
    const message = this.#message;
    const whole = at + PREFIX + length;
    if (!message.decode(view, at + PREFIX, Math.min(end, whole))) return Read.broken;
    // Within one connection an id is of one query (RFC 7766 6.2.1).
    const key = message.id;
    if (fromClient && !message.isResponse) {
      const name = message.operation.length > 0 ? message.operation : OTHER;
      this.#exchanges.requestBy(key, name, name.length, firstUs, length);
    } else if (!fromClient && message.isResponse)
      this.#exchanges.answerTo(key, nowUs, message.rcode, isDnsError(message.rcode), length);
    return PREFIX + length;
  }

  lost(): void {}

  end(): void {}
}

/** Most waiting queries over UDP; beyond, the oldest is forgotten. */
const MAX_PENDING = 16_384;
/** A forgotten query counts as unanswered if it waited longer than this, else as lost. */
const GIVEN_UP_US = 10_000_000;
/** Queries that may wait in one bucket: bounds the cost of a client that repeats one id. */
const MAX_IN_BUCKET = 32;
const NONE = -1;

/** Matches queries and answers over UDP, of all channels. Bounded, in typed arrays: no allocation per datagram. */
export class DnsQueries implements Datagrams {
  /** Queries that wait. */
  open = 0;
  readonly #operations: Operations;
  readonly #message = new DnsMessage();
  /** First entry of each bucket, and the next of the same bucket: oldest first. */
  readonly #buckets = new Int32Array(MAX_PENDING * 2).fill(NONE);
  readonly #nextOf = new Int32Array(MAX_PENDING).fill(NONE);
  /** All that wait, by age. */
  readonly #newer = new Int32Array(MAX_PENDING).fill(NONE);
  readonly #older = new Int32Array(MAX_PENDING).fill(NONE);
  #oldest = NONE;
  #newest = NONE;
  /** Entries in use so far, and those given back, linked by #newer. */
  #used = 0;
  #free = NONE;
  readonly #channels = new Float64Array(MAX_PENDING);
  /** The client's port and the id. */
  readonly #keys = new Int32Array(MAX_PENDING);
  readonly #questions = new Int32Array(MAX_PENDING);
  readonly #asked = new Int32Array(MAX_PENDING);
  readonly #times = new Float64Array(MAX_PENDING);

  constructor(operations: Operations) {
    this.#operations = operations;
  }

  /**
   * A datagram for which `looksLikeDns` said yes: bytes [at, end), borrowed. `fromClient`: its sender is the channel's client, whose port
   * `clientPort` is. A query that a server sends, and an answer without a captured query (multicast DNS), are skipped.
   */
  datagram(
    channel: Channel,
    clientPort: number,
    fromClient: boolean,
    view: DataView,
    at: number,
    end: number,
    nowUs: number,
  ): void {
    const message = this.#message;
    if (!message.decode(view, at, end) || message.isResponse === fromClient) return;
    const key = (clientPort << 16) | message.id;
    if (message.isResponse) this.#answer(channel, key, nowUs, end - at);
    else this.#ask(channel, key, nowUs, end - at);
  }

  #ask(channel: Channel, key: number, nowUs: number, bytes: number): void {
    const name = this.#message.operation.length > 0 ? this.#message.operation : OTHER;
    const operation = this.#operations.intern(channel, "dns", name, name.length);
    this.#operations.requested(operation, bytes);
    this.#makeRoom(bucketOf(channel, key), nowUs);
    const entry = this.#take();
    this.#channels[entry] = channel;
    this.#keys[entry] = key;
    this.#questions[entry] = this.#message.question;
    this.#asked[entry] = operation;
    this.#times[entry] = nowUs;
    this.#link(entry);
  }

  #answer(channel: Channel, key: number, nowUs: number, bytes: number): void {
    const { question, rcode } = this.#message;
    let entry = this.#buckets[bucketOf(channel, key)]!;
    for (; entry !== NONE; entry = this.#nextOf[entry]!) {
      if (this.#keys[entry] !== key || this.#channels[entry] !== channel) continue;
      if (question === 0 || this.#questions[entry] === question) break;
    }
    if (entry === NONE) return;
    this.#operations.answered(
      this.#asked[entry]!,
      this.#times[entry]!,
      nowUs,
      rcode,
      isDnsError(rcode),
      bytes,
    );
    this.#forget(entry);
  }

  /** Forgets the oldest if there are too many, in total or in the bucket. */
  #makeRoom(bucket: number, nowUs: number): void {
    if (this.open === MAX_PENDING) this.#giveUp(this.#oldest, nowUs);
    let count = 0;
    for (let entry = this.#buckets[bucket]!; entry !== NONE; entry = this.#nextOf[entry]!) count++;
    if (count >= MAX_IN_BUCKET) this.#giveUp(this.#buckets[bucket]!, nowUs);
  }

  #giveUp(entry: number, nowUs: number): void {
    if (nowUs - this.#times[entry]! < GIVEN_UP_US) this.#operations.lost(this.#asked[entry]!);
    this.#forget(entry);
  }

  #take(): number {
    const entry = this.#free;
    if (entry === NONE) return this.#used++;
    this.#free = this.#newer[entry]!;
    return entry;
  }

  /** Puts an entry last in its bucket and in age. */
  #link(entry: number): void {
    const bucket = bucketOf(this.#channels[entry]!, this.#keys[entry]!);
    this.#nextOf[entry] = NONE;
    let last = this.#buckets[bucket]!;
    if (last === NONE) this.#buckets[bucket] = entry;
    else {
      while (this.#nextOf[last] !== NONE) last = this.#nextOf[last]!;
      this.#nextOf[last] = entry;
    }
    this.#older[entry] = this.#newest;
    this.#newer[entry] = NONE;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
    this.open++;
  }

  #forget(entry: number): void {
    const bucket = bucketOf(this.#channels[entry]!, this.#keys[entry]!);
    let before = this.#buckets[bucket]!;
    if (before === entry) this.#buckets[bucket] = this.#nextOf[entry]!;
    else {
      while (this.#nextOf[before] !== entry) before = this.#nextOf[before]!;
      this.#nextOf[before] = this.#nextOf[entry]!;
    }
    const [older, newer] = [this.#older[entry]!, this.#newer[entry]!];
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    this.#newer[entry] = this.#free;
    this.#free = entry;
    this.open--;
  }
}

function bucketOf(channel: Channel, key: number): number {
  const hash = Math.imul(channel ^ Math.imul(key, 0x9e3779b1), 0x85ebca6b);
  return (hash ^ (hash >>> 15)) & (MAX_PENDING * 2 - 1);
}
