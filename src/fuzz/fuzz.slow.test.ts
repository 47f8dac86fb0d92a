import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage } from "./coverage.fuzz.js";
import { type Finding, fuzz } from "./fuzz.fuzz.js";
import { checkInput, type Target } from "./target.fuzz.js";

/** Fuzzes a reader of planted.test.fixture.ts. */
async function fuzzPlanted(
  name: "failDeep" | "countPairs",
  seed: Uint8Array,
  isBlind = false,
): Promise<Finding | null> {
  const coverage = new Coverage((url) => !isBlind && url.includes("planted.test.fixture"));
  const { [name]: read } = await import("./planted.test.fixture.js");
  const found = await fuzz({ name, seeds: [seed], run: read }, { coverage, runs: 10_000, seed: 1 });
  coverage.close();
  return found;
}

test("what runs new code is kept: it leads to a fault that chance alone does not find", async () => {
  const found = await fuzzPlanted("failDeep", new Uint8Array(8));
  assert.equal(found?.error.message, "deep");
  assert.equal(found.input.length, 3, "made as small as it can be");
  assert.equal(await fuzzPlanted("failDeep", new Uint8Array(8), true), null);
});

test("what takes more steps than bytes allow is found, without a clock", async () => {
  const found = await fuzzPlanted("countPairs", new Uint8Array(1000));
  assert.match(found?.error.message ?? "", /^\d+ steps for 1000 bytes$/);
});

test("the laws of all targets: only documented errors, twice the same, nothing that counts nothing", async () => {
  class Documented extends Error {}
  let calls = 0;
  const broken: readonly (readonly [() => unknown, RegExp])[] = [
    [() => Number.NaN, /^found is NaN$/],
    [() => ({ rows: [{ packets: -1 }] }), /^found\.rows\[0\]\.packets is -1$/],
    [() => ({ bytes: undefined }), /^found\.bytes is undefined$/],
    [() => calls++, /^read twice, the same bytes give two results/],
    [() => assert.fail("a law of its own"), /^a law of its own$/],
    [() => (null as unknown as string).length, /null/],
    [() => Promise.reject(new RangeError("late")), /^late$/],
    [() => assert.fail(new Documented("x".repeat(2000))), /^an error's message has 2000 characters$/],
  ];
  const target = (run: () => unknown): Target => ({ name: "x", seeds: [], errors: [Documented], run });
  for (const [run, message] of broken)
    await assert.rejects(checkInput(target(run), new Uint8Array(1)), { message });
  await checkInput(
    target(() => assert.fail(new Documented("refused"))),
    new Uint8Array(1),
  );
});
