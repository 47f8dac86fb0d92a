/** Sorting numbers of things by a key each, in linear time and without objects: a table may have a million rows. */

const RADIX = 256;
const BYTES = 8;

/** The numbers from 0 to n - 1. */
export function numbers(n: number): Uint32Array {
  const all = new Uint32Array(n);
  for (let i = 0; i < n; i++) all[i] = i;
  return all;
}

/**
 * Sorts `order` by `keys[number]`, in place and stably: sort by the least key first, by the most important last. Keys are
 * not negative, so that as bit patterns they order as they do as numbers (IEEE 754). Cost: a pass for each byte of the
 * keys that is not the same in all of them.
 */
export function sortByKey(
  order: Uint32Array,
  keys: Float64Array,
  direction: "ascending" | "descending",
): void {
  const bytes = new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength);
  let from: Uint32Array = order;
  let to: Uint32Array = new Uint32Array(order.length);
  for (let byte = 0; byte < BYTES; byte++) {
    const counts = new Uint32Array(RADIX);
    for (const number of from) {
      const digit = bytes[number * BYTES + byte]!;
      counts[digit] = counts[digit]! + 1;
    }
    if (counts.includes(order.length)) continue;
    let start = 0;
    for (let i = 0; i < RADIX; i++) {
      const digit = direction === "ascending" ? i : RADIX - 1 - i;
      const count = counts[digit]!;
      counts[digit] = start;
      start += count;
    }
    for (const number of from) {
      const digit = bytes[number * BYTES + byte]!;
      to[counts[digit]!] = number;
      counts[digit] = counts[digit]! + 1;
    }
    [from, to] = [to, from];
  }
  if (from !== order) order.set(from);
}
