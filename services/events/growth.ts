/** By how much counters in the kernel have grown from one look to the next. One that shrank began anew. */
export class Growth {
  #before: ReadonlyMap<string, number> | undefined;

  /** Takes a look; those that have grown, by how much. The first look says where they stand, and nothing has grown. */
  look(now: ReadonlyMap<string, number>): Map<string, number> {
    const grown = new Map<string, number>();
    const before = this.#before;
    this.#before = new Map(now);
    if (before === undefined) return grown;
    for (const [key, count] of now) {
      const was = before.get(key) ?? 0;
      const by = count >= was ? count - was : count;
      if (by > 0) grown.set(key, by);
    }
    return grown;
  }
}
