import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { benchmarkSchema } from "../benchmark/benchmark.js";
import { snapshotSchema } from "./snapshot.js";

/** The documents that users read and validate against; they ship with the package. */
const DOCUMENTS = [
  ["snapshot/snapshot.schema.json", snapshotSchema],
  ["benchmark/benchmark.schema.json", benchmarkSchema],
] as const;

for (const [name, schema] of DOCUMENTS)
  test(`${name} is the schema that the code checks with (UPDATE_GOLDEN=1 rewrites it)`, () => {
    const path = fileURLToPath(new URL(`../../../../src/analyze/${name}`, import.meta.url));
    const current = `${JSON.stringify(z.toJSONSchema(schema, { io: "input" }), null, 2)}\n`;
    if (process.env.UPDATE_GOLDEN) writeFileSync(path, current);
    assert.equal(readFileSync(path, "utf8"), current);
  });
