import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeMode, makeRound, makeRounds } from "./benchmark.test.fixture.js";
import { compareFigure, compareModes } from "./compare.js";

const rate = fc.integer({ min: 1, max: 5000 });
const rates = fc.array(rate, { minLength: 5, maxLength: 12 });
const compare = (a: readonly number[], b: readonly number[]) => compareFigure("requests_per_second", a, b);
const OPPOSITE = { lower: "higher", higher: "lower", noise: "noise", "too-few": "too-few" } as const;

test("turned round, the verdict is its opposite and the chance the same", () =>
  fc.assert(
    fc.property(rates, rates, (a, b) => {
      const [there, back] = [compare(a, b), compare(b, a)];
      assert.equal(back.verdict, OPPOSITE[there.verdict]);
      assert.equal(back.p, there.p);
    }),
  ));

test("a mode beside itself is within noise", () =>
  fc.assert(fc.property(rates, (a) => assert.equal(compare(a, a.toReversed()).verdict, "noise"))));

test("the verdict does not depend on the unit", () =>
  fc.assert(
    fc.property(rates, rates, fc.integer({ min: 2, max: 1000 }), (a, b, unit) => {
      const scaled = compare(
        a.map((v) => v * unit),
        b.map((v) => v * unit),
      );
      assert.equal(scaled.verdict, compare(a, b).verdict);
    }),
  ));

test("rounds that lie all beyond the other mode's, by more than they are spread, are a difference", () =>
  fc.assert(
    fc.property(rates, rates, (a, b) => {
      const above = b.map((v) => v + 3 * Math.max(...a, ...b));
      assert.equal(compare(a, above).verdict, "higher");
    }),
  ));

test("fewer than five rounds a mode never make a verdict", () =>
  fc.assert(
    fc.property(fc.array(rate, { minLength: 1, maxLength: 4 }), (a) => {
      assert.equal(
        compare(
          a,
          a.map((v) => v + 1e6),
        ).verdict,
        "too-few",
      );
    }),
  ));

test("what is called different is beyond chance and beyond the spread", () =>
  fc.assert(
    fc.property(rates, rates, (a, b) => {
      const { verdict, p } = compare(a, b);
      if (verdict === "higher" || verdict === "lower") assert.ok(p <= 0.01);
    }),
  ));

test("one slow round of nine does not hide a difference, and does not make one", () => {
  const a = [1000, 1010, 990, 1005, 400, 995, 1002, 997, 1004];
  assert.equal(compare(a, [800, 805, 795, 790, 810, 802, 798, 803, 796]).verdict, "lower");
  assert.equal(compare(a, [1001, 1008, 992, 1003, 996, 994, 1006, 999, 991]).verdict, "noise");
});

test("a figure that one round does not know is not compared", () => {
  const known = makeMode("lab", makeRounds([1000, 1010, 990, 1005, 995], 0));
  const unknown = makeMode("docker", [
    ...makeRounds([900, 910, 890, 905], 1),
    makeRound(10, 895, { cpu_seconds_per_request: null }),
  ]);
  assert.deepEqual(
    compareModes(known, unknown).map(({ figure }) => figure),
    ["requests_per_second", "p50_seconds", "p95_seconds", "p99_seconds"],
  );
});
