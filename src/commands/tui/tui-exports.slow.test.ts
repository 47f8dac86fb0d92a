import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import { App } from "../../tui/app.js";
import { textOf } from "../../tui/chrome/cells.js";
import { UNICODE } from "../../tui/chrome/glyphs.js";
import { emptyModel } from "../../tui/model.js";
import { growTree } from "../../view/map/topology-tree.js";
import { analyzeCaptures } from "../analyze/captures.js";
import { createFakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { carryOut } from "./tui-exports.js";

test("what is shown is written as CSV and JSON, filtered and sorted, and a report as PDF", async () => {
  const terminal = createFakeTerminal();
  const { snapshot } = await analyzeCaptures(
    [join(ROOT, "fixtures/shop.pcapng")],
    {},
    "netwatch 0",
    terminal,
  );
  const limited = limitSnapshot(snapshot, 1000);
  const size = () => ({ columns: 80, rows: 24 });
  const app = new App(emptyModel("shop", "snapshot"), {
    size,
    color: false,
    glyphs: UNICODE,
    paint: () => {},
  });
  app.onSnapshot(limited, growTree(limited.tables.pairs), 0);
  const now = new Date("2026-11-22T10:00:00Z");
  const before = process.cwd();
  process.chdir(terminal.folder);
  try {
    await carryOut("csv", app, now);
    assert.match(app.frame.lines.map(textOf).join("\n"), /this screen is no list/);
    for (const key of ["3", "/", ..."dst:10.0.0.60", "enter", "s"]) app.onKey(key);
    const { rows } = app.frame.grid!;
    for (const effect of ["csv", "json", "report"] as const) await carryOut(effect, app, now);
    assert.deepEqual(
      readdirSync(".")
        .filter((name) => name.startsWith("netwatch-"))
        .sort(),
      [
        "netwatch-pairs-20261122T100000.csv",
        "netwatch-pairs-20261122T100000.json",
        "netwatch-report-20261122T100000.pdf",
      ],
    );
    const csv = readFileSync("netwatch-pairs-20261122T100000.csv", "utf8").trimEnd().split("\n");
    assert.equal(csv[0], "source,destination,packets,bytes,share,rate,conversations");
    assert.equal(csv.length, rows.length + 1);
    const json = JSON.parse(readFileSync("netwatch-pairs-20261122T100000.json", "utf8"));
    assert.deepEqual(
      json.map(({ source }: { source: string }) => source),
      rows.map(({ source }) => source),
    );
    assert.equal(readFileSync("netwatch-report-20261122T100000.pdf").subarray(0, 5).toString(), "%PDF-");
    assert.equal(statSync("netwatch-pairs-20261122T100000.csv").mode & 0o777, 0o600);
    process.chdir("/proc");
    await carryOut("csv", app, now);
    assert.match(app.frame.lines.map(textOf).join("\n"), /not written: /);
  } finally {
    process.chdir(before);
    terminal.dispose();
  }
});
