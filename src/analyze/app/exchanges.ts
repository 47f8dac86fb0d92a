/** The requests of one connection that wait for their answers, in the order they were asked. */
import type { ApplicationName } from "./application.js";
import type { Channel, Operations } from "./operations.js";

/** Requests of one connection that may wait at once; those beyond are counted as lost. */
const MAX_OPEN = 1024;

/**
 * Joins the requests and answers of one connection whose answers come in the order of the requests (HTTP/1.1, Redis,
 * PostgreSQL). A ring in two typed arrays; grows to MAX_OPEN.
 */
export class Exchanges {
  readonly operations: Operations;
  readonly channel: Channel;
  readonly #application: ApplicationName;
  #open = new Int32Array(4);
  #times = new Float64Array(4);
  #first = 0;
  /** Requests that wait. */
  count = 0;

  constructor(operations: Operations, channel: Channel, application: ApplicationName) {
    this.operations = operations;
    this.channel = channel;
    this.#application = application;
  }

  /** A request for what bytes [0, length) of `name` call (see Operations.intern), asked at `timeUs`. */
  request(name: Uint8Array, length: number, timeUs: number, bytes: number): void {
    const operation = this.operations.intern(this.channel, this.#application, name, length);
    this.operations.requested(operation, bytes);
    if (this.count === MAX_OPEN) {
      this.operations.lost(operation);
      return;
    }
    if (this.count === this.#open.length) this.#grow();
    const place = (this.#first + this.count++) & (this.#open.length - 1);
    this.#open[place] = operation;
    this.#times[place] = timeUs;
  }

  /** When the request that waits longest was asked. Only while `count` is not 0. */
  get oldestUs(): number {
    return this.#times[this.#first]!;
  }

  /** Number of the operation that waits longest, or -1. */
  get oldest(): number {
    return this.count === 0 ? -1 : this.#open[this.#first]!;
  }

  /** The request that waits longest is answered. One that nobody was seen to ask is passed over. */
  answer(timeUs: number, outcome: number, isError: boolean, bytes: number): void {
    if (this.count === 0) return;
    this.operations.answered(this.oldest, this.oldestUs, timeUs, outcome, isError, bytes);
    this.#drop();
  }

  /** Nothing that waits can be told from anything else any more. */
  lose(): void {
    while (this.count > 0) {
      this.operations.lost(this.oldest);
      this.#drop();
    }
  }

  #drop(): void {
    this.#first = (this.#first + 1) & (this.#open.length - 1);
    this.count--;
  }

  #grow(): void {
    const size = this.#open.length;
    const [open, times] = [new Int32Array(size * 2), new Float64Array(size * 2)];
    for (let i = 0; i < size; i++) {
      const from = (this.#first + i) & (size - 1);
      open[i] = this.#open[from]!;
      times[i] = this.#times[from]!;
    }
    this.#open = open;
    this.#times = times;
    this.#first = 0;
  }
}
