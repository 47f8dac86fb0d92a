/** Requests between services by channel and operation, with their outcomes and durations. Bounded. */
import { Durations } from "./durations.js";
import { Missed, MissedCounts } from "./missed.js";
import { Vocabulary } from "./vocabulary.js";

/**
 * A channel: a client's address, a server's address and port, in one span of time with constant names. Its number
 * comes from the caller (see `Channels`).
 */
export type Channel = number;

/** Results of requests. */
export interface RequestCounts {
  requests: number;
  answered: number;
  /** Answers that say the request failed. */
  errors: number;
  /** Requests that have no answer of their own, and those of `unseen`: neither answered nor unanswered. */
  lost: number;
  /** Requests with an unknown result: their answer fell into a gap, or was not followed. */
  unseen: number;
  requestBytes: number;
  responseBytes: number;
  /** Answers by the protocol's code (status, SQLSTATE, rcode); the protocol defines its meaning. */
  readonly outcomes: Map<number, number>;
  readonly durations: Durations;
}

/** Results of an operation. Times are microseconds since 1970. */
export interface Operation extends RequestCounts {
  readonly channel: Channel;
  readonly application: string;
  /** What was asked, in a few words of the protocol: `GET /products/{id}`, `HGETALL`, `SELECT`. Never a value. */
  readonly name: string;
  /** Of the run of failures that has not ended: its first. null: the last answer was good, or there was none. */
  failingSinceUs: number | null;
  lastErrorUs: number | null;
}

/** Name of everything beyond the limit. */
export const OTHER_OPERATION = "(other)";
/** Longest name, in bytes. */
export const MAX_NAME = 80;
const MAX_OPERATIONS = 10_000;
const MAX_OPERATIONS_OF_CHANNEL = 200;
/** Outcomes of an operation that always have room; of all operations together beyond these. */
const OWN_OUTCOMES = 32;
const MAX_OUTCOMES = 100_000;

/** All operations, by number. Finding a known one makes no string and no object. */
export class Operations {
  readonly list: Operation[] = [];
  /** Shared buffer for a name before its lookup; use it without yielding. */
  readonly scratch = new Uint8Array(MAX_NAME);
  /** Words that names may hold. */
  readonly vocabulary = new Vocabulary();
  /** Operations counted as `(other)` because the limit was reached. */
  overflow = 0;
  /** What was not followed. */
  readonly missed = new MissedCounts();
  /** Outcomes that all operations together may tell apart beyond the few of each. */
  #outcomesLeft = MAX_OUTCOMES;
  #slots = new Int32Array(256);
  #hashes = new Int32Array(128);
  /** The bytes of each name, to compare without making a string. */
  readonly #bytes: Uint8Array[] = [];
  readonly #ofChannel = new Map<Channel, number>();

  /**
   * The number of the operation that bytes [0, length) of `name` (printable ASCII; longer than MAX_NAME: cut) call, made where
   * it is new. Borrows the bytes.
   */
  intern(channel: Channel, application: string, name: Uint8Array, length: number): number {
    const end = Math.min(length, MAX_NAME);
    let hash = Math.imul(channel, 0x85ebca6b) ^ application.charCodeAt(0) ^ (application.length << 8);
    for (let i = 0; i < end; i++) hash = Math.imul(hash ^ name[i]!, 0x01000193);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const found = this.#slots[slot]!;
      if (found === 0) break;
      if (this.#hashes[found - 1] === hash && this.#isSame(found - 1, channel, application, name, end))
        return found - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(channel, application, name, end, hash);
  }

  /** More was sent of a request that was counted before. */
  requestGrew(operation: number, bytes: number): void {
    this.list[operation]!.requestBytes += bytes;
  }

  /** More was sent of an answer that was counted before. */
  responseGrew(operation: number, bytes: number): void {
    this.list[operation]!.responseBytes += bytes;
  }

  /** A request was made. */
  requested(operation: number, bytes: number): void {
    const of = this.list[operation]!;
    of.requests++;
    of.requestBytes += bytes;
  }

  /** It was answered, so long after. */
  answered(
    operation: number,
    requestUs: number,
    responseUs: number,
    outcome: number,
    isError: boolean,
    bytes: number,
  ): void {
    const of = this.list[operation]!;
    of.answered++;
    of.responseBytes += bytes;
    // Two taps with different clocks: the duration is unknown.
    if (responseUs >= requestUs) of.durations.add(responseUs - requestUs);
    this.#countOutcome(of, outcome);
    if (isError) {
      of.errors++;
      of.failingSinceUs ??= responseUs;
      of.lastErrorUs = responseUs;
    } else of.failingSinceUs = null;
  }

  /** A successful answer turned out to be a failure; `outcome` is counted in addition. */
  failed(operation: number, timeUs: number, outcome: number): void {
    const of = this.list[operation]!;
    this.#countOutcome(of, outcome);
    of.errors++;
    of.failingSinceUs ??= timeUs;
    of.lastErrorUs = timeUs;
  }

  /** It has no answer of its own. */
  lost(operation: number): void {
    this.list[operation]!.lost++;
  }

  /** Its answer is not known: the capture has a gap, or it was not followed. */
  unseen(operation: number): void {
    const of = this.list[operation]!;
    of.lost++;
    of.unseen++;
  }

  #countOutcome(of: Operation, outcome: number): void {
    const known = of.outcomes.get(outcome);
    if (known === undefined && of.outcomes.size >= OWN_OUTCOMES) {
      if (this.#outcomesLeft === 0) {
        this.missed.add(of.application, Missed.outcomeRoom);
        return;
      }
      this.#outcomesLeft--;
    }
    of.outcomes.set(outcome, (known ?? 0) + 1);
  }

  #isSame(
    operation: number,
    channel: Channel,
    application: string,
    name: Uint8Array,
    length: number,
  ): boolean {
    const of = this.list[operation]!;
    const bytes = this.#bytes[operation]!;
    if (of.channel !== channel || of.application !== application || bytes.length !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[i] !== name[i]) return false;
    return true;
  }

  #add(channel: Channel, application: string, name: Uint8Array, length: number, hash: number): number {
    const ofChannel = this.#ofChannel.get(channel) ?? 0;
    const hasNoRoom = this.list.length >= MAX_OPERATIONS;
    const text = String.fromCharCode(...name.subarray(0, length));
    const isOther = text === OTHER_OPERATION;
    if (isOther ? hasNoRoom && channel !== -1 : hasNoRoom || ofChannel >= MAX_OPERATIONS_OF_CHANNEL) {
      this.overflow++;
      this.missed.add(application, Missed.operationRoom);
      // With no room at all, the channel is not told apart either: one `(other)` an application.
      return this.intern(hasNoRoom ? -1 : channel, application, OTHER_BYTES, OTHER_BYTES.length);
    }
    const number = this.list.push(createOperation(channel, application, text)) - 1;
    this.#bytes.push(name.slice(0, length));
    this.#ofChannel.set(channel, ofChannel + 1);
    if (number >= this.#hashes.length) {
      const larger = new Int32Array(this.#hashes.length * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[number] = hash;
    if (this.list.length * 2 > this.#slots.length) this.#slots = new Int32Array(this.#slots.length * 2);
    else {
      this.#link(number);
      return number;
    }
    for (let i = 0; i <= number; i++) this.#link(i);
    return number;
  }

  #link(operation: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[operation]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = operation + 1;
  }
}

const OTHER_BYTES = Uint8Array.from(OTHER_OPERATION, (letter) => letter.charCodeAt(0));

function createOperation(channel: Channel, application: string, name: string): Operation {
  return {
    channel,
    application,
    name,
    ...createCounts(),
    failingSinceUs: null,
    lastErrorUs: null,
  };
}

/** Nothing counted yet. */
export function createCounts(): RequestCounts {
  return {
    requests: 0,
    answered: 0,
    errors: 0,
    lost: 0,
    unseen: 0,
    requestBytes: 0,
    responseBytes: 0,
    outcomes: new Map(),
    durations: new Durations(),
  };
}
