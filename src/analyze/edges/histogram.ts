/** Counts of durations below fixed bounds: what a page of metrics shows. They only grow. */

/** Cumulative, as Prometheus has them: each bucket holds the ones before it. */
export class Histogram {
  /** Upper bounds in seconds, ascending; above the last there is only `count`. */
  readonly bounds: readonly number[];
  /** Durations up to each bound. */
  readonly counts: Float64Array;
  count = 0;
  /** Seconds. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length);
  }

  /** Counts one duration. */
  observe(seconds: number): void {
    for (let i = this.bounds.length - 1; i >= 0 && seconds <= this.bounds[i]!; i--)
      this.counts[i] = this.counts[i]! + 1;
    this.count++;
    this.sum += seconds;
  }
}

/** Of handshakes: from one machine to another continent. */
export const HANDSHAKE_BOUNDS = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 1] as const;
/** Of requests: from a cache to a report. */
export const REQUEST_BOUNDS = [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] as const;
