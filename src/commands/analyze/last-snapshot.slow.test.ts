import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseSnapshot } from "../../analyze/snapshot/read-snapshot.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { renderCsv } from "../../report/data/csv.js";
import { renderSnapshotJson, renderTableNdjson } from "../../report/data/json.js";
import { renderMarkdown } from "../../report/data/markdown.js";
import { renderSummary, renderTable } from "../../report/text/text.js";
import { textOf } from "../../tui/chrome/cells.js";
import { layOut } from "../../tui/chrome/frame.js";
import { UNICODE } from "../../tui/chrome/glyphs.js";
import { emptyModel, withSnapshot } from "../../tui/model.js";
import { SCREENS, START } from "../../tui/state.js";
import { growTree } from "../../view/map/topology-tree.js";
import { report } from "../report.js";
import { createFakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { TOPOLOGY_FORMATS, topology } from "../topology.js";
import { readSnapshot } from "./last-snapshot.js";

const text = readFileSync(join(ROOT, "fixtures/snapshot.0.1.json"), "utf8");
const look = { width: 80, color: false };

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
type Loose = any;

/** What another version might have written. */
function changed(change: (snapshot: Loose) => void): string {
  const snapshot = JSON.parse(text);
  change(snapshot);
  return JSON.stringify(snapshot);
}

const OTHERS: readonly (readonly [string, string])[] = [
  ["as it was written", text],
  [
    "of a later version",
    changed((snapshot) => {
      snapshot.tables.grpc = snapshot.tables.http;
      snapshot.weather = "fair";
      snapshot.tables.http.columns.push({ name: "tags", title: "Tags", kind: "set" });
      for (const row of snapshot.tables.http.rows) row.tags = ["a"];
    }),
  ],
  [
    "without most tables",
    changed((snapshot) => {
      snapshot.tables = { protocols: snapshot.tables.protocols };
    }),
  ],
  [
    "of tables with their first column alone",
    changed(({ tables }) => {
      for (const table of Object.values<Loose>(tables)) table.columns.splice(1);
    }),
  ],
  [
    "with texts for numbers and the reverse",
    changed(({ tables }) => {
      for (const table of Object.values<Loose>(tables))
        for (const row of table.rows)
          for (const name of Object.keys(row)) row[name] = typeof row[name] === "number" ? "\x1b[31m" : 7;
    }),
  ],
];

/** Every list of the monitor. */
function* screensOf(snapshot: Snapshot): Iterable<string> {
  const model = withSnapshot(emptyModel("kept", "snapshot"), snapshot, growTree(snapshot.tables.pairs), 0);
  const again = withSnapshot(model, snapshot, growTree(snapshot.tables.pairs), 1);
  const size = { columns: 120, rows: 40 };
  for (const screen of SCREENS)
    for (const part of [0, 1, 2, 3, 4])
      for (const detail of [false, true])
        for (const numeric of [false, true]) {
          const state = { ...START, screen, parts: { [screen]: part }, detail, numeric };
          const frame = layOut(again, state, { size, color: false, glyphs: UNICODE, notice: null });
          yield frame.lines.map(textOf).join("\n");
        }
}

for (const [name, json] of OTHERS)
  test(`a Snapshot ${name} is shown in every view`, async () => {
    const snapshot = parseSnapshot(json);
    const tables = Object.values(snapshot.tables);
    const shown = [
      ...renderSummary(snapshot, look),
      ...tables.flatMap((table) => [...renderTable(table, look), ...renderCsv(table), renderMarkdown(table)]),
      ...tables.flatMap((table) => [...renderTableNdjson(table)]),
      ...renderSnapshotJson(snapshot, true),
      ...screensOf(snapshot),
    ];
    const terminal = createFakeTerminal();
    const from = join(terminal.folder, "snapshot.json");
    writeFileSync(from, json);
    for (const output of TOPOLOGY_FORMATS) await topology({ from, output }, "netwatch 0", terminal);
    const date = new Date("2026-11-22T10:00:00Z");
    await report(join(terminal.folder, "out.pdf"), { from, date }, "netwatch 0", terminal);
    for (const piece of [...shown, terminal.out()])
      assert.doesNotMatch(piece, /NaN|undefined|\[object|Infinity|[\x00-\x09\x0b-\x1f]/);
    const pdf = readFileSync(join(terminal.folder, "out.pdf"));
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    terminal.dispose();
  });

test("what the kept Snapshot says is what its capture says today", () => {
  const snapshot = parseSnapshot(text);
  const lines = [...renderSummary(snapshot, look)].join("");
  assert.match(lines, /^lying\.pcapng: 297 packets, 107\.5 KiB in /);
  assert.match(lines, /POST \/bft\/commits/);
});

test("a Snapshot of more conversations than a text has room for is read, and takes little memory", async () => {
  const terminal = createFakeTerminal();
  const path = join(terminal.folder, "large.json");
  const snapshot = JSON.parse(text);
  const { rows } = snapshot.tables.conversations;
  const [first] = rows;
  snapshot.tables.conversations.rows = ["HERE"];
  const [before, behind] = JSON.stringify(snapshot).split('"HERE"');
  writeFileSync(path, before!);
  // More than a string of V8 holds; with long names fewer rows do for that.
  const row = JSON.stringify({ ...first, source: "s".repeat(50_000) });
  const [turns, ofTurn] = [22, 500];
  const piece = `${row},`.repeat(ofTurn);
  for (let i = 0; i < turns; i++) appendFileSync(path, piece);
  appendFileSync(path, `${JSON.stringify(first)}${behind}`);
  const heap = process.memoryUsage().heapUsed;
  const { conversations } = (await readSnapshot(path)).tables;
  assert.ok(process.memoryUsage().heapUsed - heap < 256 * 1024 * 1024);
  assert.equal(conversations!.rows.length, turns * ofTurn + 1);
  let last: unknown;
  for (const one of conversations!.rows) last = one;
  assert.deepEqual(last, first);
  terminal.dispose();
});
