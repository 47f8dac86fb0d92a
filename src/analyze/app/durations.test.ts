import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Durations } from "./durations.js";

function of(all: readonly number[]): Durations {
  const durations = new Durations();
  for (const us of all) durations.add(us);
  return durations;
}

/** The slow, obvious way. */
function exact(all: readonly number[], part: number): number {
  const order = [...all].sort((x, y) => x - y);
  return order[Math.max(1, Math.ceil(part * order.length)) - 1]!;
}

const anyUs = fc.oneof(fc.nat(200), fc.nat(1_000_000), fc.nat(2 ** 31 - 1));
const PARTS = [0, 0.25, 0.5, 0.95, 0.99, 1];

test("none have no quantile; a negative or unknown one counts as 0, the longest as 19 hours", () => {
  assert.equal(new Durations().quantileUs(0.5), null);
  const odd = of([-5, Number.NaN, 2 ** 60]);
  assert.deepEqual([odd.count, odd.quantileUs(0.5), odd.maxUs], [3, 0, 2 ** 36 - 1]);
});

test("property: quantiles of up to 64 are exact", () => {
  fc.assert(
    fc.property(fc.array(anyUs, { minLength: 1, maxLength: 64 }), (all) => {
      const durations = of(all);
      for (const part of PARTS) assert.equal(durations.quantileUs(part), exact(all, part));
    }),
  );
});

test("property: quantiles of many are within 1/64 of the true ones, the largest is exact", () => {
  fc.assert(
    fc.property(fc.array(anyUs, { minLength: 65, maxLength: 300 }), (all) => {
      const durations = of(all);
      for (const part of PARTS) {
        const [found, wanted] = [durations.quantileUs(part)!, exact(all, part)];
        assert.ok(Math.abs(found - wanted) <= wanted / 64 + 0.5, `${part}: ${found}, not ${wanted}`);
      }
      assert.equal(durations.maxUs, Math.max(...all));
      assert.equal(
        durations.sumUs,
        all.reduce((sum, us) => sum + us, 0),
      );
    }),
  );
});

test("property: two added up are as one that was told all, nearly: a bucket is added as its lowest", () => {
  fc.assert(
    fc.property(
      fc.array(anyUs, { maxLength: 120 }),
      fc.array(anyUs, { minLength: 1, maxLength: 120 }),
      (a, b) => {
        const both = of(a);
        both.merge(of(b));
        const all = [...a, ...b];
        assert.deepEqual([both.count, both.maxUs], [all.length, Math.max(...all)]);
        for (const part of PARTS) {
          const [found, wanted] = [both.quantileUs(part)!, exact(all, part)];
          assert.ok(Math.abs(found - wanted) <= wanted / 64 + 0.5, `${part}: ${found}, not ${wanted}`);
        }
      },
    ),
  );
});
