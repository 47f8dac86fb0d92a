import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { until } from "../../until.test.fixture.js";
import { reasonToSkip, withTestNetwork } from "./netns.test.fixture.js";

test("of a test that was killed nothing goes on, and the next one removes its namespaces", {
  skip: reasonToSkip(),
}, async () => {
  const code = `
    import { TestNetwork } from "${new URL("./netns.test.fixture.js", import.meta.url)}";
    const network = new TestNetwork();
    const name = network.add();
    const { pid } = await network.start(name, 'console.log("up"); setInterval(() => {}, 1000);');
    console.log(JSON.stringify([name, pid]));`;
  const words = ["--input-type=module", "-e", code];
  const killed = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(killed.stdout, "data");
  const [name, script] = JSON.parse(String(line)) as [string, number];
  killed.kill("SIGKILL");
  await once(killed, "exit");
  assert.ok(existsSync(`/run/netns/${name}`));
  await until(() => !existsSync(`/proc/${script}`));
  await withTestNetwork(async (network) => {
    assert.notEqual(network.add(), name);
    assert.ok(!existsSync(`/run/netns/${name}`));
  });
});
