import assert from "node:assert/strict";
import { test } from "node:test";
import type { Column, Row, Table } from "../analyze/snapshot/snapshot.js";
import { showRest, takeTop } from "./top-rows.js";

const operation = (errors: number | null, unseen = 0): Row => ({ requests: 10, errors, unseen });

const ERRORS: Column = { name: "errors", title: "Errors", kind: "count", of_answers: true };
const REQUESTS: Column = { name: "requests", title: "Requests", kind: "count" };
const BYTES: Column = { name: "bytes", title: "Bytes", kind: "bytes" };

function tableOf(rows: readonly Row[], total: Table["total"]): Table {
  return { name: "http", title: "HTTP", columns: [], rows: [...rows], total, omitted: 0 };
}

test("errors that are left out are a number, a lower bound or unknown, as their rows know them", () => {
  const restOf = (...left: readonly Row[]) => {
    const errors = left.reduce((sum, row) => sum + ((row.errors as number | null) ?? 0), 5);
    const table = tableOf([operation(5), ...left], { requests: 30, errors });
    const { rows } = takeTop(table, 1);
    return [showRest(table, rows, ERRORS), showRest(table, rows, REQUESTS)];
  };
  assert.deepEqual(restOf(operation(2), operation(0)), ["2", "20"]);
  assert.deepEqual(restOf(operation(2), operation(1, 4)), ["≥3", "20"]);
  assert.deepEqual(restOf(operation(2), operation(null)), ["≥2", "20"]);
  assert.deepEqual(restOf(operation(null), operation(null)), ["?", "20"]);
});

test("a sum that the table does not have is unknown, not 0", () => {
  const table = tableOf(
    [
      { packets: 3, bytes: 30 },
      { packets: 2, bytes: 20 },
    ],
    { packets: 5 },
  );
  const { more, packets, bytes } = takeTop(table, 1);
  assert.deepEqual([more, packets, bytes], [1, 2, null]);
  assert.equal(showRest(table, [], BYTES), "?");
});
