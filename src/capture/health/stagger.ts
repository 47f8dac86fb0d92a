/** Runs `task` for each item, one after another, so that their times do not hold each other's work; one that is slow is left behind after `pause`. */
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
