/** Runs `task` for each item, one after another, so that one task's work is not in another's time; after `pause` a slow one no longer holds up the next. */
export async function stagger<T, R>(
  items: readonly T[],
  task: (item: T) => Promise<R>,
  pause: () => Promise<unknown>,
): Promise<R[]> {
  const begun: Promise<R>[] = [];
  for (const item of items) {
    const current = task(item);
    begun.push(current);
    await Promise.race([current, pause()]);
  }
  return Promise.all(begun);
}
