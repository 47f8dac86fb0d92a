import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "../src/until.test.fixture.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-guard-"));
after(() => rmSync(folder, { recursive: true }));

/** A process with a guard that makes a file of this name; `rest` is what it does then. */
function guarded(name: string, rest: string) {
  const url = new URL("./guard.test.fixture.js", import.meta.url).href;
  const command = JSON.stringify(["touch", join(folder, name)]);
  const code = `import { guard } from "${url}"; const release = guard(${command}); ${rest}`;
  return spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test("the command runs once the process was killed, and never where all is in order", async () => {
  const good = guarded("good", "release();");
  assert.deepEqual(await once(good, "exit"), [0, null]);
  const killed = guarded("killed", 'console.log("ready"); setInterval(() => {}, 1000);');
  await once(killed.stdout!, "data");
  assert.ok(!existsSync(join(folder, "killed")));
  killed.kill("SIGKILL");
  await until(() => existsSync(join(folder, "killed")));
  assert.ok(!existsSync(join(folder, "good")));
});
