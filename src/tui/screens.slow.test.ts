/** Every screen of the bundled capture, through a terminal emulator. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { NetworkEvent } from "../analyze/event-tracker.js";
import { limitSnapshot } from "../analyze/snapshot/limit.js";
import type { HealthReport, Row, Snapshot, Table } from "../analyze/snapshot/snapshot.js";
import { analyzeCaptures } from "../commands/analyze/captures.js";
import { createFakeTerminal, expectGolden, ROOT } from "../commands/terminal.test.fixture.js";
import { until } from "../until.test.fixture.js";
import { growTree } from "../view/map/topology-tree.js";
import { App } from "./app.js";
import { ASCII, UNICODE } from "./chrome/glyphs.js";
import { createEmulator, type Emulator } from "./emulator.test.fixture.js";
import { emptyModel } from "./model.js";
import { openScreen, type Screen } from "./screen.js";
import { SCREEN_KEYS, SCREENS } from "./state.js";

let shop: Snapshot;

before(async () => {
  const terminal = createFakeTerminal();
  const names = join(ROOT, "services/lab.json");
  const read = await analyzeCaptures([join(ROOT, "fixtures/shop.pcapng")], { names }, "netwatch 0", terminal);
  shop = limitSnapshot(read.snapshot, 1000);
  terminal.dispose();
});

const HEALTH: HealthReport = {
  format: "netwatch-health",
  version: 1,
  time: "2026-11-22T10:59:35.000000Z",
  targets: [
    ["nginx-lb", "10.0.0.10", 80, "up", null, 0.0012],
    ["postgres-db", "10.0.0.60", 5432, "down", "nobody listens", null],
    ["redis-cache", "10.0.0.50", 6379, "degraded", "slow", 0.61],
  ].map(([service, address, port, state, reason, latency]) => ({
    service: String(service),
    address: String(address),
    port: Number(port),
    check: "tcp",
    state: state as "up",
    reason: reason as string | null,
    latency_seconds: latency as number | null,
    own_delay_seconds: latency === null ? null : 0.0004,
    p50_seconds: 0.001,
    p95_seconds: 0.002,
    changed: reason === null ? null : "2026-11-22T10:59:30.000000Z",
    availability: reason === "slow" ? 1 : 0.75,
    history: ["up", "up", "degraded", state as "up"],
  })),
};

/** As between two rounds of health checks. */
const HAPPENED: readonly NetworkEvent[] = [
  {
    ...{ event: "rotation", severity: "info", count: 1, fields: {} },
    text: "redis-cache (10.0.0.50) moved from port 6380 to 6379",
  },
  {
    ...{ event: "health", severity: "warning", count: 1, fields: {} },
    text: "postgres-db (10.0.0.60) is down: nobody listens",
  },
];

function table(name: string, rows: readonly Row[]): Table {
  return { name, title: name, columns: [], rows, total: {}, omitted: 0 };
}

/** Tracked connections: one that was captured too, one that was not. */
const CONNTRACK = {
  namespaces: [{ netns: null, entries: 200_000, limit: 262_144 }],
  evidence: [],
  connections: table("connections", [
    ...Array.from({ length: 8 }, () => tracked("nginx-lb", "api-gateway", 8080, "ESTABLISHED", 15_432)),
    tracked("client", "nginx-lb", 80, "TIME_WAIT", null),
    tracked("web", "nginx-lb", 80, null, null),
  ]),
} as unknown as NonNullable<Snapshot["conntrack"]>;

function tracked(
  source: string,
  destination: string,
  port: number,
  state: string | null,
  bytes: number | null,
): Row {
  return { transport: "TCP", source, destination, destination_port: port, state, tracked_bytes: bytes };
}

interface Monitor {
  readonly app: App;
  readonly emulator: Emulator;
  readonly screen: Screen;
  type(keys: string): Promise<void>;
}

const open: Screen[] = [];
after(() => {
  for (const screen of open) screen.close();
});

function openMonitor(
  columns: number,
  rows: number,
  looks = { color: true, glyphs: UNICODE },
  terminal = "xterm-256color",
): Monitor {
  const emulator = createEmulator({ columns, rows });
  const { input, output } = emulator;
  const screen = openScreen({
    input,
    output,
    terminal,
    color: looks.color,
    onKey: (key) => app.onKey(key),
    onMouse: (event) => app.onMouse(event),
    onResize: () => app.draw(),
  });
  open.push(screen);
  const app = new App(emptyModel("shop.pcapng", "snapshot"), {
    ...looks,
    size: () => screen.size(),
    paint: (lines) => screen.paint(lines),
  });
  return {
    app,
    emulator,
    screen,
    async type(keys) {
      input.push(keys);
      await setImmediate(); // what a key sets off is done by then
    },
  };
}

function fill({ app }: Monitor): void {
  app.onSnapshot({ ...shop, conntrack: CONNTRACK }, growTree(shop.tables.pairs), 0);
  app.onHealth(HEALTH);
  app.onNote("note", "listening on br-app", "2026-11-22T10:59:11.000000Z");
  app.onHealth(HEALTH, HAPPENED);
}

for (const [columns, rows] of [
  [80, 24],
  [120, 40],
  [200, 50],
] as const)
  test(`every screen at ${columns}x${rows} reads as pinned`, async () => {
    const monitor = openMonitor(columns, rows);
    fill(monitor);
    let all = "";
    for (const [i, name] of SCREENS.entries()) {
      await monitor.type(SCREEN_KEYS[i]!);
      all += `== ${name}\n${await monitor.emulator.text()}`;
    }
    await monitor.type("6\r");
    all += `== detail\n${await monitor.emulator.text()}`;
    await monitor.type("3\r");
    all += `== detail of a pair\n${await monitor.emulator.text()}`;
    await monitor.type("0t");
    all += `== findings\n${await monitor.emulator.text()}`;
    await monitor.type("?");
    all += `== help\n${await monitor.emulator.text()}`;
    expectGolden(`tui.${columns}x${rows}.txt`, all);
    monitor.screen.close();
  });

test("a terminal without UTF-8 or colours gets ASCII and no colour at all", async () => {
  const monitor = openMonitor(80, 24, { color: false, glyphs: ASCII });
  fill(monitor);
  let all = "";
  for (const [i, name] of SCREENS.entries()) {
    await monitor.type(SCREEN_KEYS[i]!);
    all += `== ${name}\n${await monitor.emulator.text()}`;
  }
  assert.match(all, /^[\n\x20-\x7e]*$/);
  expectGolden("tui.ascii.txt", all);
  monitor.screen.close();
  const colored = [...monitor.emulator.written().matchAll(/\x1b\[([\d;]*)m/g)].filter(([, codes]) =>
    codes!.split(";").some((code) => Number(code) >= 30),
  );
  assert.deepEqual(colored, []);
  assert.match(monitor.emulator.written(), /^[\x00-\x7f]*$/);
});

test("nothing is black on a terminal of eight colours, such as tmux' own", async () => {
  const monitor = openMonitor(80, 24, { color: true, glyphs: UNICODE }, "screen");
  fill(monitor);
  for (const key of SCREEN_KEYS) await monitor.type(key);
  const codes = [...monitor.emulator.written().matchAll(/\x1b\[([\d;]*)m/g)].flatMap(([, all]) =>
    all!.split(";").map(Number),
  );
  assert.ok(codes.includes(32), "there are colours");
  assert.deepEqual(
    codes.filter((code) => code === 30 || code === 38 || code >= 90),
    [],
  );
});

test("keys sort, filter, pause, switch units and names, and say what they do", async () => {
  const monitor = openMonitor(120, 40);
  const { app, emulator } = monitor;
  fill(monitor);
  await monitor.type("3/dst:postgres\r");
  assert.match(await emulator.text(), /filter: dst:postgres/);
  assert.equal(
    app.frame.grid?.rows.every(({ destination }) => destination === "postgres-db"),
    true,
  );
  await monitor.type("\x1b");
  assert.equal(app.frame.grid?.rows.length, shop.tables.pairs.rows.length);
  await monitor.type("s");
  const sources = app.frame.grid!.rows.map(({ source }) => String(source));
  assert.deepEqual(sources, [...sources].sort());
  await monitor.type("S");
  assert.match(await emulator.text(), /Source▲/);
  assert.deepEqual(
    app.frame.grid!.rows.map(({ source }) => source),
    [...sources].sort().reverse(),
  );
  await monitor.type("b");
  assert.match(await emulator.text(), /kbit/);
  await monitor.type("n");
  assert.match(await emulator.text(), /10\.0\.0\.\d+ .*10\.0\.0\.\d+/);
  await monitor.type("nbp");
  const emptied = { ...shop, totals: { packets: 7, bytes: 7 } };
  app.onSnapshot(emptied, [], 1);
  assert.match(await emulator.text(), /PAUSED.*5,270 packets/);
  await monitor.type("p");
  assert.match(await emulator.text(), /snapshot .* 7 packets/);
});

test("lists move by arrows, vim's keys and pages, and stay within their ends", async () => {
  const monitor = openMonitor(80, 24);
  fill(monitor);
  const selected = () => monitor.app.state.selected;
  await monitor.type("6jj");
  assert.equal(selected(), 2);
  await monitor.type("k\x1b[B\x1b[A");
  assert.equal(selected(), 1);
  await monitor.type("\x1b[6~");
  assert.equal(selected(), 19);
  await monitor.type("G");
  assert.equal(selected(), 103);
  assert.match(await monitor.emulator.text(), /row 104 of 104/);
  await monitor.type("j");
  assert.equal(selected(), 103);
  await monitor.type("gk");
  assert.equal(selected(), 0);
  await monitor.type("\t");
  assert.equal(monitor.app.state.screen, "connections");
  await monitor.type("\x1b[Z");
  assert.equal(monitor.app.state.screen, "conversations");
});

test("quality and applications: lists change by key, sort, filter and open; what belongs to a pair or service is in its detail", async () => {
  const monitor = openMonitor(120, 40);
  const { app, emulator } = monitor;
  fill(monitor);
  const shown = () => app.frame.grid!;
  await monitor.type("0");
  assert.deepEqual([shown().title, shown().rows.length], ["TCP", shop.tables.tcp.rows.length]);
  await monitor.type("t");
  assert.equal(shown().title, "Findings");
  await monitor.type("\r");
  assert.match(
    await emulator.text(),
    /Finding\n\n Severity +notice\n What +Traffic peaks at 557\.7 KiB\/s in the/,
  );
  await monitor.type("t");
  assert.equal(shown().title, "TCP");
  await monitor.type("a/postgres\r");
  assert.match(await emulator.text(), /Nothing passes the filter/);
  await monitor.type("/\x15products\r");
  assert.ok(shown().rows.length > 1);
  assert.ok(shown().rows.every(({ operation }) => String(operation).includes("products")));
  await monitor.type("/\x15\rssss");
  const requests = shown().rows.map((row) => Number(row.requests));
  assert.deepEqual(app.state.sorts.applications, { column: "requests", reversed: false });
  assert.deepEqual(
    requests,
    requests.toSorted((a, b) => b - a),
  );
  await monitor.type("ttttt");
  assert.equal(shown().title, "HTTP");
  assert.equal(app.state.sorts.applications?.column, null);
  await monitor.type("3\r");
  assert.match(await emulator.text(), /TCP health\n Source .*\n[\s\S]*Operations\n Protocol .*\n HTTP /);
  await monitor.type("2jjj\r");
  assert.match(
    await emulator.text(),
    /Service\n[\s\S]*Operations\n Protocol .*\n HTTP .* order-service +POST/,
  );
});

test("what the tables of requests and of TCP miss stands below them", async () => {
  const monitor = openMonitor(120, 40);
  fill(monitor);
  await monitor.type("a");
  const whole = { connections: 0, unfollowed: 0, gaps: 0, operations: 0 };
  const look = (inspection: Snapshot["ledger"]["inspection"]) =>
    monitor.app.onSnapshot({ ...shop, ledger: { ...shop.ledger, inspection } }, [], 1);
  look(whole);
  assert.doesNotMatch(await monitor.emulator.text(), /missing/);
  const missed = [
    { application: "http", reason: "gap in the capture", count: 1 },
    { application: "http", reason: "connection without room", count: 2000 },
    { application: "redis", reason: "unreadable message", count: 7 },
  ];
  look({ ...whole, connections: 3, missed });
  const text = await monitor.emulator.text();
  assert.match(text, /missing: 1 × gap in the capture, 2,000 × connection without room/);
  assert.doesNotMatch(text, /unreadable/);
  look({ ...whole, gaps: 1, unfollowed: 2000, connections: 3 });
  assert.match(
    await monitor.emulator.text(),
    /missing: 1 × gap in the capture, of no known protocol, and 1 more/,
  );
  await monitor.type("0");
  assert.match(await monitor.emulator.text(), /missing: 3 × connection or part of one summed as other/);
});

test("requests a second come from two looks", async () => {
  const monitor = openMonitor(120, 40);
  fill(monitor);
  const http = shop.tables.http!;
  const rows = [...http.rows].map((row) => ({ ...row, requests: Number(row.requests) + 5 }));
  const later = { ...shop, tables: { ...shop.tables, http: { ...http, rows } } };
  monitor.app.onSnapshot(later, growTree(later.tables.pairs), 2);
  await monitor.type("a");
  assert.match(await monitor.emulator.text(), /Now[\s\S]*POST \/bft\/commits +113 +2\.5\/s/);
  monitor.app.onEnd();
  assert.doesNotMatch(await monitor.emulator.text(), /Now/);
});

test("the mouse goes to screens, selects, opens, sorts and scrolls; m leaves it to the terminal", async () => {
  const monitor = openMonitor(80, 24);
  const { app, emulator } = monitor;
  fill(monitor);
  const report = (button: number, x: number, y: number, end = "M") => `\x1b[<${button};${x};${y}${end}`;
  const { written } = emulator;
  const isOurs = () => written().lastIndexOf("\x1b[?1000h") > written().lastIndexOf("\x1b[?1000l");
  const isDecimal = () => written().lastIndexOf("\x1b[?1006h") > written().lastIndexOf("\x1b[?1006l");
  assert.deepEqual([isOurs(), isDecimal()], [true, true]);
  const tabs = (await emulator.text()).split("\n")[0]!;
  await monitor.type(report(0, tabs.indexOf("3 Pair") + 1, 1));
  assert.equal(app.state.screen, "pairs");
  await monitor.type(report(0, 5, 8) + report(0, 5, 8, "m"));
  assert.deepEqual([app.state.selected, app.state.detail], [4, false]);
  await monitor.type(report(0, 5, 8));
  assert.equal(app.state.detail, true);
  await monitor.type(report(0, 5, 9));
  assert.equal(app.state.selected, 4);
  await monitor.type("\x1b");
  await until(() => !app.state.detail); // only a delay tells an Escape from a sequence
  await monitor.type(report(65, 1, 1) + report(65, 1, 1) + report(64, 1, 1));
  assert.equal(app.state.selected, 7);
  const heading = (await emulator.text()).split("\n")[2]!;
  await monitor.type(report(0, heading.indexOf("Packets") + 2, 3));
  assert.deepEqual(app.state.sorts.pairs, { column: "packets", reversed: false });
  await monitor.type(report(0, heading.indexOf("Packets") + 2, 3));
  assert.deepEqual(app.state.sorts.pairs, { column: "packets", reversed: true });
  await monitor.type(report(2, 5, 9) + report(0, 5, 23) + report(0, 80, 1) + report(0, 9999, 9999));
  assert.deepEqual([app.state.selected, app.state.screen], [0, "pairs"]);
  monitor.screen.setMouse(false);
  assert.deepEqual([isOurs(), isDecimal()], [false, false]);
  monitor.screen.setMouse(true);
  monitor.screen.suspend();
  assert.deepEqual([isOurs(), isDecimal()], [false, false]);
  monitor.screen.resume();
  assert.deepEqual([isOurs(), isDecimal()], [true, true]);
  monitor.screen.close();
  assert.deepEqual([isOurs(), isDecimal()], [false, false]);
});

test("a resized terminal is drawn again, down to one that is too small", async () => {
  const monitor = openMonitor(80, 24);
  fill(monitor);
  monitor.emulator.resize({ columns: 100, rows: 30 });
  const lineOf = async (row: number) => (await monitor.emulator.text()).split("\n")[row];
  await until(async () => (await lineOf(1)) === "─".repeat(100));
  const lines = (await monitor.emulator.text()).split("\n");
  assert.match(lines[29]!, /^ shop\.pcapng/);
  monitor.emulator.resize({ columns: 30, rows: 5 });
  await until(async () => /^30x5: at least 40x8/.test(await monitor.emulator.text()));
});

test("names from the wire cannot move the cursor, and wide ones keep the columns straight", async () => {
  const evil = "\x1b[2J\x1b]0;pwned\x07\u202e\u009b31m\u0000";
  const names = [evil, "数据库服务器".repeat(9), "e\u0301".repeat(40), "a".repeat(3000), "__proto__"];
  const rows = names.map(
    (source): Row => ({
      source,
      destination: "次の目的地",
      packets: 1,
      bytes: 1,
      share: 0.1,
      conversations: 1,
    }),
  );
  const snapshot = { ...shop, tables: { ...shop.tables, pairs: { ...shop.tables.pairs, rows, omitted: 0 } } };
  const monitor = openMonitor(80, 24);
  monitor.app.onSnapshot(snapshot, growTree(snapshot.tables.pairs), 0);
  monitor.app.onNote("note", evil, null);
  for (const key of SCREEN_KEYS) await monitor.type(key);
  await monitor.type("3");
  assert.ok(!/\x1b\]|\x07|\u202e|\u009b|\x1b\[31m/.test(monitor.emulator.written()));
  const shown = async () =>
    (await monitor.emulator.text())
      .split("\n")
      .slice(3, 8)
      .map((line) => line.trimEnd());
  const lines = await shown();
  assert.match(lines[0]!, /\\x1b\[2J/);
  assert.match(lines[1]!, /数据.*…/);
  // Every row's numbers end in the same column of the terminal, two columns a wide character.
  const wide = (line: string) =>
    [...line.normalize("NFC")].reduce((sum, c) => sum + (/[\u3000-\u9fff]/.test(c) ? 2 : 1), 0);
  assert.equal(new Set(lines.map(wide)).size, 1, lines.join("\n"));
  await monitor.type("jjjkkk");
  const again = await shown();
  assert.deepEqual(
    again.map((line) => line.slice(1)),
    lines.map((line) => line.slice(1)),
  );
});

test("the terminal is raw and in its second screen while open, and as before when closed or suspended", async () => {
  const monitor = openMonitor(80, 24);
  fill(monitor);
  await monitor.type("1");
  assert.equal(monitor.emulator.raw(), true);
  const isAlternate = () => {
    const written = monitor.emulator.written();
    return written.lastIndexOf("\x1b[?1049h") > written.lastIndexOf("\x1b[?1049l");
  };
  assert.equal(isAlternate(), true);
  monitor.screen.suspend();
  assert.deepEqual([monitor.emulator.raw(), isAlternate()], [false, false]);
  monitor.screen.resume();
  await setImmediate();
  assert.deepEqual([monitor.emulator.raw(), isAlternate()], [true, true]);
  assert.match(await monitor.emulator.text(), /Throughput/);
  monitor.screen.close();
  monitor.screen.close();
  assert.deepEqual([monitor.emulator.raw(), isAlternate()], [false, false]);
});
