/** Statistics of few noisy rounds, without assumptions about their distribution. */
import type { Spread } from "./benchmark.js";

/** Of at least one value; the mean of the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const center = median(values);
  return {
    median: center,
    mad: median(values.map((value) => Math.abs(value - center))),
    least: Math.min(...values),
    most: Math.max(...values),
  };
}

/**
 * The chance that two samples from one source differ at least so much in their ranks: Mann and Whitney (1947), two-sided, exact
 * (every way to choose the first sample among all values is counted), tied values sharing their mean rank. Of at least one value
 * each. Cost: n^2 times the sum of ranks, so some milliseconds for 50 and 50.
 */
export function rankSumChance(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second];
  const ranks = doubledRanks(all);
  const total = ranks.reduce((sum, rank) => sum + rank, 0);
  const ways = waysToSum(ranks, first.length, total);
  const observed = ranks.slice(0, first.length).reduce((sum, rank) => sum + rank, 0);
  const expected = first.length * (all.length + 1);
  const distance = Math.abs(observed - expected);
  let extreme = 0;
  let possible = 0;
  ways.forEach((n, sum) => {
    possible += n;
    if (Math.abs(sum - expected) >= distance) extreme += n;
  });
  return Math.min(1, extreme / possible);
}

/** The least that `rankSumChance` can be for samples of these sizes: two orders of all that there are. */
export function leastChance(first: number, second: number): number {
  let orders = 1;
  for (let i = 1; i <= first; i++) orders = (orders * (second + i)) / i;
  return Math.min(1, 2 / orders);
}

/** Twice the rank, counted from 1: whole numbers even where values are tied. */
function doubledRanks(values: readonly number[]): number[] {
  return values.map((value) => {
    let below = 0;
    let same = 0;
    for (const other of values) {
      if (other < value) below++;
      else if (other === value) same++;
    }
    return 2 * below + same + 1;
  });
}

/** For each sum, in how many ways `size` of the ranks give it. Past 2^53 not to the last digit. */
function waysToSum(ranks: readonly number[], size: number, total: number): Float64Array {
  const ways = Array.from({ length: size + 1 }, () => new Float64Array(total + 1));
  ways[0]![0] = 1;
  for (const rank of ranks)
    for (let taken = size; taken >= 1; taken--) {
      const into = ways[taken]!;
      const from = ways[taken - 1]!;
      for (let sum = total; sum >= rank; sum--) into[sum]! += from[sum - rank]!;
    }
  return ways[size]!;
}
