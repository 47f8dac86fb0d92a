import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EXIT_MEANINGS, ExitCode } from "./exit.js";

test("every exit code has its meaning, and stands with it in the help and in docs/captures.md", () => {
  assert.deepEqual(Object.keys(EXIT_MEANINGS).map(Number), Object.values(ExitCode));
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  for (const [what, text] of [
    ["help", read("fixtures/golden/help.txt")],
    ["docs/captures.md", read("docs/captures.md").replaceAll("`", "")],
  ] as const) {
    const list = text.slice(text.search(/exit codes/i)).replace(/\s+/g, " ");
    for (const [code, meaning] of Object.entries(EXIT_MEANINGS))
      assert.ok(list.includes(` ${code} ${meaning.replaceAll("`", "")}`), `${what}: ${code}`);
  }
});
