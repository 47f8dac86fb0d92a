import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeadOrder } from "./head-order.js";

test("property: read from any place on, it is the order of a stable sort", () => {
  const keys = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 3000, minLength: 1, size: "max" });
  fc.assert(
    fc.property(keys, fc.nat(), (of, place) => {
      const order = new HeadOrder(of.length, (x, y) => of[y]! - of[x]!);
      const expected = of.map((_, n) => n).sort((x, y) => of[y]! - of[x]!);
      const first = place % of.length;
      assert.equal(order.at(first), expected[first]);
      assert.deepEqual(
        expected.map((_, i) => order.at(i)),
        expected,
      );
    }),
    { numRuns: 60 },
  );
});

test("of things in rising and in falling order the first are right, and few comparisons find them", () => {
  const count = 50_000;
  for (const sign of [1, -1]) {
    let compared = 0;
    const order = new HeadOrder(count, (x, y) => {
      compared++;
      return sign * (x - y);
    });
    const places = [0, 1, 500, 1023];
    assert.deepEqual(
      places.map((i) => order.at(i)),
      places.map((i) => (sign === 1 ? i : count - 1 - i)),
    );
    assert.ok(compared < count * 13, String(compared));
    assert.equal(order.at(count - 1), sign === 1 ? count - 1 : 0);
  }
});
