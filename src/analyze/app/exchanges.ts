/** The waiting requests of one connection, in the order they were sent. */
import { Missed } from "./missed.js";
import type { Channel, Operations } from "./operations.js";

/** Requests of one connection that may wait at once. */
const MAX_OPEN = 2 ** 20;
/** Those whose answers come in any order, and are looked for one by one. */
const MAX_OPEN_BY_KEY = 1024;
/** Room of each connection; more comes from the shared room. */
const OWN = 4;
/** Largest ring to keep when nothing waits. */
const MANY = 16_384;
/** How often the answers must have caught up with the requests before they are joined again, if requests overlap. */
const CATCH_UPS = 4;
/** After this silence no request is assumed to wait. */
const QUIET_US = 1_000_000;

/** What is kept of a request that waits: two numbers. */
const enum Place {
  time = 0,
  /** Its operation, and its kind or key times OPERATIONS: exact below 2^53. */
  packed = 1,
  fields = 2,
}
const OPERATIONS = 2 ** 24;

/** Room for requests that wait, shared by all connections. */
export interface RequestRoom {
  /** How many more may wait. */
  roomRequests: number;
}

/**
 * Matches the requests and answers of one connection whose answers come in the order of the requests (HTTP/1.1, Redis,
 * PostgreSQL). A ring in a typed array; grows to MAX_OPEN, or as far as there is room. Requests beyond are counted, and so are their
 * answers, but not matched.
 *
 * After a gap the number of waiting requests is unknown: matching the next answer with the next request could be wrong from there on. So it
 * is adrift: requests are counted as unseen, answers are skipped, and the balance of both is kept. At the lowest balance
 * nothing waits; a request at that balance starts the matching again.
 */
export class Exchanges {
  readonly operations: Operations;
  readonly channel: Channel;
  readonly application: string;
  readonly #room: RequestRoom;
  /** One array, at first small enough to lie in the heap: there are tens of thousands of connections. */
  #ring = new Float64Array(OWN * Place.fields);
  #first = 0;
  /** Requests that wait. */
  count = 0;
  /** Requests that wait behind these, for which there was no room. */
  #beyond = 0;
  /** A request was made before the last answer had ended. Seen here where it had not begun; else the dialogue says so. */
  overlaps = false;
  /** The connection began before the capture: its first answers may be to requests of then. */
  isMidway = false;
  #isAdrift = false;
  /** Since adrift: requests less answers, and the least that was. */
  #balance = 0;
  #lowest = 0;
  #hasAnswered = false;
  #catchUps = 0;
  /** When the last request or answer was. */
  #lastUs = 0;

  constructor(operations: Operations, channel: Channel, application: string, room: RequestRoom) {
    this.operations = operations;
    this.channel = channel;
    this.application = application;
    this.#room = room;
  }

  /**
   * A request for what bytes [0, length) of `name` call (see Operations.intern), asked at `timeUs`. `kind` (below 2^29): what the dialogue
   * must know of it when its answer comes. Returns the number of the operation.
   */
  request(name: Uint8Array, length: number, timeUs: number, bytes: number, kind = 0): number {
    const operation = this.operations.intern(this.channel, this.application, name, length);
    this.operations.requested(operation, bytes);
    if (this.count > 0) this.overlaps = true;
    this.isMidway = false;
    const isAdrift = this.#isAdrift && !this.#isCaughtUp(timeUs);
    this.#lastUs = timeUs;
    if (isAdrift) {
      this.operations.unseen(operation);
      if (++this.#balance - this.#lowest > 1) this.overlaps = true;
    } else if (this.#beyond > 0 || !this.#append(operation, timeUs, kind, MAX_OPEN)) {
      this.#beyond++;
      this.#loseForRoom(operation);
    }
    return operation;
  }

  /** A request whose answer will carry `key` (below 2^29) too: answers come in any order. All of a connection are asked so, and answered by `answerTo`. */
  requestBy(key: number, name: Uint8Array, length: number, timeUs: number, bytes: number): void {
    const operation = this.operations.intern(this.channel, this.application, name, length);
    this.operations.requested(operation, bytes);
    if (this.#append(operation, timeUs, key, MAX_OPEN_BY_KEY)) return;
    if (this.count > 0) {
      this.#loseForRoom(this.oldest);
      this.#drop();
    }
    this.#append(operation, timeUs, key, MAX_OPEN_BY_KEY);
  }

  /** Answers the oldest waiting request with `key`; an answer without a captured request is skipped. */
  answerTo(key: number, timeUs: number, outcome: number, isError: boolean, bytes: number): void {
    const ring = this.#ring;
    for (let i = 0; i < this.count; i++) {
      const place = this.#place(i);
      if (Math.floor(ring[place + Place.packed]! / OPERATIONS) !== key) continue;
      const [operation, time] = [ring[place + Place.packed]! % OPERATIONS, ring[place + Place.time]!];
      this.operations.answered(operation, time, timeUs, outcome, isError, bytes);
      for (let j = i; j > 0; j--)
        ring.copyWithin(this.#place(j), this.#place(j - 1), this.#place(j - 1) + Place.fields);
      this.#drop();
      return;
    }
  }

  /** A request that has no answer: counted as lost, and waits for none. */
  tell(name: Uint8Array, length: number, bytes: number): void {
    const operation = this.operations.intern(this.channel, this.application, name, length);
    this.operations.requested(operation, bytes);
    this.operations.lost(operation);
  }

  /** A request whose answer cannot be followed because there is no room. */
  tellUnseen(name: Uint8Array, length: number, bytes: number): void {
    const operation = this.operations.intern(this.channel, this.application, name, length);
    this.operations.requested(operation, bytes);
    this.#loseForRoom(operation);
  }

  /** The request that waits longest will have no answer, as the server said: it is lost. */
  drop(): void {
    if (this.#isAdrift) this.#balance--;
    if (this.count === 0) {
      if (this.#beyond > 0) this.#beyond--;
      return;
    }
    this.operations.lost(this.oldest);
    this.#drop();
  }

  /** Whether requests are not joined with answers at present; both are still to be told. */
  get isAdrift(): boolean {
    return this.#isAdrift;
  }

  /** Whether a request is known to wait. */
  get isAwaited(): boolean {
    return this.count > 0 || this.#beyond > 0;
  }

  /** When the request that waits longest was asked. Only while `count` is not 0. */
  get oldestUs(): number {
    return this.#ring[this.#place(0) + Place.time]!;
  }

  /** Number of the operation that waits longest, or -1. */
  get oldest(): number {
    return this.count === 0 ? -1 : this.#ring[this.#place(0) + Place.packed]! % OPERATIONS;
  }

  /** What was said of the request that waits longest. Only while `count` is not 0. */
  get oldestKind(): number {
    return Math.floor(this.#ring[this.#place(0) + Place.packed]! / OPERATIONS);
  }

  /**
   * Answers the oldest waiting request. An answer without a captured request is skipped. Returns the number of the
   * operation, or -1.
   */
  answer(timeUs: number, outcome: number, isError: boolean, bytes: number): number {
    this.#lastUs = timeUs;
    if (this.#isAdrift) {
      this.#hasAnswered = true;
      if (--this.#balance < this.#lowest) {
        this.#lowest = this.#balance;
        this.#catchUps = 0;
      }
    } else if (this.count === 0) {
      if (this.#beyond > 0) this.#beyond--;
      else this.#answerUnasked(isError);
      return -1;
    }
    if (this.count === 0) return -1;
    const operation = this.oldest;
    this.operations.answered(operation, this.oldestUs, timeUs, outcome, isError, bytes);
    this.#drop();
    return operation;
  }

  /** Servers may send an error before they close a connection: an error without a request is not counted as missed. */
  #answerUnasked(isError: boolean): void {
    if (!isError && !this.isMidway) this.operations.missed.add(this.application, Missed.answer);
    // If requests overlap, a surplus answer means that earlier ones may have been matched wrongly.
    if (!this.overlaps) return;
    this.lose();
    this.#hasAnswered = true;
    this.#balance = -1;
    this.#lowest = -1;
  }

  /** Forgets the waiting requests; their number is unknown from here on: adrift. */
  lose(): void {
    this.#loseAll();
    this.#isAdrift = true;
    this.#balance = 0;
    this.#lowest = 0;
    this.#catchUps = 0;
    this.#hasAnswered = false;
  }

  /** Answers are missing, no request: what waits is lost. Where requests do not overlap, the next to come has the next answer. */
  loseAnswers(): void {
    if (this.overlaps) this.lose();
    else this.#loseAll();
  }

  /** The connection has ended: frees its share of the room. */
  close(): void {
    this.count = 0;
    this.#beyond = 0;
    this.#shrink();
  }

  /** Takes room for so many more that wait of this connection. False: there is not so much. Who takes it gives it back. */
  takeRoom(requests: number): boolean {
    if (this.#room.roomRequests < requests) return false;
    this.#room.roomRequests -= requests;
    return true;
  }

  giveRoom(requests: number): void {
    this.#room.roomRequests += requests;
  }

  /** A request while adrift: returns whether no other request is assumed to wait. */
  #isCaughtUp(timeUs: number): boolean {
    if (this.#balance !== this.#lowest) return false;
    if (this.#hasAnswered) this.#catchUps++;
    this.#hasAnswered = false;
    if (this.#catchUps < (this.overlaps ? CATCH_UPS : 1) && timeUs - this.#lastUs < QUIET_US) return false;
    this.#isAdrift = false;
    return true;
  }

  #loseForRoom(operation: number): void {
    this.operations.unseen(operation);
    this.operations.missed.add(this.application, Missed.requestRoom);
  }

  #loseAll(): void {
    for (; this.count > 0; this.#drop()) this.operations.unseen(this.oldest);
    this.#beyond = 0;
  }

  /** False: there is no room. */
  #append(operation: number, timeUs: number, kindOrKey: number, most: number): boolean {
    if (this.count === most) return false;
    if (this.count * Place.fields === this.#ring.length && !this.#grow()) return false;
    const place = this.#place(this.count++);
    this.#ring[place + Place.time] = timeUs;
    this.#ring[place + Place.packed] = operation + kindOrKey * OPERATIONS;
    return true;
  }

  /** Where the request is that so many others were asked before. */
  #place(before: number): number {
    return ((this.#first + before) * Place.fields) & (this.#ring.length - 1);
  }

  #drop(): void {
    this.#first = (this.#first + 1) & (this.#ring.length / Place.fields - 1);
    this.count--;
    if (this.count === 0 && this.#ring.length > MANY * Place.fields) this.#shrink();
  }

  /** Nothing waits: back to the smallest ring. */
  #shrink(): void {
    this.giveRoom(this.#ring.length / Place.fields - OWN);
    this.#ring = new Float64Array(OWN * Place.fields);
    this.#first = 0;
  }

  #grow(): boolean {
    if (!this.takeRoom(this.#ring.length / Place.fields)) return false;
    const larger = new Float64Array(this.#ring.length * 2);
    const start = this.#place(0);
    larger.set(this.#ring.subarray(start));
    larger.set(this.#ring.subarray(0, start), this.#ring.length - start);
    this.#ring = larger;
    this.#first = 0;
    return true;
  }
}
