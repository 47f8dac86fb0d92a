import assert from "node:assert/strict";
import { test } from "node:test";
import { exceededLimit } from "./json-limits.js";

const MOST = { depth: 4, values: 10 };
const check = (text: string) => exceededLimit(Buffer.from(text), MOST);

test("depth and number of values are told before a text is parsed", () => {
  assert.equal(check("[[[[1]]]]"), null);
  assert.equal(check("[[[[[1]]]]]"), "depth");
  assert.equal(check('{"a":{"b":[{"c":[]}]}}'), "depth");
  assert.equal(check("[1,2,3,4,5,6,7,8,9,10]"), null);
  assert.equal(check("[1,2,3,4,5,6,7,8,9,10,11]"), "values");
  assert.equal(check("[[],[],[],[],[],[]]"), "values");
  assert.equal(check('{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}'), "values");
});

test("what stands in quotes costs nothing, escaped quotes among it", () => {
  assert.equal(check(`["${"[{,:".repeat(100)}"]`), null);
  assert.equal(check(`["\\"${"[".repeat(100)}"]`), null);
  assert.equal(check(`["\\\\",[[[[1]]]]]`), "depth");
});

test("what is no JSON is only measured", () => {
  for (const text of ["", "]]]]", '"', '"\\', "nul", "\ufffd"]) assert.equal(check(text), null);
});
