import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CommandError, ExitCode } from "../../exit.js";
import { createFakeTerminal } from "../terminal.test.fixture.js";
import { type ServeOptions, serve } from "./serve.js";

/** How `serve` fails to begin. */
async function failureOf(t: TestContext, options: Partial<ServeOptions>): Promise<CommandError> {
  const terminal = createFakeTerminal();
  t.after(() => terminal.dispose());
  const names = join(terminal.folder, "names.json");
  writeFileSync(names, '{"db": "127.0.0.1:9"}');
  const common = { listen: "127.0.0.1:0", names, signal: AbortSignal.abort() };
  try {
    await serve({ ...common, ...options }, "netwatch 0.0.0", terminal);
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    return error;
  }
  assert.fail("it began");
}

test("serve asks services for their health without files to write it to", async (t) => {
  const { exitCode, message } = await failureOf(t, { interface: ["netwatch-none"], health: true });
  assert.notEqual(exitCode, ExitCode.usage, message);
  assert.match(message, /netwatch-none|CAP_NET_RAW/);
});

test("serve says where to listen is missing", async (t) => {
  const { exitCode, message } = await failureOf(t, { health: true });
  assert.equal(exitCode, ExitCode.usage);
  assert.match(message, /say where to listen/);
});
