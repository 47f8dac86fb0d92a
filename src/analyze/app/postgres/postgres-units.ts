/** A PostgreSQL client's messages that the server has not yet handled, in order. */
import type { Exchanges } from "../exchanges.js";

/** What was sent. */
export const enum Unit {
  /** Nothing waits. */
  none = 0,
  startup = 1,
  /** A simple query or a function call: ends with ReadyForQuery. */
  query = 2,
  parse = 3,
  execute = 4,
  /** Ends with ReadyForQuery. */
  sync = 5,
}

const MAX_UNITS = 2 ** 21;
/** Room of each connection; more comes from the shared room. */
const OWN = 8;
/** Largest ring to keep when nothing waits. */
const MANY = 16_384;

/** A ring in typed arrays; grows to MAX_UNITS, or as far as there is room. */
export class Units {
  readonly #room: Pick<Exchanges, "takeRoom" | "giveRoom">;
  count = 0;
  /** Those of them after which a server that has failed goes on. */
  ends = 0;
  #first = 0;
  #kinds = new Uint8Array(OWN);
  #verbs = new Uint8Array(OWN);
  #times = new Float64Array(OWN);

  constructor(room: Pick<Exchanges, "takeRoom" | "giveRoom">) {
    this.#room = room;
  }

  /** Appends one. False: there is no room. */
  push(kind: Unit, verb: number, timeUs: number): boolean {
    if (this.count === MAX_UNITS) return false;
    if (this.count === this.#kinds.length && !this.#grow()) return false;
    const place = (this.#first + this.count++) & (this.#kinds.length - 1);
    this.#kinds[place] = kind;
    this.#verbs[place] = verb;
    this.#times[place] = timeUs;
    if (isEnd(kind)) this.ends++;
    return true;
  }

  /** The first, or Unit.none. */
  get front(): Unit {
    return this.count === 0 ? Unit.none : this.#kinds[this.#first]!;
  }

  /** Of the first. Only while `count` is not 0. */
  get verb(): number {
    return this.#verbs[this.#first]!;
  }

  get timeUs(): number {
    return this.#times[this.#first]!;
  }

  shift(): void {
    if (isEnd(this.front)) this.ends--;
    this.#first = (this.#first + 1) & (this.#kinds.length - 1);
    this.count--;
    if (this.count === 0 && this.#kinds.length > MANY) this.clear();
  }

  /** Gives back the room it took. */
  clear(): void {
    this.count = 0;
    this.ends = 0;
    if (this.#kinds.length === OWN) return;
    this.#room.giveRoom(this.#kinds.length - OWN);
    this.#first = 0;
    this.#kinds = new Uint8Array(OWN);
    this.#verbs = new Uint8Array(OWN);
    this.#times = new Float64Array(OWN);
  }

  #grow(): boolean {
    const size = this.#kinds.length;
    if (!this.#room.takeRoom(size)) return false;
    const [kinds, verbs, times] = [
      new Uint8Array(size * 2),
      new Uint8Array(size * 2),
      new Float64Array(size * 2),
    ];
    for (let i = 0; i < size; i++) {
      const from = (this.#first + i) & (size - 1);
      kinds[i] = this.#kinds[from]!;
      verbs[i] = this.#verbs[from]!;
      times[i] = this.#times[from]!;
    }
    this.#kinds = kinds;
    this.#verbs = verbs;
    this.#times = times;
    this.#first = 0;
    return true;
  }
}

/** Whether the server says ReadyForQuery behind it. */
export function isEnd(kind: Unit): boolean {
  return kind === Unit.sync || kind === Unit.query || kind === Unit.startup;
}
