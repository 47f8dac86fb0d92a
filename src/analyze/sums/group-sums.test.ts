import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GroupSums } from "./group-sums.js";

test("sums of groups are those of their items, also of one item, of none, and of more than there was room for at first", () => {
  const ITEMS = fc.array(fc.tuple(fc.nat(700), fc.nat(1e6)), { maxLength: 2000 });
  fc.assert(
    fc.property(ITEMS, (items) => {
      const sums = new GroupSums(701, 2, (item, into) => {
        into[0] = items[item]![1];
        into[1] = 1;
      });
      const expected = Array.from({ length: 701 }, () => [0, 0]);
      for (const [item, [group, value]] of items.entries()) {
        sums.add(group, item);
        expected[group]![0]! += value;
        expected[group]![1]! += 1;
      }
      for (const [group, sum] of expected.entries()) assert.deepEqual([...sums.read(group)], sum);
    }),
    { numRuns: 5 },
  );
});
