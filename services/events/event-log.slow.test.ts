import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { flawOf } from "../e2e/event-flaw.js";
import { eventLine, type LabEvent } from "./event.js";
import { EventFile } from "./event-file.js";
import { EventLog } from "./event-log.js";

const distrust = (node: string): LabEvent => ({
  event: "answer-distrusted",
  severity: "warning",
  text: `${node} shows too few receipts`,
  fields: { node },
  details: { operation: "6f1f7a2e-0000-4000-8000-000000000000" },
});

/** Keeps lines, and can be full. */
function createSink() {
  const lines: string[] = [];
  const sink = {
    lines,
    full: false,
    append(line: string): boolean {
      if (sink.full) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      lines.push(line);
      return false;
    },
    close() {},
  };
  return sink;
}

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line));

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "netwatch-events-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("hostile text becomes one short line of plain ASCII", () => {
  for (const text of [
    "\x1b]0;x\x07",
    "a\nb\r\u2028c",
    "\u202eevil",
    "\ud800",
    "\u00e4",
    "x".repeat(1e6),
    '"\\',
  ])
    for (const event of [distrust(`n${text}`)])
      assert.equal(flawOf(eventLine(event, "web", 0)), "", text.slice(0, 20));
  assert.equal(JSON.parse(eventLine(distrust("\x1b[31m\u202e"), "web", 0)).node, "\\x1b[31m\\u202e");
  assert.equal(JSON.parse(eventLine(distrust("\\x1b\\tmp"), "web", 0)).node, "\\\\x1b\\tmp");
});

test("the same again within a second is counted, and written once more at its end", () => {
  const sink = createSink();
  const log = new EventLog(sink, "api-gateway", assert.fail);
  for (const now of [0, 10, 999]) log.note(distrust("order-node-1"), now);
  log.note(distrust("order-node-2"), 20);
  assert.equal(sink.lines.length, 2);
  log.flush(999);
  assert.equal(sink.lines.length, 2);
  log.flush(1000);
  log.flush(5000);
  assert.deepEqual(
    parsed(sink.lines).map(({ node, count }) => [node, count]),
    [
      ["order-node-1", 1],
      ["order-node-2", 1],
      ["order-node-1", 2],
    ],
  );
});

test("a flood of different events is bounded, and what was left out is told", () => {
  const sink = createSink();
  const log = new EventLog(sink, "api-gateway", assert.fail);
  for (let turn = 0; turn < 5000; turn++) log.note(distrust(`node-${turn}`), 1);
  assert.equal(sink.lines.length, 100);
  log.note(distrust("later"), 2000);
  const [loss, later] = parsed(sink.lines.slice(100));
  assert.deepEqual([loss.event, loss.count, later.node], ["events-lost", 4900, "later"]);
  for (let turn = 0; turn < 120; turn++) log.note(distrust(`node-${turn}`), 9000);
  log.close(9001);
  assert.deepEqual(parsed(sink.lines).at(-1).event, "events-lost", "also when nothing comes after it");
  for (const line of sink.lines) assert.equal(flawOf(line), "");
});

test("a full disk is said once, stops nothing, and is told of when there is room again", () => {
  const sink = createSink();
  const said: string[] = [];
  const log = new EventLog(sink, "api-gateway", (problem) => said.push(problem));
  sink.full = true;
  for (const node of ["a", "b", "c"]) log.note(distrust(node), 0);
  assert.deepEqual(said, ["events cannot be written: no space left on device"]);
  sink.full = false;
  log.note(distrust("d"), 5000);
  const [loss, event] = parsed(sink.lines);
  assert.deepEqual([loss.event, loss.count, loss.reason, event.node], ["events-lost", 3, "ENOSPC", "d"]);
});

test("what is open when the log is closed is written", () => {
  const sink = createSink();
  const log = new EventLog(sink, "api-gateway", assert.fail);
  for (let turn = 0; turn < 4; turn++) log.note(distrust("a"), 0);
  log.close(1);
  assert.deepEqual(
    parsed(sink.lines).map(({ count }) => count),
    [1, 3],
  );
});

test("a file is made for its owner alone, is appended to, and is never reached through a link", (t) => {
  const path = join(folder(t), "events.ndjson");
  for (const line of ["one", "two"]) {
    const file = new EventFile(path);
    file.append(line);
    file.close();
  }
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  symlinkSync(path, `${path}.link`);
  assert.throws(() => new EventFile(`${path}.link`), { code: "ELOOP" });
});

test("a file with a limit starts again, and the log says that it did", (t) => {
  const path = join(folder(t), "events.ndjson");
  const log = new EventLog(new EventFile(path, 2000), "web", assert.fail);
  for (let turn = 0; turn < 20; turn++) log.note(distrust(`node-${turn}`), 0);
  log.close(0);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.ok(statSync(path).size <= 2000);
  assert.ok(parsed(lines).some(({ event }) => event === "events-lost"));
  assert.ok(
    parsed(lines).some(({ node }) => node === "node-19"),
    "the newest is there",
  );
});

const hasPrlimit = existsSync("/usr/bin/prlimit");

test("a write that is cut short leaves no line glued to the next", {
  skip: hasPrlimit ? false : "no prlimit, which is of util-linux",
}, (t) => {
  const limit = (bytes: string) =>
    execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:`]);
  const path = join(folder(t), "events.ndjson");
  const said: string[] = [];
  const log = new EventLog(new EventFile(path), "web", (problem) => said.push(problem));
  log.note(distrust("a"), 0);
  // the kernel writes as far as the limit and no further (setrlimit(2)), as it does where a disk is full
  limit(String(statSync(path).size + 50));
  try {
    log.note(distrust("b"), 0);
  } finally {
    limit("unlimited");
  }
  log.note(distrust("c"), 5000);
  const [first, torn, loss, last] = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(said.length, 1);
  assert.equal(torn?.length, 50);
  assert.deepEqual(
    parsed([first!, loss!, last!]).map(({ event, node }) => [event, node]),
    [
      ["answer-distrusted", "a"],
      ["events-lost", undefined],
      ["answer-distrusted", "c"],
    ],
  );
});
