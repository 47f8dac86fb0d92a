import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CommandError, ExitCode } from "../exit.js";
import { analyze } from "./analyze/analyze.js";
import { report } from "./report.js";
import { createFakeTerminal, ROOT } from "./terminal.test.fixture.js";

const SHOP = join(ROOT, "fixtures/shop.pcapng");
const date = new Date("2026-11-22T10:00:00Z");

async function failure(promise: Promise<unknown>): Promise<CommandError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    return error;
  }
  return assert.fail("the command did not fail");
}

test("a report is the same bytes from the capture, from its snapshot file, and from the snapshot that was kept", async () => {
  const terminal = createFakeTerminal();
  const path = (name: string) => join(terminal.folder, name);
  await report(path("a.pdf"), { read: [SHOP], date }, "netwatch 0", terminal);
  await report(path("b.pdf"), { date }, "netwatch 0", terminal);
  await analyze([SHOP], { output: "json" }, "netwatch 0", terminal);
  writeFileSync(path("snapshot.json"), terminal.out());
  await report(path("c.pdf"), { from: path("snapshot.json"), date }, "netwatch 0", terminal);
  const [a, b, c] = ["a.pdf", "b.pdf", "c.pdf"].map((name) => readFileSync(path(name)));
  assert.ok(a!.equals(b!) && a!.equals(c!));
  assert.equal(statSync(path("a.pdf")).mode & 0o777, 0o600);
  assert.deepEqual(terminal.said.slice(0, 1), [`wrote ${path("a.pdf")}`]);
  terminal.dispose();
});

test("with nothing kept, report says what to run", async () => {
  const terminal = createFakeTerminal();
  const error = await failure(report(join(terminal.folder, "x.pdf"), { date }, "netwatch 0", terminal));
  assert.equal(error.exitCode, ExitCode.unreadable);
  assert.match(
    error.message,
    /^no snapshot to report on \(.*\); run `netwatch analyze FILE` first, or name a capture with -r FILE$/,
  );
  terminal.dispose();
});

test("a report that cannot be written is said with its path, and nothing half is left", async () => {
  const terminal = createFakeTerminal();
  const inNoFolder = join(terminal.folder, "none", "x.pdf");
  const error = await failure(report(inNoFolder, { read: [SHOP], date }, "netwatch 0", terminal));
  assert.deepEqual(
    [error.exitCode, error.message],
    [ExitCode.unwritable, `${inNoFolder}: no such file or directory`],
  );
  const taken = join(terminal.folder, "taken");
  mkdirSync(taken);
  assert.equal(
    (await failure(report(taken, { read: [SHOP], date }, "netwatch 0", terminal))).exitCode,
    ExitCode.unwritable,
  );
  assert.deepEqual(readdirSync(terminal.folder).sort(), ["netwatch", "taken"]);
  terminal.dispose();
});

test("foreign JSON, an unknown section and both sources at once are refused in one line", async () => {
  const terminal = createFakeTerminal();
  const out = join(terminal.folder, "x.pdf");
  const foreign = await failure(
    report(out, { from: join(ROOT, "package.json"), date }, "netwatch 0", terminal),
  );
  assert.equal(foreign.exitCode, ExitCode.unreadable);
  assert.match(foreign.message, /package\.json: not a snapshot: /);
  const section = await failure(
    report(out, { read: [SHOP], sections: "map,nonsense", date }, "netwatch 0", terminal),
  );
  assert.equal(section.exitCode, ExitCode.usage);
  assert.match(section.message, /^no section nonsense: choose from summary, map, /);
  const both = await failure(report(out, { read: [SHOP], from: "x", date }, "netwatch 0", terminal));
  assert.equal(both.exitCode, ExitCode.usage);
  terminal.dispose();
});
