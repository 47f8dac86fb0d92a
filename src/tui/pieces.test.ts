import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EVIDENCE_COLUMNS } from "../analyze/conntrack/joined.js";
import type { NetworkEvent } from "../analyze/event-tracker.js";
import type { Column, HealthReport, Row, Snapshot } from "../analyze/snapshot/snapshot.js";
import { ringSnapshot } from "../report/ring.test.fixture.js";
import { runBounded } from "../until.test.fixture.js";
import { clip, columnsOf, cut, cutEnd, fit, textOf, unitsOf, wrap } from "./chrome/cells.js";
import { chartLines, resample } from "./chrome/chart.js";
import { ASCII, UNICODE } from "./chrome/glyphs.js";
import { MAX_FILTER, parseFilter } from "./lists/filter.js";
import { arrange, type Grid, shownCell, tellingColumns } from "./lists/grid.js";
import { gridOf } from "./lists/grids.js";
import { emptyModel, note, withHealth, withSnapshot } from "./model.js";
import { press, START, type State } from "./state.js";

const anyText = () => fc.string({ unit: "binary", maxLength: 60 });

test("any text cut to any width takes no more columns than that, and holds no control character", () => {
  fc.assert(
    fc.property(anyText(), fc.integer({ min: 0, max: 40 }), (text, width) => {
      const shown = unitsOf(cut(text, width, "~"));
      assert.ok(shown.reduce((sum, unit) => sum + unit.width, 0) <= width);
      assert.doesNotMatch(shown.map((unit) => unit.text).join(""), /[\x00-\x1f\x7f-\x9f]/);
      assert.equal(columnsOf(fit(text, width, "left", "~")), width);
      assert.ok(columnsOf(cutEnd(text, width, "~")) <= width);
      for (const line of wrap(text, width)) assert.ok(columnsOf(line) <= Math.max(2, width));
      assert.equal(columnsOf(textOf(clip([{ text, style: "plain" }], width))) <= width, true);
    }),
  );
});

test("wide characters, marks, flags and skin tones take the columns that terminals agree on", () => {
  assert.deepEqual(unitsOf("数e\u0301"), [
    { text: "数", width: 2 },
    { text: "e\u0301", width: 1 },
  ]);
  assert.equal(unitsOf("e\u0301\u0301\u0301\u0301")[0]?.text.length, 3);
  assert.equal(columnsOf("👍🏽"), 2);
  assert.deepEqual(
    unitsOf("🇩🇪").map(({ text }) => text),
    ["D", "E"],
  );
  assert.equal(cut("数据库", 5, "…"), "数…库");
  assert.equal(cut("abcdef", 1, "…"), "…");
  assert.equal(cutEnd("one two three", 9, "…"), "one two…");
  assert.deepEqual(wrap("one two three abcdefghij", 7), ["one two", "three", "abcdefg", "hij"]);
});

const row: Row = {
  transport: "TCP",
  source: "web",
  source_port: 40_000,
  destination: "Postgres-DB",
  destination_port: 5432,
  state: "TIME_WAIT",
  bytes: 5432,
};

test("a filter takes words and prefixes, all of which must match, whatever their case", () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ["", true],
    ["web", true],
    ["WEB postgres", true],
    ["web redis", false],
    ["src:web dst:postgres proto:tcp port:5432 state:time", true],
    ["src:postgres", false],
    ["dst:web", false],
    ["port:543", false],
    ["port:40000", true],
    ["state:", true],
    ["constructor:x", false],
    ["__proto__:x", false],
    ["src:(a+)+$", false],
  ];
  for (const [text, expected] of cases) assert.equal(parseFilter(text)(row), expected, text);
});

test("no filter is slow, whatever it and the row hold", () => {
  const code = `
    for (const [letter, filter] of [["a", "a".repeat(1_000_000)], [" ", "src:" + " ".repeat(1_000_000) + "b"], ["a", "(a+)+$"]])
      console.log(it.parseFilter(filter)({ source: letter.repeat(10_000_000) }));`;
  assert.equal(runBounded(new URL("./lists/filter.js", import.meta.url), code), "true\ntrue\nfalse\n");
});

function keys(state: State, ...pressed: readonly string[]): State {
  return pressed.reduce(
    (now, key) => press(now, key, { rows: 10, page: 4, columns: ["a", "b", "c"], parts: 2, part: 0 }).state,
    state,
  );
}

test("typing a filter takes letters that are keys elsewhere, and gives up at Escape", () => {
  const typing = keys(START, "3", "/", "q", "s", "1", "backspace");
  assert.deepEqual([typing.typing, typing.screen], ["qs", "pairs"]);
  assert.equal(keys(typing, "enter").filter, "qs");
  assert.deepEqual([keys(typing, "escape").filter, keys(typing, "escape").typing], ["", null]);
  assert.equal(keys(keys(typing, "enter"), "escape").filter, "");
  const long = keys(START, "/", ...Array.from({ length: 500 }, () => "x"));
  assert.equal(long.typing?.length, MAX_FILTER);
});

test("any keys in any order leave a state that can be shown", () => {
  const key = fc.constantFrom(
    ..."1234567890ahjklgGsSpbnqmt?/ eErx",
    "up",
    "down",
    "tab",
    "S-tab",
    "enter",
    "escape",
    "pageup",
    "pagedown",
    "home",
    "end",
    "C-c",
    "C-z",
    "toString",
    "数",
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 60 }), (pressed) => {
      const state = keys(START, ...pressed);
      assert.ok(state.selected >= 0 && state.selected <= 9);
      const column = state.sorts[state.screen]?.column ?? null;
      assert.ok(column === null || ["a", "b", "c"].includes(column));
    }),
  );
});

test("sorting goes round the columns and back to the Snapshot's order; `other` stays last", () => {
  const rows: Row[] = [
    { a: "x", n: 1 },
    { a: "b", n: 3 },
    { a: "m", n: null },
    { a: "other", n: 99 },
  ];
  const grid: Grid = {
    title: "",
    one: "",
    columns: [
      { name: "a", title: "A", kind: "text" },
      { name: "n", title: "N", kind: "count" },
    ],
    rows,
    all: 4,
    omitted: 7,
    empty: "",
    table: null,
  };
  const order = (column: string | null, reversed: boolean) =>
    arrange(grid, "", { column, reversed }).rows.map(({ a }) => a);
  assert.deepEqual(order("a", false), ["b", "m", "x", "other"]);
  assert.deepEqual(order("n", false), ["b", "x", "m", "other"]);
  assert.deepEqual(order(null, false), ["x", "b", "m", "other"]);
  assert.deepEqual(order("a", true), ["x", "m", "b", "other"]);
  const sorts = keys(START, "3", "s", "s", "s", "s").sorts;
  assert.equal(sorts.pairs?.column, null);
});

test("a chart keeps its size and its sum, with more steps than columns and with fewer", () => {
  assert.deepEqual(resample([1, 3, 5, 7], 2), [2, 6]);
  assert.deepEqual(resample([1, 2], 5), [1, 1, 2, 2]);
  fc.assert(
    fc.property(
      fc.array(fc.nat(1e9), { maxLength: 700 }),
      fc.constantFrom(UNICODE, ASCII),
      (values, glyphs) => {
        const looks = { width: 60, height: 5, glyphs, color: false, bits: false };
        const lines = chartLines([{ name: "TCP", values }], looks);
        assert.equal(lines.length, 5);
        for (const line of lines) assert.ok(columnsOf(textOf(line)) <= 60);
      },
    ),
  );
});

function snapshotOf(bytes: number, pairs: readonly (readonly [string, string, number])[]): Snapshot {
  const table = (rows: readonly Row[]) => ({ rows, omitted: 0 });
  return {
    window: { start: null, end: "2026-11-22T10:00:00.000000Z", duration: 1 },
    totals: { packets: 1, bytes },
    tables: {
      pairs: table(pairs.map(([source, destination, n]) => ({ source, destination, bytes: n }))),
      protocols: table([{ protocol: "TCP", bytes }]),
    },
  } as unknown as Snapshot;
}

test("two Snapshots give rates, by pair and by protocol", () => {
  const first = withSnapshot(emptyModel("x", "live"), snapshotOf(100, [["a", "b", 100]]), [], 0);
  assert.equal(first.rates, null);
  const next = withSnapshot(first, snapshotOf(700, [["a", "b", 500]]), [], 2);
  assert.equal(next.rates?.get("a\0b"), 200);
  assert.deepEqual(next.throughput[0]?.bytes.TCP, 600);
});

const event = (over: Partial<NetworkEvent>): NetworkEvent => ({
  ...{ event: "new-pair", severity: "notice", text: "", count: 1, fields: {} },
  ...over,
});

test("what a Snapshot, a health report and a note tell stands newest first, each with its time", () => {
  const down = event({ event: "health", severity: "warning", text: "web is down" });
  let model = note(emptyModel("x", "live"), "error", "no registry", null);
  const told = [event({ text: "first" }), event({ text: "second" })];
  model = withSnapshot(model, snapshotOf(0, []), [], 0, told);
  model = withSnapshot(model, snapshotOf(0, []), [], 1, [event({ text: "third" })], "2026-11-22T10:00:01Z");
  const report = { time: "2026-11-22T10:00:02Z", targets: [] } as unknown as HealthReport;
  model = withHealth(model, report, [down]);
  assert.deepEqual(
    model.events.map(({ kind, severity, text, time }) => [kind, severity, text, time]),
    [
      ["health", "warning", "web is down", "2026-11-22T10:00:02Z"],
      ["new-pair", "notice", "third", "2026-11-22T10:00:01Z"],
      ["new-pair", "notice", "second", "2026-11-22T10:00:00.000000Z"],
      ["new-pair", "notice", "first", "2026-11-22T10:00:00.000000Z"],
      ["error", "warning", "no registry", null],
    ],
  );
  const kind = gridOf("events", model, START, UNICODE)!.columns.find(({ name }) => name === "kind")!;
  const styles = model.events.map((of) => kind.style?.({ ...of }));
  assert.deepEqual(styles, ["bad", "plain", "plain", "plain", "bad"]);
});

test("events and throughput are bounded", () => {
  let model = emptyModel("x", "live");
  for (let i = 0; i < 2000; i++) model = note(model, "note", "n", null);
  assert.equal(model.events.length, 500);
  for (let i = 0; i < 1000; i++) model = withSnapshot(model, snapshotOf(0, []), [], 1, [event({})]);
  assert.deepEqual([model.events.length, model.events.at(-1)?.kind], [500, "new-pair"]);
  assert.equal(model.throughput.length, 600);
});

test("where connection tracking was asked beside the wire, conversations say their state, verdict and NAT", () => {
  const ends = { transport: "TCP", source: "web", source_port: 1, destination: "db", destination_port: 2 };
  const { conversations } = ringSnapshot([]).tables;
  const table = (columns: readonly Column[], rows: readonly Row[]) => ({
    title: "",
    columns,
    rows,
    omitted: 0,
  });
  const snapshot = {
    tables: {
      conversations: table(
        [...conversations.columns, ...EVIDENCE_COLUMNS],
        [{ ...ends, verdict: "both", nat: "dnat" }],
      ),
    },
    conntrack: { connections: table([], [{ ...ends, state: "ESTABLISHED" }]), namespaces: [], evidence: [] },
  } as unknown as Snapshot;
  const grid = gridOf("conversations", { ...emptyModel("x", "live"), snapshot }, START, UNICODE)!;
  const shown = tellingColumns(grid).map((column) => [column.title, shownCell(column, grid.rows[0]!, false)]);
  for (const cell of [
    ["Tracked as", "ESTABLISHED"],
    ["Seen by", "both"],
    ["NAT", "dnat"],
  ])
    assert.ok(
      shown.some((of) => of.join() === cell.join()),
      cell.join(),
    );
  assert.ok(!shown.some(([title]) => title === "State"));
  assert.equal(arrange(grid, "state:estab").rows.length, 1);
});
