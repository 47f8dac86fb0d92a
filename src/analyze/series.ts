/** Throughput over time, in a bounded number of steps, for captures of unknown length. */

/** Step widths in microseconds. Each divides the next, so that steps can be joined without splitting one. */
const WIDTHS_US = [
  1e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6, 5e6, 1e7, 3e7, 6e7, 3e8, 6e8, 1.8e9, 3.6e9, 1.08e10, 2.16e10, 4.32e10,
  8.64e10, 8.64e11, 8.64e12, 8.64e13, 8.64e14,
] as const;
const MAX_STEPS = 300;
const FIELDS = 2;

/**
 * Packets and bytes per class and time step. Steps begin at whole multiples of their width since 1970, so the result does
 * not depend on the order of the packets. When the span outgrows the steps, they are joined into the next width.
 */
export class Series {
  readonly classes: number;
  /** Step 0 begins at this time; meaningless while `steps` is 0. */
  startUs = 0;
  steps = 0;
  #width = 0;
  /** packets and bytes by step and class. */
  readonly #cells: Float64Array;
  /** The step of the last packet, and where it ends: most packets fall where the one before did. */
  currentStart = 1;
  currentEnd = 0;
  /** The first of its cells. */
  currentCell = 0;

  /** `cells`: where the counts are kept; whoever counts there itself asks `moveTo` when a time is of another step. */
  constructor(classes: number, cells: Float64Array) {
    this.classes = classes;
    this.#cells = cells;
  }

  get stepUs(): number {
    return WIDTHS_US[this.#width]!;
  }

  packets(step: number, index: number): number {
    return this.#cells[(step * this.classes + index) * FIELDS]!;
  }

  bytes(step: number, index: number): number {
    return this.#cells[(step * this.classes + index) * FIELDS + 1]!;
  }

  /** Makes the step of this time the one at hand; others may be joined. */
  moveTo(time: number): void {
    let start = Math.floor(time / this.stepUs) * this.stepUs;
    if (this.steps === 0) this.startUs = start;
    for (;;) {
      const first = Math.min(start, this.startUs);
      const last = Math.max(start, this.startUs + (this.steps - 1) * this.stepUs);
      const steps = (last - first) / this.stepUs + 1;
      if (steps <= MAX_STEPS) {
        this.#shift((this.startUs - first) / this.stepUs);
        this.startUs = first;
        this.steps = steps;
        break;
      }
      this.#widen();
      start = Math.floor(time / this.stepUs) * this.stepUs;
    }
    this.currentStart = start;
    this.currentEnd = start + this.stepUs;
    this.currentCell = ((start - this.startUs) / this.stepUs) * this.classes * FIELDS;
  }

  /** Makes room for `n` steps in front. */
  #shift(n: number): void {
    if (n === 0) return;
    const cells = n * this.classes * FIELDS;
    this.#cells.copyWithin(cells, 0, this.steps * this.classes * FIELDS);
    this.#cells.fill(0, 0, cells);
  }

  /** Joins the steps into those of the next width. */
  #widen(): void {
    const narrow = this.stepUs;
    this.#width++;
    const wide = this.stepUs;
    const start = Math.floor(this.startUs / wide) * wide;
    const row = this.classes * FIELDS;
    const joined = new Float64Array(this.#cells.length);
    let steps = 0;
    for (let step = 0; step < this.steps; step++) {
      const target = Math.floor((this.startUs + step * narrow - start) / wide);
      for (let i = 0; i < row; i++)
        joined[target * row + i] = joined[target * row + i]! + this.#cells[step * row + i]!;
      steps = target + 1;
    }
    this.#cells.set(joined);
    this.startUs = start;
    this.steps = steps;
  }
}
