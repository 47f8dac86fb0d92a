import assert from "node:assert/strict";
import { test } from "node:test";
import { ringSnapshot } from "../../report/ring.test.fixture.js";
import { buildMatrix, heatOf } from "./matrix.js";

test("the matrix holds what the table holds", () => {
  const { pairs } = ringSnapshot(["a", "b", "c"]).tables;
  const matrix = buildMatrix(pairs, 14);
  assert.deepEqual(matrix.services, ["b", "a", "c"]);
  assert.deepEqual(matrix.cells, [
    [0, 0, 2000],
    [3000, 0, 0],
    [0, 1000, 0],
  ]);
  assert.deepEqual([matrix.bytes, matrix.total, matrix.partial], [6000, 6000, false]);
});

test("a large matrix is cut to the services of the largest pairs, and says so", () => {
  const { pairs } = ringSnapshot(Array.from({ length: 100 }, (_, i) => `s${i}`)).tables;
  const matrix = buildMatrix(pairs, 5);
  assert.deepEqual(matrix.services.toSorted(), ["s0", "s1", "s2", "s3", "s4"]);
  assert.ok(matrix.partial && matrix.bytes < matrix.total);
});

test("heat goes from 0 to 1 by the logarithm", () => {
  assert.deepEqual(
    [heatOf(1, 1, 100), heatOf(10, 1, 100), heatOf(100, 1, 100), heatOf(7, 7, 7)],
    [0, 0.5, 1, 1],
  );
});
