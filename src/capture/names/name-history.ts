/** Who held which address from when to when, learnt from looks at who holds it now. */
import type { AddressBytes } from "../../net.js";
import type { Names } from "./names.js";

/** One name for one address, as seen now. */
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
 * Claims to addresses, each open or closed. An address whose time of setting is known changes hands at that time; elsewhere
 * its old holder had it until it was last seen. Bounded: beyond `limit` the claims that ended first are forgotten.
 */
export class NameHistory {
  /** Claims forgotten, or never taken up, for want of room. */
  forgotten = 0;
  readonly #limit: number;
  readonly #open = new Map<string, Claim>();
  /** In the order they ended. */
  #closed: Claim[] = [];
  #lastUs: number | null = null;

  constructor(limit = 50_000) {
    this.#limit = limit;
  }

  /** Takes up all that is held at `nowUs`; what is not among it has ended. True: something changed. */
  observe(sightings: Iterable<Sighting>, nowUs: number): boolean {
    const isSetBack = this.#lastUs !== null && nowUs < this.#lastUs;
    // On a clock that was set back, what is held now is held from now on, and was before by the old one.
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

  /** Addresses (canonical text) that somebody holds or has held, `except` aside. */
  holders(except: string): ReadonlySet<string> {
    const held = [...this.#open.values(), ...this.#closed].filter(({ name }) => name !== except);
    return new Set(held.map(({ text }) => text));
  }

  /** Adds every claim to `names`, save those to addresses that `isTaken`; later ones first, so that they hold in case of doubt. */
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
