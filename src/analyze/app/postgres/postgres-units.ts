/** What a client of PostgreSQL has sent and the server has not yet dealt with, in order. */

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

const MAX_UNITS = 4096;

/** A ring in typed arrays; grows to MAX_UNITS. */
export class Units {
  count = 0;
  /** Those of them after which a server that has failed goes on. */
  ends = 0;
  #first = 0;
  #kinds = new Uint8Array(8);
  #verbs = new Uint8Array(8);
  #times = new Float64Array(8);

  /** Appends one. False: there is no room. */
  push(kind: Unit, verb: number, timeUs: number): boolean {
    if (this.count === MAX_UNITS) return false;
    if (this.count === this.#kinds.length) this.#grow();
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
  }

  clear(): void {
    this.count = 0;
    this.ends = 0;
  }

  #grow(): void {
    const size = this.#kinds.length;
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
  }
}

function isEnd(kind: Unit): boolean {
  return kind === Unit.sync || kind === Unit.query || kind === Unit.startup;
}
