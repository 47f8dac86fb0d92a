/** Signals and named pipes of live runs. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, constants, copyFileSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { reasonToSkip } from "../capture/kernel/netns.test.fixture.js";
import { Workplace } from "./capture/capture.test.fixture.js";
import { ROOT } from "./terminal.test.fixture.js";

const skip = reasonToSkip("ip", "mkfifo", "ping");
const netns = `nwsig${process.pid}`;
const place = new Workplace();
const pipe = place.path("pipe");

before(() => {
  if (skip) return;
  execFileSync("ip", ["netns", "add", netns]);
  execFileSync("ip", ["-n", netns, "link", "set", "lo", "up"]);
  execFileSync("mkfifo", [pipe]);
});
after(() => {
  place.close();
  if (!skip) execFileSync("ip", ["netns", "del", netns]);
});

const capture = (words: readonly string[]) =>
  place.start(["capture", "-i", "lo", ...words], { cwd: place.folder }, netns);

/** Sends packets of a kilobyte as fast as they go. */
function flood(): { stop(): Promise<void> } {
  const ping = ["ping", "-f", "-q", "-s", "1000", "127.0.0.1"];
  const child = spawn("ip", ["netns", "exec", netns, ...ping], { stdio: "ignore" });
  const ended = once(child, "close");
  return {
    async stop() {
      child.kill("SIGINT");
      await ended;
    },
  };
}

for (const [words, signal] of [
  [["-w", pipe], "SIGINT"],
  [["-w", pipe], "SIGTERM"],
  [["-w", place.path("a.pcapng"), "--sidecar", pipe], "SIGHUP"],
  [["--names", pipe], "SIGINT"],
] as const)
  test(`a live run waits for the other end of ${words.at(-2)} PIPE, and ${signal} ends it as any program`, {
    skip,
  }, async () => {
    const running = capture(words);
    await running.said("waits");
    const { code, stderr } = await running.stop(signal);
    assert.deepEqual(
      [code, running.child.signalCode, stderr],
      [null, signal, `netwatch: ${pipe}: a named pipe; waits for its other end\n`],
    );
  });

test("a live report waits for the reader of OUT, and SIGTERM ends it", { skip }, async () => {
  const running = place.start(["report", pipe, "-i", "lo"], {}, netns);
  await running.said("waits");
  await running.stop("SIGTERM");
  assert.equal(running.child.signalCode, "SIGTERM");
});

test("a reader of -w PIPE gets what a file would hold", { skip }, async () => {
  const running = capture(["-w", pipe, "-c", "10", "--no-conntrack"]);
  await running.said("waits");
  const reading = place.run(["analyze", pipe, "-o", "json"]);
  await running.said("listening on");
  const traffic = flood();
  const { code } = await running.ended;
  await traffic.stop();
  assert.equal(code, 0);
  const { stdout, code: read } = await reading;
  assert.equal(read, 0);
  assert.equal(JSON.parse(stdout.toString()).totals.packets, 10);
});

test("a reader of -w PIPE that stops to read holds up no signal: what it did not take is said, with 8", {
  skip,
}, async () => {
  const running = capture(["-w", pipe, "-n", "--no-conntrack"]);
  await running.said("waits");
  const reader = openSync(pipe, constants.O_RDONLY);
  await running.said("listening on");
  const traffic = flood();
  // More than the pipe holds has come once the kernel has counted this much.
  const sent = () =>
    Number(
      execFileSync("ip", ["netns", "exec", netns, "cat", "/sys/class/net/lo/statistics/rx_bytes"], {
        encoding: "utf8",
      }),
    );
  const begin = sent();
  while (sent() - begin < 4_000_000) await new Promise((resolve) => setTimeout(resolve, 50));
  await traffic.stop();
  const { code, stderr } = await running.stop("SIGINT");
  closeSync(reader);
  assert.equal(code, 8);
  assert.match(stderr, /pipe: its reader has stopped to read: the last packets are not in it\n/);
});

test("SIGHUP closes a recording whole, prints the summary, and ends with 129", { skip }, async () => {
  const file = place.path("hup.pcapng");
  const running = capture(["-w", file, "--sidecar", place.path("hup.jsonl"), "--events", place.path("ev")]);
  await running.said("listening on");
  execFileSync("ip", ["netns", "exec", netns, "ping", "-q", "-c", "3", "127.0.0.1"], { stdio: "ignore" });
  const { code, stdout, stderr } = await running.stop("SIGHUP");
  assert.equal(code, 129);
  assert.match(stderr, /netwatch: 6 packets/);
  assert.notEqual(stdout.length, 0);
  const read = await place.run(["analyze", file, "--sidecar", place.path("hup.jsonl"), "-o", "json"]);
  assert.deepEqual([read.code, read.stderr], [0, ""]);
  assert.equal(JSON.parse(read.stdout.toString()).totals.packets, 6);
  assert.match(readFileSync(place.path("ev"), "utf8"), /"state":"ended"[^\n]*\n$/);
});

for (const words of [
  ["connections", "--watch", "-o", "ndjson"],
  ["report", place.path("hup.pdf"), "-i", "lo"],
])
  test(`SIGHUP ends ${words[0]} in good order, with 129`, { skip }, async () => {
    const running = place.start(words, {}, netns);
    if (words[0] === "report") await running.said("listening on");
    else await new Promise((resolve) => running.child.stdout!.once("data", resolve));
    const { code } = await running.stop("SIGHUP");
    assert.equal(code, 129);
    if (words[0] === "report") assert.ok(existsSync(place.path("hup.pdf")));
  });

test("serve reads again at SIGHUP and goes on", { skip }, async () => {
  // The process that gave up root can read it, also where the checkout is private.
  const names = place.path("names.json");
  chmodSync(place.folder, 0o755);
  copyFileSync(join(ROOT, "services/lab.json"), names);
  const words = ["serve", "-i", "lo", "--listen", "127.0.0.1:0", "--names", names];
  const running = place.start(words, {}, netns);
  await running.said("/metrics");
  running.child.kill("SIGHUP");
  await running.said("the names file was read again");
  const { code } = await running.stop("SIGTERM");
  assert.equal(code, 0);
});
