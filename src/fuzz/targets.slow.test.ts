import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage } from "./coverage.fuzz.js";
import { fuzz } from "./fuzz.fuzz.js";
import { loadTargets } from "./targets.fuzz.js";

/** Inputs of this short run; `npm run fuzz` makes as many as it is told. */
const [RUNS, SLOW_RUNS] = [48, 12];

test("every reader keeps the laws, for what once broke them and for inputs made from it", async (t) => {
  const coverage = new Coverage();
  for (const target of await loadTargets())
    await t.test(target.name, async () => {
      const found = await fuzz(target, { coverage, runs: target.isSlow ? SLOW_RUNS : RUNS, seed: 1 });
      if (found) assert.fail(`${Buffer.from(found.input).toString("base64")}\n${found.error.stack}`);
    });
  coverage.close();
});
