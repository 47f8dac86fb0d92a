import assert from "node:assert/strict";
import { test } from "node:test";
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { toDataFrame } from "./dataframe.js";

const table: Table = {
  name: "talkers",
  title: "Top talkers",
  columns: [
    { name: "service", title: "Service", kind: "text" },
    { name: "bytes", title: "Bytes", kind: "bytes" },
    { name: "share", title: "Share", kind: "ratio" },
  ],
  rows: [
    { service: "web", bytes: 300, share: 0.75 },
    { service: "__proto__", bytes: 100, share: 0.25 },
  ],
  total: { bytes: 400, share: 1 },
  omitted: 0,
};

test("a table becomes a DataFrame of the real danfo.js, columns named and typed", async () => {
  const danfo = (await import("danfojs")) as unknown as {
    DataFrame: new (
      columns: object,
    ) => {
      shape: number[];
      columns: string[];
      ctypes: { values: string[] };
      values: unknown[][];
      column(name: string): { sum(): number };
    };
  };
  const frame = toDataFrame(danfo, table);
  assert.deepEqual(frame.shape, [2, 3]);
  assert.deepEqual(frame.columns, ["service", "bytes", "share"]);
  assert.deepEqual(frame.ctypes.values, ["string", "int32", "float32"]);
  assert.deepEqual(frame.values, [
    ["web", 300, 0.75],
    ["__proto__", 100, 0.25],
  ]);
  assert.equal(frame.column("bytes").sum(), 400);
});
