/** Growth of kernel counters from one look to the next. One that shrank was reset. */
export class Growth {
  #before: ReadonlyMap<string, number> | undefined;

  /** Returns the counters that have grown since the previous look, and by how much. The first look returns none. */
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
