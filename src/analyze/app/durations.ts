/** Quantiles of any number of durations in bounded room; two sets can be added. */

/** Kept one by one up to this many, so that quantiles of few are exact; beyond, in buckets. */
const KEPT = 64;
/** Buckets an octave: a quantile of many is within 1/64 of the true one. */
const SUB_BITS = 5;
const SUBS = 1 << SUB_BITS;
/** Largest exact bucket, in microseconds: 2^36 us are 19 hours. */
const MAX_US = 2 ** 36 - 1;

/** Durations in whole microseconds. */
export class Durations {
  count = 0;
  sumUs = 0;
  maxUs = 0;
  #kept: Float64Array | null = null;
  /** Counts by bucket, as far as the highest used; null while all are kept one by one. */
  #buckets: Uint32Array | null = null;

  /** Adds one duration; a negative one (clocks differ, packets out of order) counts as 0. */
  add(us: number): void {
    const value = us > 0 ? Math.min(us, MAX_US) : 0;
    if (this.#buckets !== null) this.#count(value, 1);
    else if (this.count < KEPT) this.#keep(value);
    else {
      this.#spread();
      this.#count(value, 1);
    }
    this.count++;
    this.sumUs += value;
    if (value > this.maxUs) this.maxUs = value;
  }

  /** Adds all of another's. */
  merge(other: Durations): void {
    if (other.#buckets === null) {
      for (let i = 0; i < other.count; i++) this.add(other.#kept![i]!);
      return;
    }
    if (this.#buckets === null) this.#spread();
    for (let bucket = 0; bucket < other.#buckets.length; bucket++)
      if (other.#buckets[bucket]! > 0) this.#count(lowestOf(bucket), other.#buckets[bucket]!);
    this.count += other.count;
    this.sumUs += other.sumUs;
    this.maxUs = Math.max(this.maxUs, other.maxUs);
  }

  /** The smallest duration that at least `part` (0 to 1) of all are not above, in microseconds; null: there are none. */
  quantileUs(part: number): number | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil(part * this.count));
    if (this.#buckets === null) return this.#kept!.slice(0, this.count).sort()[rank - 1]!;
    let seen = 0;
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      seen += this.#buckets[bucket]!;
      if (seen >= rank) return Math.min(this.maxUs, middleOf(bucket));
    }
    return this.maxUs;
  }

  /**
   * How many were not above each of the ascending bounds (microseconds), into `counts`. One within 1/32 above its bound may be counted
   * too; the same durations are always counted alike, so that the numbers only grow.
   */
  countUpTo(boundsUs: readonly number[], counts: Float64Array): void {
    counts.fill(0);
    const into = (bucket: number, n: number) => {
      for (let i = boundsUs.length - 1; i >= 0 && bucket <= bucketOf(boundsUs[i]!); i--)
        counts[i] = counts[i]! + n;
    };
    if (this.#buckets === null) {
      for (let i = 0; i < this.count; i++) into(bucketOf(this.#kept![i]!), 1);
      return;
    }
    for (let bucket = 0; bucket < this.#buckets.length; bucket++)
      if (this.#buckets[bucket]! > 0) into(bucket, this.#buckets[bucket]!);
  }

  #keep(us: number): void {
    if (this.#kept === null) this.#kept = new Float64Array(4);
    else if (this.count === this.#kept.length) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.#kept);
      this.#kept = larger;
    }
    this.#kept[this.count] = us;
  }

  #spread(): void {
    this.#buckets = new Uint32Array(SUBS);
    for (let i = 0; i < this.count; i++) this.#count(this.#kept![i]!, 1);
    this.#kept = null;
  }

  #count(us: number, n: number): void {
    const bucket = bucketOf(us);
    if (bucket >= this.#buckets!.length) {
      const larger = new Uint32Array((Math.floor(bucket / SUBS) + 1) * SUBS);
      larger.set(this.#buckets!);
      this.#buckets = larger;
    }
    this.#buckets![bucket] = this.#buckets![bucket]! + n;
  }
}

/** Below 2 * SUBS a bucket a microsecond; above, SUBS buckets an octave. */
function bucketOf(us: number): number {
  const value = Math.floor(us);
  if (value < SUBS * 2) return value;
  const octave = Math.floor(Math.log2(value));
  const width = 2 ** (octave - SUB_BITS);
  return (octave - SUB_BITS) * SUBS + Math.floor(value / width);
}

function lowestOf(bucket: number): number {
  if (bucket < SUBS * 2) return bucket;
  const octave = Math.floor(bucket / SUBS) - 1;
  return ((bucket % SUBS) + SUBS) * 2 ** octave;
}

function middleOf(bucket: number): number {
  return Math.round((lowestOf(bucket) + lowestOf(bucket + 1) - 1) / 2);
}
