import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { snapshotSchema } from "./snapshot.js";

/** The document that users read and validate against; it ships with the package. */
const DOCUMENT = fileURLToPath(new URL("../../../src/analyze/snapshot.schema.json", import.meta.url));

test("snapshot.schema.json is the schema that the code checks with (UPDATE_GOLDEN=1 rewrites it)", () => {
  const current = `${JSON.stringify(z.toJSONSchema(snapshotSchema, { io: "input" }), null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN) writeFileSync(DOCUMENT, current);
  assert.equal(readFileSync(DOCUMENT, "utf8"), current);
});
