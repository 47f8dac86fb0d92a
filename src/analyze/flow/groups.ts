/** Items (flows, or ends of flows) in groups, at eight bytes per item: sums over a group are computed on request. */

const NONE = -1;

/** Lists of items, one list a group, linked through two arrays. A list gives the item added last first. */
export class Groups {
  #head = new Int32Array(1024).fill(NONE);
  readonly #next: Int32Array;
  /** One more than the largest group that has an item. */
  count = 0;

  /** For items numbered from 0 to `items` - 1. */
  constructor(items: number) {
    this.#next = new Int32Array(items);
  }

  /** Adds an item, which is in no group yet, to a group. */
  add(group: number, item: number): void {
    if (group >= this.#head.length) this.#grow(group);
    this.count = Math.max(this.count, group + 1);
    this.#next[item] = this.#head[group]!;
    this.#head[group] = item;
  }

  /** The first item of the group's list, or -1. */
  first(group: number): number {
    return group < this.count ? this.#head[group]! : NONE;
  }

  /** The item listed after this one, or -1. */
  next(item: number): number {
    return this.#next[item]!;
  }

  #grow(group: number): void {
    const larger = new Int32Array(Math.max(this.#head.length * 2, group + 1)).fill(NONE);
    larger.set(this.#head);
    this.#head = larger;
  }
}
