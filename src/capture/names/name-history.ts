/** The owners of addresses over time, learnt from repeated sightings of the current owners. */
import type { AddressBytes } from "../../net.js";
import type { Names } from "./names.js";

/** A current name of an address. */
export interface Sighting {
  readonly name: string;
  readonly address: AddressBytes;
  /** Canonical text of `address`. */
  readonly text: string;
  /** Since when, microseconds since 1970; null: not known. */
  readonly sinceUs: number | null;
}

interface Claim extends Sighting {
  fromUs: number;
  toUs: number;
}

const FOREVER = Number.POSITIVE_INFINITY;

/**
 * Claims to addresses, each open or closed. An address with a known time of setting changes its owner at that time; otherwise
 * its old owner had it until it was last seen. Bounded: beyond `limit` the claims that ended first are forgotten.
 */
export class NameHistory {
  /** Claims forgotten or not added because the limit was reached. */
  forgotten = 0;
  readonly #limit: number;
  readonly #open = new Map<string, Claim>();
  /** In the order they ended. */
  #closed: Claim[] = [];
  #lastUs: number | null = null;

  constructor(limit = 50_000) {
    this.#limit = limit;
  }

  /** Records all current claims at `nowUs`; the others have ended. True: something changed. */
  observe(sightings: Iterable<Sighting>, nowUs: number): boolean {
    const isSetBack = this.#lastUs !== null && nowUs < this.#lastUs;
    // If the clock was set back, current claims start now, and the old owner keeps the time before.
    if (isSetBack) for (const claim of this.#open.values()) claim.fromUs = Math.min(claim.fromUs, nowUs);
    const seen = new Set<string>();
    const begun = new Map<string, number>();
    for (const sighting of sightings) {
      const key = `${sighting.text} ${sighting.name}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (this.#open.has(key) || !this.#makeRoom()) continue;
      const fromUs = Math.min(sighting.sinceUs ?? this.#lastUs ?? Number.NEGATIVE_INFINITY, nowUs);
      this.#open.set(key, { ...sighting, fromUs, toUs: FOREVER });
      begun.set(sighting.text, Math.min(begun.get(sighting.text) ?? FOREVER, fromUs));
    }
    const ended = [...this.#open].filter(([key]) => !seen.has(key));
    for (const [key, claim] of ended)
      this.#close(key, claim, Math.min(nowUs, begun.get(claim.text) ?? FOREVER));
    if (begun.size > 0)
      for (const claim of this.#closed) claim.toUs = Math.min(claim.toUs, begun.get(claim.text) ?? FOREVER);
    this.#lastUs = nowUs;
    return isSetBack || begun.size > 0 || ended.length > 0;
  }

  /** Addresses (canonical text) with a current or former owner, without `except`. */
  holders(except: string): ReadonlySet<string> {
    const held = [...this.#open.values(), ...this.#closed].filter(({ name }) => name !== except);
    return new Set(held.map(({ text }) => text));
  }

  /** Adds every claim to `names`, except for addresses that `isTaken`; later ones first, so that they take precedence. */
  addTo(names: Names, isTaken: (text: string) => boolean): void {
    for (const claim of [...this.#open.values(), ...this.#closed.toReversed()])
      if (!isTaken(claim.text)) names.add(claim.name, claim.address, [], claim.fromUs, claim.toUs);
  }

  get size(): number {
    return this.#open.size + this.#closed.length;
  }

  #close(key: string, claim: Claim, toUs: number): void {
    this.#open.delete(key);
    claim.toUs = toUs;
    if (claim.fromUs < toUs) this.#closed.push(claim);
  }

  #makeRoom(): boolean {
    if (this.size < this.#limit) return true;
    this.forgotten++;
    return this.#closed.shift() !== undefined;
  }
}
