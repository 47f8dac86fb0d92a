import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { leastChance, median, rankSumChance, spreadOf } from "./statistics.js";

const value = fc.integer({ min: -50, max: 50 });
const sample = fc.array(value, { minLength: 1, maxLength: 7 });
const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 });

test("half of the values are no larger than the median, half no smaller, in any order", () =>
  fc.assert(
    fc.property(values, (list) => {
      const middle = median(list);
      assert.ok(list.filter((v) => v <= middle).length * 2 >= list.length);
      assert.ok(list.filter((v) => v >= middle).length * 2 >= list.length);
      assert.equal(median(list.toReversed()), middle);
    }),
  ));

test("the spread moves with the values and scales with them", () =>
  fc.assert(
    fc.property(sample, value, fc.integer({ min: 1, max: 9 }), (list, shift, scale) => {
      const spread = spreadOf(list);
      assert.ok(spread.least <= spread.median && spread.median <= spread.most);
      assert.ok(spread.mad >= 0 && spread.mad <= spread.most - spread.least);
      const moved = spreadOf(list.map((v) => v * scale + shift));
      assert.deepEqual([moved.median, moved.mad], [spread.median * scale + shift, spread.mad * scale]);
    }),
  ));

/** Every way to choose the first sample, one by one. */
function chanceByEnumeration(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second];
  const rank = (v: number) => all.filter((o) => o < v).length + (all.filter((o) => o === v).length + 1) / 2;
  const ranks = all.map(rank);
  const expected = (first.length * (all.length + 1)) / 2;
  const distanceOf = (chosen: readonly number[]) => Math.abs(chosen.reduce((s, r) => s + r, 0) - expected);
  const observed = distanceOf(ranks.slice(0, first.length));
  let [possible, extreme] = [0, 0];
  for (let bits = 0; bits < 1 << all.length; bits++) {
    const chosen = ranks.filter((_, i) => (bits >> i) & 1);
    if (chosen.length !== first.length) continue;
    possible++;
    if (distanceOf(chosen) >= observed) extreme++;
  }
  return extreme / possible;
}

test("the chance equals the count of every choice, ties and all", () =>
  fc.assert(
    fc.property(sample, sample, (a, b) => {
      assert.ok(Math.abs(rankSumChance(a, b) - chanceByEnumeration(a, b)) < 1e-12);
    }),
    { numRuns: 60 },
  ));

test("the chance does not depend on who is first, on the order of rounds, or on the unit", () =>
  fc.assert(
    fc.property(sample, sample, (a, b) => {
      const p = rankSumChance(a, b);
      assert.equal(rankSumChance(b, a), p);
      assert.equal(rankSumChance(a.toReversed(), b), p);
      const inUnit = (list: number[]) => list.map((v) => v * 1000 + 7);
      assert.equal(rankSumChance(inUnit(a), inUnit(b)), p);
      assert.ok(p > 0 && p <= 1);
    }),
  ));

test("published values: two samples wholly apart, and overlapping (Mann and Whitney's table for n = m = 5)", () => {
  assert.equal(rankSumChance([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]).toFixed(4), "0.0079");
  // U = 4: one-sided 0.048
  assert.equal(rankSumChance([1, 2, 3, 4, 9], [5, 6, 7, 8, 10]).toFixed(3), "0.095");
  assert.equal(rankSumChance([3, 3, 3], [3, 3, 3]), 1);
});

test("no samples of these sizes have a smaller chance than the least", () => {
  for (let n = 1; n <= 8; n++)
    for (let m = 1; m <= 8; m++) {
      const low = Array.from({ length: n }, (_, i) => i);
      const high = Array.from({ length: m }, (_, i) => 100 + i);
      assert.ok(Math.abs(rankSumChance(low, high) - leastChance(n, m)) < 1e-12, `${n} ${m}`);
    }
  const many = Array.from({ length: 50 }, (_, i) => i);
  assert.ok(
    rankSumChance(
      many,
      many.map((v) => v + 100),
    ) < 1e-20,
  );
  assert.equal(rankSumChance(many, many), 1);
});
