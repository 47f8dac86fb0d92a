/** Waiting in tests: for a condition, however slow the machine is, with a bound of minutes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { setTimeout } from "node:timers/promises";

/** How long a test waits for what must come, in milliseconds. Reached only if something is broken. */
export const PATIENCE_MS = 180_000;
const STEP_MS = 20;

/** Waits until the condition holds. Fails after minutes, with `what` in the message. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string | (() => string) = () => String(isSo),
): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await isSo()); await setTimeout(STEP_MS))
    if (performance.now() > end)
      assert.fail(`waited too long for ${typeof what === "string" ? what : what()}`);
}

/**
 * Runs JavaScript, a module, in a process of its own and gives what it prints. For what must not take forever: its inputs are so large
 * that work which grows with their square does not come to an end within the bound. `it` in the code is the module at `url`.
 */
export function runBounded(url: URL, code: string): string {
  const script = `import * as it from ${JSON.stringify(url.href)};\n${code}`;
  const { stdout, stderr, error } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: PATIENCE_MS,
  });
  assert.equal(error, undefined, `it has no end: ${code}`);
  assert.equal(stderr, "");
  return stdout;
}
