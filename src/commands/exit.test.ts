import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ExitCode } from "./exit.js";

test("every exit code stands in the help and in README", () => {
  const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  for (const [what, text] of [
    ["help", read("fixtures/golden/help.txt")],
    ["README", read("README.md")],
  ] as const) {
    const list = text.slice(text.search(/exit codes/i));
    for (const code of Object.values(ExitCode))
      assert.match(list, new RegExp(`(^|[ ·:*])${code} `, "m"), `${what}: ${code}`);
  }
});
