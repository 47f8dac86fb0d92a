import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { flawOf } from "../../../services/e2e/event-flaw.js";
import { EventTracker, type NetworkEvent } from "../../analyze/event-tracker.js";
import type {
  HealthReport,
  HealthTargetReport,
  LedgerInterface,
  Snapshot,
} from "../../analyze/snapshot/snapshot.js";
import { CommandError, ExitCode } from "../../exit.js";
import { EventWriter } from "./event-writer.js";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "netwatch-events-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const snapshot = (pairs: readonly (readonly [string, string])[], dropped = 0, ended: string | null = null) =>
  ({
    ledger: { dropped, interfaces: [{ name: "br-app", ended } as LedgerInterface] },
    tables: { pairs: { rows: pairs.map(([source, destination]) => ({ source, destination })), omitted: 0 } },
  }) as unknown as Snapshot;

const health = (state: string, port: number) =>
  ({
    format: "netwatch-health",
    version: 1,
    time: "",
    targets: [
      {
        service: "payment",
        address: "10.0.0.80",
        port,
        state,
        reason: "refused\x1b[2J",
      } as HealthTargetReport,
    ],
  }) satisfies HealthReport;

/** Tells a writer what happens, as a run does. */
function followed(writer: EventWriter) {
  const tracker = new EventTracker();
  const tell = (events: readonly NetworkEvent[], us: number) => {
    for (const event of events) writer.onEvent(event, us);
  };
  return {
    look: (of: Snapshot, us: number) => tell(tracker.look(of), us),
    health: (of: HealthReport, us: number) => tell(tracker.health(of), us),
  };
}

const HOSTILE = ["\x1b]0;x\x07", "a\nb\u2028", "\u202eevil", "\u00e4\u{1f600}", "x".repeat(1e5), '"\\'];

test("every event is a line as the schema describes it, whatever the names are", (t) => {
  const path = join(folder(t), "events.ndjson");
  const writer = new EventWriter(path, "br-app", assert.fail);
  const { look, health: check } = followed(writer);
  writer.open(0);
  look(snapshot([]), 1);
  look(snapshot(HOSTILE.map((name) => [name, "web"] as const)), 2);
  look(
    snapshot(
      Array.from({ length: 50 }, (_, i) => ["web", `h${i}`] as const),
      7,
      "gone",
    ),
    3,
  );
  look(snapshot([], 7), 4);
  check(health("up", 8003), 4);
  check(health("down", 8005), 5);
  assert.equal(writer.close(1_700_000_000_123_456), null);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  for (const line of lines) assert.equal(flawOf(line), "", line);
  const events = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    [...new Set(events.map(({ event }) => event))],
    ["watch", "new-pair", "capture-drop", "capture-ended", "capture-resumed", "rotation", "health"],
  );
  assert.equal(events[1].source, "\\x1b]0;x\\x07");
  assert.equal(events[4].source, "\u00e4\u{1f600}", "letters stay what they are");
  assert.equal(events.at(-1).time, "2023-11-14T22:13:20.123456Z");
});

test("a file is appended to, for its owner alone; a link is not followed", (t) => {
  const path = join(folder(t), "events.ndjson");
  for (let run = 0; run < 2; run++) {
    const writer = new EventWriter(path, "br-app", assert.fail);
    writer.open(0);
    writer.close(1);
  }
  assert.equal(readFileSync(path, "utf8").trimEnd().split("\n").length, 4);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  symlinkSync(path, `${path}.link`);
  for (const wrong of [`${path}.link`, join(path, "below"), "/"])
    assert.throws(
      () => new EventWriter(wrong, "br-app", assert.fail).open(0),
      (error) => error instanceof CommandError && error.exitCode === ExitCode.unwritable,
    );
});

test("a full disk is said once, does not end the run, and is told of when there is room again", {
  skip: existsSync("/usr/bin/prlimit") ? false : "no prlimit, which is of util-linux",
}, (t) => {
  const limit = (bytes: string) =>
    execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:`]);
  const path = join(folder(t), "events.ndjson");
  writeFileSync(path, "");
  const said: string[] = [];
  const writer = new EventWriter(path, "br-app", (line) => said.push(line));
  const { look } = followed(writer);
  writer.open(0);
  look(snapshot([]), 0);
  limit(String(statSync(path).size + 30));
  try {
    look(snapshot([["a", "b"]]), 1);
    look(snapshot([["a", "c"]]), 2);
  } finally {
    limit("unlimited");
  }
  look(snapshot([["a", "d"]]), 3);
  assert.match(writer.close(4) ?? "", /2 events could not be written/);
  assert.equal(said.length, 1);
  const [, torn, ...rest] = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(torn?.length, 30);
  assert.deepEqual(
    rest.map((line) => JSON.parse(line)).map(({ event, count, destination }) => [event, count, destination]),
    [
      ["events-lost", 2, undefined],
      ["new-pair", 1, "d"],
      ["watch", 1, undefined],
    ],
  );
});
