import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Key, Ranking } from "./order.js";
import { Scratch } from "./scratch.js";

/** Rows of a table that is longer than what is found without sorting all; few different keys make many ties. */
const KEYS = fc.array(fc.tuple(fc.nat(5), fc.nat(2 ** 33)), { minLength: 1000, maxLength: 1600 });

test("a ranking gives the same order whether its first rows or all of them are read", () => {
  const scratch = new Scratch();
  fc.assert(
    fc.property(KEYS, (rows) => {
      const keys: Key[] = [
        { direction: "descending", of: (n) => rows[n]![0] },
        { direction: "ascending", of: (n) => rows[n]![1] },
      ];
      const keep = (n: number) => n % 7 !== 3;
      const expected = rows
        .map((_, n) => n)
        .filter(keep)
        .sort((x, y) => rows[y]![0] - rows[x]![0] || rows[x]![1] - rows[y]![1] || x - y);
      const ranking = new Ranking(rows.length, keys, scratch, keep);
      assert.equal(ranking.length, expected.length);
      const first = expected.slice(0, 1000).map((_, i) => ranking.at(i));
      assert.deepEqual(first, expected.slice(0, 1000));
      assert.deepEqual(
        expected.map((_, i) => ranking.at(i)),
        expected,
      );
    }),
    { numRuns: 5 },
  );
});
