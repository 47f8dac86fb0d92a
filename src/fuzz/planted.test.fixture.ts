/** Readers with faults, for seeing them found. */

/** Fails if three bytes have special values: too rare for chance, but each runs code of its own. */
export function failDeep(bytes: Uint8Array): number {
  if (bytes[0]! >> 4 !== 4) return 0;
  if (bytes[1]! >> 4 !== 5) return 1;
  if (bytes[2]! >> 4 !== 9) return 2;
  throw new Error("deep");
}

/** Compares each byte with each. */
export function countPairs(bytes: Uint8Array): number {
  let pairs = 0;
  for (const a of bytes) for (const b of bytes) if (a === b) pairs++;
  return pairs;
}
