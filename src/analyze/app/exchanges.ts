/** The requests of one connection that wait for their answers, in the order they were asked. */
import type { ApplicationName } from "./application.js";
import type { Channel, Operations } from "./operations.js";

/** Requests of one connection that may wait at once; with one more it is as if the capture had a gap. */
const MAX_OPEN = 1024;
/** How often the answers must have caught up with the requests before they are joined again, if requests overlap. */
const CATCH_UPS = 4;
/** After so long a silence nothing is thought to wait any more. */
const QUIET_US = 1_000_000;

/** What is kept of a request that waits. */
const enum Place {
  operation = 0,
  time = 1,
  kind = 2,
  key = 3,
  fields = 4,
}

/**
 * Joins the requests and answers of one connection whose answers come in the order of the requests (HTTP/1.1, Redis,
 * PostgreSQL). A ring in a typed array; grows to MAX_OPEN.
 *
 * After a gap nobody knows how many requests wait: joining the next answer with the next request could be wrong from there on. So it
 * is adrift: requests are counted as lost, answers passed over, and the balance of both is kept. The lowest it falls to is where
 * nothing waits; a request that finds it there again begins the joining anew.
 */
export class Exchanges {
  readonly operations: Operations;
  readonly channel: Channel;
  readonly #application: ApplicationName;
  /** One array, at first small enough to lie in the heap: there are tens of thousands of connections. */
  #ring = new Float64Array(2 * Place.fields);
  #first = 0;
  /** Requests that wait. */
  count = 0;
  /** A request was made before the last answer had ended. Seen here where it had not begun; else the dialogue says so. */
  overlaps = false;
  #isAdrift = false;
  /** Since adrift: requests less answers, and the least that was. */
  #balance = 0;
  #lowest = 0;
  #hasAnswered = false;
  #catchUps = 0;
  /** When the last request or answer was. */
  #lastUs = 0;

  constructor(operations: Operations, channel: Channel, application: ApplicationName) {
    this.operations = operations;
    this.channel = channel;
    this.#application = application;
  }

  /**
   * A request for what bytes [0, length) of `name` call (see Operations.intern), asked at `timeUs`. `kind`: what the dialogue must know
   * of it when its answer comes. Returns the number of the operation.
   */
  request(name: Uint8Array, length: number, timeUs: number, bytes: number, kind = 0): number {
    const operation = this.operations.intern(this.channel, this.#application, name, length);
    this.operations.requested(operation, bytes);
    if (this.count > 0) this.overlaps = true;
    if (this.count === MAX_OPEN) this.lose();
    const isAdrift = this.#isAdrift && !this.#isCaughtUp(timeUs);
    this.#lastUs = timeUs;
    if (isAdrift) {
      this.operations.lost(operation);
      if (++this.#balance - this.#lowest > 1) this.overlaps = true;
      return operation;
    }
    this.#append(operation, timeUs, kind, 0);
    return operation;
  }

  /** A request whose answer will carry `key` too: answers come in any order. All of a connection are asked so, and answered by `answerTo`. */
  requestBy(key: number, name: Uint8Array, length: number, timeUs: number, bytes: number): void {
    const operation = this.operations.intern(this.channel, this.#application, name, length);
    this.operations.requested(operation, bytes);
    if (this.count === MAX_OPEN) this.drop();
    this.#append(operation, timeUs, 0, key);
  }

  /** The request that waits longest of those with `key` is answered; an answer to what nobody was seen to ask is passed over. */
  answerTo(key: number, timeUs: number, outcome: number, isError: boolean, bytes: number): void {
    const ring = this.#ring;
    for (let i = 0; i < this.count; i++) {
      const place = this.#place(i);
      if (ring[place + Place.key] !== key) continue;
      const [operation, time] = [ring[place + Place.operation]!, ring[place + Place.time]!];
      this.operations.answered(operation, time, timeUs, outcome, isError, bytes);
      for (let j = i; j > 0; j--)
        ring.copyWithin(this.#place(j), this.#place(j - 1), this.#place(j - 1) + Place.fields);
      this.#drop();
      return;
    }
  }

  /** A request that has no answer: counted as lost, and waits for none. */
  tell(name: Uint8Array, length: number, bytes: number): void {
    const operation = this.operations.intern(this.channel, this.#application, name, length);
    this.operations.requested(operation, bytes);
    this.operations.lost(operation);
  }

  /** The request that waits longest will have no answer, as the server said: it is lost. */
  drop(): void {
    if (this.#isAdrift) this.#balance--;
    if (this.count === 0) return;
    this.operations.lost(this.oldest);
    this.#drop();
  }

  /** Whether requests are not joined with answers at present; both are still to be told. */
  get isAdrift(): boolean {
    return this.#isAdrift;
  }

  /** When the request that waits longest was asked. Only while `count` is not 0. */
  get oldestUs(): number {
    return this.#ring[this.#place(0) + Place.time]!;
  }

  /** Number of the operation that waits longest, or -1. */
  get oldest(): number {
    return this.count === 0 ? -1 : this.#ring[this.#place(0) + Place.operation]!;
  }

  /** What was said of the request that waits longest. Only while `count` is not 0. */
  get oldestKind(): number {
    return this.#ring[this.#place(0) + Place.kind]!;
  }

  /**
   * The request that waits longest is answered. An answer to what nobody was seen to ask is passed over. Returns the number of the
   * operation, or -1.
   */
  answer(timeUs: number, outcome: number, isError: boolean, bytes: number): number {
    this.#lastUs = timeUs;
    // Where requests overlap, an answer too many says that those before were joined wrongly, perhaps.
    if (this.count === 0 && this.overlaps && !this.#isAdrift) this.lose();
    if (this.#isAdrift) {
      this.#hasAnswered = true;
      if (--this.#balance < this.#lowest) {
        this.#lowest = this.#balance;
        this.#catchUps = 0;
      }
    }
    if (this.count === 0) return -1;
    const operation = this.oldest;
    this.operations.answered(operation, this.oldestUs, timeUs, outcome, isError, bytes);
    this.#drop();
    return operation;
  }

  /** Nothing that waits can be told from anything else any more, and how much waits is unknown: adrift. */
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

  /** Adrift, a request comes: whether nothing is thought to wait. */
  #isCaughtUp(timeUs: number): boolean {
    if (this.#balance !== this.#lowest) return false;
    if (this.#hasAnswered) this.#catchUps++;
    this.#hasAnswered = false;
    if (this.#catchUps < (this.overlaps ? CATCH_UPS : 1) && timeUs - this.#lastUs < QUIET_US) return false;
    this.#isAdrift = false;
    return true;
  }

  #loseAll(): void {
    while (this.count > 0) {
      this.operations.lost(this.oldest);
      this.#drop();
    }
  }

  #append(operation: number, timeUs: number, kind: number, key: number): void {
    if (this.count * Place.fields === this.#ring.length) this.#grow();
    const place = this.#place(this.count++);
    this.#ring[place + Place.operation] = operation;
    this.#ring[place + Place.time] = timeUs;
    this.#ring[place + Place.kind] = kind;
    this.#ring[place + Place.key] = key;
  }

  /** Where the request is that so many others were asked before. */
  #place(before: number): number {
    return ((this.#first + before) * Place.fields) & (this.#ring.length - 1);
  }

  #drop(): void {
    this.#first = (this.#first + 1) & (this.#ring.length / Place.fields - 1);
    this.count--;
  }

  #grow(): void {
    const larger = new Float64Array(this.#ring.length * 2);
    const start = this.#place(0);
    larger.set(this.#ring.subarray(start));
    larger.set(this.#ring.subarray(0, start), this.#ring.length - start);
    this.#ring = larger;
    this.#first = 0;
  }
}
