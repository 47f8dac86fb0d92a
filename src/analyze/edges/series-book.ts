/** Running counters by labels: a bounded number is on the page, the others are summed in one `~other` per kind. */

/** Label of everything beyond the bound. No name begins with `~`: see `edgeLabel`. */
export const OTHER_EDGE = "~other";

/** Counters of one source, destination and kind. */
export interface Listing {
  readonly source: string;
  readonly destination: string;
  /** A word of a closed set. */
  readonly kind: string;
  /** When it last grew, in microseconds. */
  lastUs: number;
  state: "listed" | "kept" | "forgotten";
}

export interface SeriesBounds {
  /** Samples that the listed may make together. */
  readonly maxSamples: number;
  /** One leaves the page when it has not grown for so long. */
  readonly ttlUs: number;
}

/** Samples that books together have given away. */
export class SampleBudget {
  readonly bounds: SeriesBounds;
  used = 0;

  constructor(bounds: SeriesBounds) {
    this.bounds = bounds;
  }
}

/** Counters kept off the page, per sample of it: one that returns continues, a forgotten one starts at 0. */
const KEPT_PER_SAMPLE = 4;

/** Makes the counters of a source, a destination and a kind, all 0. */
export type CreateListing<T extends Listing> = (source: string, destination: string, kind: string) => T;

/** Sums over all of a book stay whole: what found no room is in `~other`. */
export class SeriesBook<T extends Listing> {
  readonly #budget: SampleBudget;
  readonly #create: CreateListing<T>;
  readonly #samplesOf: (kind: string) => number;
  readonly #listed = new Map<string, T>();
  /** Off the page after their time, oldest first. */
  readonly #kept = new Map<string, T>();
  readonly #other = new Map<string, T>();
  /** What was counted under `~other` because the page was full, in the counter's own unit. */
  overflow = 0;
  /** How many have left the page and made room. */
  freed = 0;

  /** `samplesOf`: samples that one of a kind makes on a page. */
  constructor(budget: SampleBudget, create: CreateListing<T>, samplesOf: (kind: string) => number) {
    this.#budget = budget;
    this.#create = create;
    this.#samplesOf = samplesOf;
  }

  /** What to count under: the counters of these labels, or `~other` where the page is full. */
  claim(source: string, destination: string, kind: string, nowUs: number): T {
    const key = `${kind}\n${source}\n${destination}`;
    const listed = this.#listed.get(key);
    if (listed !== undefined) return listed;
    const samples = this.#samplesOf(kind);
    if (this.#budget.used + samples > this.#budget.bounds.maxSamples) return this.other(kind, nowUs);
    const found = this.#kept.get(key) ?? this.#create(source, destination, kind);
    this.#kept.delete(key);
    this.#listed.set(key, found);
    this.#budget.used += samples;
    found.state = "listed";
    found.lastUs = nowUs;
    return found;
  }

  /** `~other` of a kind. */
  other(kind: string, nowUs: number): T {
    let other = this.#other.get(kind);
    if (other === undefined) {
      other = this.#create(OTHER_EDGE, OTHER_EDGE, kind);
      this.#other.set(kind, other);
    }
    other.lastUs = nowUs;
    return other;
  }

  /** Takes off the page what has not grown for the time it may stay. */
  expire(nowUs: number): void {
    const { bounds } = this.#budget;
    for (const [key, listing] of this.#listed) {
      if (nowUs - listing.lastUs <= bounds.ttlUs) continue;
      this.#listed.delete(key);
      this.#budget.used -= this.#samplesOf(listing.kind);
      listing.state = "kept";
      this.freed++;
      this.#kept.set(key, listing);
      if (this.#kept.size > bounds.maxSamples * KEPT_PER_SAMPLE) this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    for (const [key, listing] of this.#kept) {
      this.#kept.delete(key);
      listing.state = "forgotten";
      return;
    }
  }

  /** All that is on the page, by labels; `~other` last. */
  list(): T[] {
    const listed = [...this.#listed.values()].sort(compareLabels);
    return [...listed, ...[...this.#other.values()].sort(compareLabels)];
  }
}

function compareLabels(x: Listing, y: Listing): number {
  return (
    compareText(x.source, y.source) ||
    compareText(x.destination, y.destination) ||
    compareText(x.kind, y.kind)
  );
}

/** By code unit: the same in every locale. */
function compareText(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
