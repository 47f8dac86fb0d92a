import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Workplace } from "./capture/capture.test.fixture.js";
import { ROOT } from "./terminal.test.fixture.js";

const SHOP = join(ROOT, "fixtures/shop.pcapng");
const place = new Workplace();
after(() => place.close());

const pipe = place.path("pipe");
assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
const names = place.path("names.json");
writeFileSync(names, '{"services": {"own": {"addresses": "127.0.0.1", "ports": [1]}}}');

/** Command lines with a named pipe where a file is read or written. */
const WAITING = [
  ["analyze", pipe],
  ["analyze", SHOP, "--names", pipe],
  ["analyze", SHOP, "--sidecar", pipe],
  ["metrics", pipe],
  ["metrics", SHOP, "--names", pipe],
  ["topology", "-r", pipe],
  ["topology", "--from", pipe],
  ["report", place.path("x.pdf"), "-r", pipe],
  ["report", place.path("x.pdf"), "--from", pipe],
  ["report", pipe, "-r", SHOP],
  ["connections", "-r", pipe],
  ["connections", "--names", pipe],
  ["health", "--names", pipe],
  ["serve", "-r", pipe],
  ["serve", "-r", SHOP, "--names", pipe],
];

for (const [i, words] of WAITING.entries()) {
  const signal = (["SIGINT", "SIGTERM", "SIGHUP"] as const)[i % 3]!;
  const shown = words.map((word) => (word === pipe ? "PIPE" : word.split("/").at(-1)));
  test(`${shown.join(" ")} says once that it waits, and ${signal} ends it as any program`, async () => {
    const running = place.start(words);
    await running.said("waits");
    const { code, stderr } = await running.stop(signal);
    assert.deepEqual(
      [code, running.child.signalCode, stderr],
      [null, signal, `netwatch: ${pipe}: a named pipe; waits for its other end\n`],
    );
  });
}

test("SIGHUP ends what goes on in good order, with a shell's code for it; SIGINT ends it with 0", async () => {
  for (const [signal, expected] of [["SIGHUP", 129] as const, ["SIGINT", 0] as const]) {
    const running = place.start(["health", "--names", names, "--watch", "-o", "ndjson"]);
    const first = new Promise((resolve) => running.child.stdout!.once("data", resolve));
    await Promise.race([first, running.ended]);
    const { code, stdout, stderr } = await running.stop(signal);
    assert.deepEqual([code, running.child.signalCode, stderr], [expected, null, ""]);
    assert.match(stdout.toString(), /\}\n$/);
  }
});

test("a reader of stderr that goes away ends nothing", () => {
  const line = `"$0" "$1" analyze "$2" /nowhere/at/all --table talkers -o csv 2> >(exec true)`;
  const cli = join(ROOT, "dist/src/cli.js");
  const { status, stdout } = spawnSync("bash", ["-c", line, process.execPath, cli, SHOP], {
    encoding: "utf8",
    env: { ...process.env, XDG_STATE_HOME: place.folder },
  });
  assert.equal(status, 6);
  assert.match(stdout, /^service,/);
});
