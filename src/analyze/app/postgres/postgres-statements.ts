/** The verbs of statements that a connection has prepared, by a hash of their names; names are not kept. */
import { Verb } from "./postgres-keywords.js";

/** Statements, and portals, that are remembered of a connection; further ones are called prepared. */
const MAX_NAMES = 1024;

/** Statements or portals. Two names with the same hash (1 in 2^32) are taken for one. */
export class Statements {
  /** Of the one without a name. */
  #unnamed: number = Verb.prepared;
  #named: Map<number, number> | null = null;

  /** Remembers the verb of the name in bytes [at, end). False: there is no room. */
  set(view: DataView, at: number, end: number, verb: number): boolean {
    if (at === end) {
      this.#unnamed = verb;
      return true;
    }
    this.#named ??= new Map();
    const hash = hashOf(view, at, end);
    if (this.#named.size >= MAX_NAMES && !this.#named.has(hash)) return false;
    this.#named.set(hash, verb);
    return true;
  }

  get(view: DataView, at: number, end: number): number {
    if (at === end) return this.#unnamed;
    return this.#named?.get(hashOf(view, at, end)) ?? Verb.prepared;
  }

  delete(view: DataView, at: number, end: number): void {
    if (at === end) this.#unnamed = Verb.prepared;
    else this.#named?.delete(hashOf(view, at, end));
  }

  /** Messages about them may have been missed: forgets all. */
  clear(): void {
    this.#unnamed = Verb.prepared;
    this.#named = null;
  }
}

function hashOf(view: DataView, at: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = at; i < end; i++) hash = Math.imul(hash ^ view.getUint8(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
