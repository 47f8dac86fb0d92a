/** Sums of items by group, as columns of numbers. */

const FIRST_ROWS = 256;
/** A group that has no item. */
const NONE = 0;

/** Writes the numbers of an item. */
export type Measure = (item: number, into: Float64Array) => void;

/**
 * The same numbers of every item, summed by group. A group of one item keeps only which it is: a flood has a million of these. Groups are
 * numbered from 0.
 */
export class GroupSums {
  readonly #width: number;
  readonly #measure: Measure;
  /** Of each group: its only item, plus one; or below 0 the row of its sums, as ~row. */
  readonly #rows: Int32Array;
  #sums: Float64Array;
  #used = 0;
  readonly #item: Float64Array;

  /** For at most so many groups, each with `width` numbers. `measure` is asked again as long as sums are read. */
  constructor(groups: number, width: number, measure: Measure) {
    this.#width = width;
    this.#measure = measure;
    this.#rows = new Int32Array(groups);
    this.#sums = new Float64Array(FIRST_ROWS * width);
    this.#item = new Float64Array(width);
  }

  /** Adds an item, which is in no group yet, to a group. */
  add(group: number, item: number): void {
    const row = this.#rows[group]!;
    if (row === NONE) {
      this.#rows[group] = item + 1;
      return;
    }
    if (row > 0) this.#rows[group] = ~this.#open(row - 1);
    this.#addTo(~this.#rows[group]!, item);
  }

  /** The sums of a group. Reused by the next call. */
  read(group: number): Readonly<Float64Array> {
    const item = this.#item;
    const row = this.#rows[group]!;
    if (row > 0) this.#measure(row - 1, item);
    else if (row === NONE) item.fill(0);
    else for (let i = 0, from = ~row * this.#width; i < item.length; i++) item[i] = this.#sums[from + i]!;
    return item;
  }

  /** A row for a group that gets its second item. */
  #open(first: number): number {
    const row = this.#used++;
    if (this.#used * this.#width > this.#sums.length) {
      const larger = new Float64Array(this.#sums.length * 2);
      larger.set(this.#sums);
      this.#sums = larger;
    }
    this.#addTo(row, first);
    return row;
  }

  #addTo(row: number, item: number): void {
    const [numbers, sums] = [this.#item, this.#sums];
    this.#measure(item, numbers);
    for (let i = 0, at = row * this.#width; i < numbers.length; i++, at++) sums[at] = sums[at]! + numbers[i]!;
  }
}
