/** No output shows an unsafe character as it is, and none shows it as it shows the text that spells its written. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { EventTracker } from "./analyze/event-tracker.js";
import type {
  ConnectionsSnapshot,
  Finding,
  HealthReport,
  HealthTargetReport,
  Row,
  Snapshot,
  Table,
} from "./analyze/snapshot/snapshot.js";
import { parseNames } from "./capture/names/names.js";
import { analyze } from "./commands/analyze/analyze.js";
import { missingTable } from "./commands/analyze/missing-report.js";
import { connections } from "./commands/connections.js";
import { renderDoctor } from "./commands/doctor/doctor.js";
import { renderInterfaces } from "./commands/doctor/interfaces.js";
import { renderHealth } from "./commands/health.js";
import { OUTPUT_FORMATS } from "./commands/options.js";
import { report } from "./commands/report.js";
import { exposeHealth } from "./commands/serve/expose-health.js";
import { metrics } from "./commands/serve/metrics.js";
import { createFakeTerminal, type FakeTerminal, ROOT } from "./commands/terminal.test.fixture.js";
import { TOPOLOGY_FORMATS, topology } from "./commands/topology.js";
import { EventWriter } from "./engine/recording/event-writer.js";
import { SidecarWriter } from "./engine/recording/sidecar-writer.js";
import { edgeLabel, safeJson, visible } from "./format.js";
import { renderCsv } from "./report/data/csv.js";
import { renderSnapshotJson, renderTableJson, renderTableNdjson } from "./report/data/json.js";
import { escapeMarkdown, renderMarkdown } from "./report/data/markdown.js";
import { renderDot, renderMermaid, renderTopologyJson, renderTree } from "./report/graph/topology.js";
import { renderSvg } from "./report/graph/topology-svg.js";
import { renderExposition } from "./report/metrics/exposition.js";
import { fullExposition, manyEdges } from "./report/metrics/exposition.test.fixture.js";
import { renderPdf } from "./report/pdf/pdf.js";
import { ringSnapshot } from "./report/ring.test.fixture.js";
import { renderSummary, renderTableOf } from "./report/text/text.js";
import { renderConnections } from "./report/text/text-connections.js";
import { textOf } from "./tui/chrome/cells.js";
import { layOut } from "./tui/chrome/frame.js";
import { UNICODE } from "./tui/chrome/glyphs.js";
import { emptyModel, note, withHealth, withSnapshot } from "./tui/model.js";
import { SCREENS, START } from "./tui/state.js";
import { growTree } from "./view/map/topology-tree.js";

/** One or two of each kind of unsafe character, by their numbers. */
const CODES = [
  0x07, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0x9b, 0xad, 0x61c, 0x115f, 0x180e, 0x200b, 0x200f, 0x2028, 0x202e,
  0x2066, 0x2800, 0x3164, 0xd800, 0xfe0f, 0xfeff, 0xfff9, 0xfffb, 0xffff, 0xe0001, 0xe007f,
];
const UNSAFE = new Set(CODES);
/** Each has a letter and a number of its own before it, so that an output can be asked how it shows it. */
const CLASSES = CODES.map((code, i) => {
  const [id, character] = [`q${String(i).padStart(2, "0")}`, String.fromCodePoint(code)];
  return {
    id,
    written: visible(character),
    raw: `${id}${character}z`,
    literal: `${id}${visible(character)}z`,
  };
});
const NAMES = [...CLASSES.flatMap(({ raw, literal }) => [raw, literal]), "=cmd|'/c'!A1", "; =1"];

/**
 * Checks a text as it is shown: no unsafe character but its own line ends; a character's written behind one backslash, the text that
 * spells it behind two. `whole`: every name is in it.
 */
function check(what: string, text: string, whole: boolean): void {
  const raw = Array.from(text, (character) => character.codePointAt(0)!).filter(
    (code) => UNSAFE.has(code) && code !== 0x0a,
  );
  assert.deepEqual(raw, [], what);
  for (const { id, written } of CLASSES) {
    const shown = new Set(Array.from(text.matchAll(new RegExp(`${id}([^z…]{0,14})z`, "g")), ([, of]) => of!));
    const allowed = [written, `\\${written}`];
    for (const of of shown) assert.ok(allowed.includes(of), `${what}: ${JSON.stringify(of)} for ${written}`);
    if (whole) assert.equal(shown.size, allowed.length, `${what}: ${id}`);
  }
}

/** The same of JSON: its characters are safe, and it parses to the names as they are. */
function checkJson(what: string, text: string, whole = true): void {
  assert.deepEqual(
    Array.from(text).filter((character) => character !== "\n" && UNSAFE.has(character.codePointAt(0)!)),
    [],
    what,
  );
  const found = new Set<string>();
  const values = text.startsWith("{\n") || text.startsWith("[") ? [text] : text.trim().split("\n");
  const take = (value: unknown): void => {
    if (typeof value === "string") found.add(value);
    else if (typeof value === "object" && value !== null)
      for (const [key, of] of Object.entries(value)) for (const each of [key, of]) take(each);
  };
  for (const value of values) take(JSON.parse(value));
  if (whole) for (const name of NAMES) assert.ok(found.has(name), `${what}: ${visible(name)}`);
}

const findings: Finding[] = NAMES.map((name) => ({
  code: "x",
  severity: "notice",
  text: `${name} is slow.`,
}));
const ring = ringSnapshot(NAMES);
/** A table with a name in each of its titles too, as a snapshot from elsewhere may have. */
const titled: Table = {
  ...ring.tables.talkers,
  title: NAMES[6]!,
  columns: ring.tables.talkers.columns.map((column) => ({ ...column, title: `${NAMES[7]}${column.title}` })),
};
const snapshot: Snapshot = {
  ...ring,
  producer: NAMES[6]!,
  findings,
  series: { ...ring.series, classes: [{ name: NAMES[6]!, packets: [1], bytes: [1] }] },
  ledger: {
    ...ring.ledger,
    complete: false,
    files: NAMES.slice(6, 8).map((name) => ({
      name,
      packets: 1,
      damage: { offset: 1, reason: name, count: 1 },
    })),
    interfaces: NAMES.map((name) => ({ name, ended: `${name} is gone`, outages: 1 })) as never,
    tunnels: NAMES.map((kind) => ({ kind, reason: kind, packets: 1 })),
    inspection: {
      ...ring.ledger.inspection!,
      missed: NAMES.map((reason) => ({ application: "http", reason, count: 1 })),
    },
  },
  tables: {
    ...ring.tables,
    talkers: titled,
    http: {
      ...ring.tables.http!,
      rows: NAMES.map((operation, i) => ({
        ...{ source: operation, destination: "db", operation, requests: 9 + i, errors: 1 + i },
        ...{ answered: 9, unanswered: 0, p50: 1, p95: 2 },
      })),
    },
  },
};
const target = (service: string): HealthTargetReport => ({
  ...{ service, address: "10.0.0.1", port: 80, check: "tcp", state: "down", reason: `no ${service}` },
  ...{ latency_seconds: null, own_delay_seconds: null, p50_seconds: null, p95_seconds: null },
  ...{ changed: null, availability: 0, history: ["down"] as const },
});
const health: HealthReport = {
  format: "netwatch-health",
  version: 1,
  time: `2026-11-22T10:${NAMES[7]}`,
  targets: NAMES.map(target),
};
const tracked: ConnectionsSnapshot = {
  ...{ format: "netwatch-connections", version: 1, producer: NAMES[6]!, time: NAMES[7]! },
  ...{ named: true, complete: false, findings },
  tables: { connections: titled, services: ring.tables.pairs } as unknown as ConnectionsSnapshot["tables"],
};
const bridges = [
  { name: NAMES[6]!, addresses: NAMES[7]!, members: NAMES.map((owner) => ({ owner, interface: owner })) },
];
const drawn = { seen: snapshot, bridges };
const WIDE = { width: 100_000, color: false };
const all = (pieces: Iterable<string>) => [...pieces].join("");

test("text: summary, tables, connections, health, interfaces, doctor, tree", () => {
  check("summary", all(renderSummary(snapshot, WIDE)), true);
  for (const table of [snapshot.tables.pairs, snapshot.tables.http!, titled])
    check(`table ${table.name}`, all(renderTableOf(snapshot, table, WIDE)), true);
  check("connections", all(renderConnections(tracked, WIDE)), true);
  check("health", all(renderHealth(health, WIDE)), true);
  const interfaces: Table = {
    ...{ name: "interfaces", title: NAMES[6]!, columns: [], total: {}, omitted: 0 },
    rows: NAMES.map((name) => ({
      interface: name,
      master: null,
      kind: "veth",
      state: "up",
      owner: name,
      owner_interface: name,
    })),
  };
  check("interfaces", all(renderInterfaces(interfaces, WIDE)), true);
  const lines = NAMES.map((topic) => ({ topic, state: "ok", why: `it is ${topic}`, cure: null }) as const);
  check("doctor", all(renderDoctor(lines, WIDE)), true);
  check("tree", all(renderTree(drawn)), true);
});

test("text of any length is cut before its width is asked for", () => {
  const long = "a".repeat(100_000);
  const columns = titled.columns.map((column) => ({ ...column, title: long }));
  const rows = [...titled.rows].map((row) => ({ ...row, service: long }));
  const talkers = { ...titled, columns, rows, title: long };
  const finding = { code: "x", severity: "info", text: long } as const;
  const text = all(
    renderSummary(
      { ...snapshot, findings: [finding], tables: { ...snapshot.tables, talkers } },
      { ...WIDE, width: 80 },
    ),
  );
  assert.doesNotMatch(text, /a{2000}/);
  assert.match(text, /a{900}…a{900}/);
});

test("CSV and Markdown", () => {
  for (const table of [snapshot.tables.pairs, titled, missingTable(snapshot)])
    check(`csv ${table.name}`, all(renderCsv(table)), true);
  const plain = (markdown: string) => markdown.replace(/\\([\\`*_{}[\]<>|#!~&])/g, "$1");
  check("markdown", plain(renderMarkdown(titled)), true);
  check("markdown words", plain(escapeMarkdown(NAMES.join(" "))), true);
});

test("JSON: tables, snapshots, topology, health", () => {
  checkJson("table", all(renderTableJson(titled)));
  checkJson("lines", all(renderTableNdjson(titled)));
  for (const indent of [true, false]) {
    checkJson("snapshot", all(renderSnapshotJson(snapshot, indent)));
    checkJson("connections", all(renderSnapshotJson(tracked, indent)));
  }
  checkJson("topology", all(renderTopologyJson(drawn)));
  checkJson("health", safeJson(health, 2));
});

test("Mermaid, Graphviz and SVG", async () => {
  const mermaid = all(renderMermaid(drawn)).replace(/#(\d+);/g, (_, code) =>
    String.fromCodePoint(Number(code)),
  );
  check("mermaid", mermaid, true);
  check("dot", all(renderDot(drawn)).replace(/\\([\\"])/g, "$1"), true);
  let svg = "";
  for await (const piece of renderSvg(drawn)) svg += piece;
  check("svg", svg, false);
  assert.match(svg, /q\d\d\\/);
});

const poppler = spawnSync("pdftotext", ["-v"]).error
  ? "pdftotext (package poppler-utils) is not installed"
  : false;

test("PDF: text, title", { skip: poppler }, async (t) => {
  test("connections of a service that begins as `~other` does are its edge's, not those beyond the bound", async () => {
    const page = fullExposition(manyEdges(1).map((edge) => ({ ...edge, source: edgeLabel("~x") })));
    const { tables } = page.connections!;
    const rows = [...tables.services.rows].map((row) => ({ ...row, source: "~x" }));
    const connections = { tables: { ...tables, services: { ...tables.services, rows } } };
    const text = await renderExposition({ ...page, connections }, "text");
    assert.match(text, /netwatch_edge_connections_active\{source="\\\\~x",destination="service-0"\} 3\n/);
  });

  const folder = mkdtempSync(join(tmpdir(), "netwatch-outputs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "a.pdf");
  writeFileSync(path, await renderPdf(snapshot, { title: NAMES[7]!, date: new Date(0) }));
  const read = execFileSync("pdftotext", ["-raw", path, "-"], { encoding: "utf8" });
  const text = read.replace(/[\f\u200b]/g, "\n");
  check("pdf", text, false);
  for (const { written } of CLASSES.slice(0, 4)) {
    assert.ok(text.includes(`${written}z is slow`), written);
    assert.ok(text.includes(`\\${written}z is slow`), written);
  }
  check("pdf title", execFileSync("pdfinfo", [path], { encoding: "utf8" }), false);
});

test("the monitor: every screen, row, detail, filter and notice", () => {
  const tracker = new EventTracker();
  const before: HealthReport = {
    ...health,
    targets: health.targets.map((of) => ({ ...of, state: "up", reason: null })),
  };
  tracker.health(before);
  const noted = NAMES.reduce((model, name) => note(model, "note", name, null), emptyModel(NAMES[6]!, "live"));
  const seen = withSnapshot(noted, snapshot, growTree(snapshot.tables.pairs), 0, []);
  const model = withHealth(seen, health, tracker.health(health));
  const size = { columns: 1000, rows: 300 };
  const looks = { size, color: true, glyphs: UNICODE, notice: null };
  for (const screen of SCREENS)
    for (const parts of [{}, { quality: 1, applications: 1 }])
      for (const detail of [false, true])
        for (const selected of [6, 7]) {
          const { lines } = layOut(model, { ...START, screen, parts, detail, selected }, looks);
          const whole = !detail && ["services", "pairs", "talkers", "events"].includes(screen);
          check(`monitor: ${screen}`, lines.map(textOf).join("\n"), whole);
        }
  for (const name of NAMES)
    check(
      "notice",
      layOut(model, START, { ...looks, notice: name })
        .lines.map(textOf)
        .join("\n"),
      false,
    );
});

test("metrics: every label; connections of such a name are its edge's", async () => {
  const edges = manyEdges(NAMES.length).map((edge, i) => ({ ...edge, source: edgeLabel(NAMES[i]!) }));
  const page = fullExposition(edges);
  const interfaces = NAMES.map((name) => ({ name, packets: 1, dropped: 1, residual: 0, up: true }));
  const { tables } = page.connections!;
  const rows = [...tables.services.rows].map((row) => ({ ...row, source: NAMES[6]! }));
  const established = { tables: { ...tables, services: { ...tables.services, rows } } };
  for (const format of ["text", "openmetrics"] as const) {
    const text = await renderExposition(
      {
        ...page,
        capture: { ...page.capture!, interfaces },
        connections: established,
        health: exposeHealth(health),
      },
      format,
    );
    check(format, text.replaceAll("\\\\", "\\"), true);
    assert.match(
      text,
      /netwatch_edge_connections_active\{source="q03\\\\x1bz",destination="service-0"\} 3\n/,
    );
  }
});

const folder = mkdtempSync(join(tmpdir(), "netwatch-outputs-"));
after(() => rmSync(folder, { recursive: true }));

test("the event log and the sidecar", () => {
  const path = join(folder, "events");
  const said: string[] = [];
  const writer = new EventWriter(path, NAMES[6]!, (line) => said.push(line));
  writer.open(0);
  const tracker = new EventTracker();
  const look = (rows: readonly Row[]) => {
    const pairs = { ...ring.tables.pairs, rows };
    for (const event of tracker.look({ ...snapshot, tables: { ...snapshot.tables, pairs } }))
      writer.onEvent(event, 0);
  };
  look([]);
  for (let at = 0; at < NAMES.length; at += 10) look([...ring.tables.pairs.rows].slice(at, at + 10));
  assert.equal(writer.close(0), null);
  const lines = readFileSync(path, "utf8").trim().split("\n");
  assert.ok(lines.every((line) => /^[\x20-\x7e]+$/.test(line)));
  const values = lines.flatMap((line) => Object.values(JSON.parse(line) as object).map(String));
  check("events", values.join("\n"), true);

  const beside = join(folder, "sidecar");
  const sidecar = new SidecarWriter(beside, "netwatch 0", 0);
  sidecar.addNames(
    parseNames(JSON.stringify(Object.fromEntries(NAMES.map((name, i) => [name, `10.0.1.${i}`])))),
    0,
  );
  sidecar.close();
  checkJson("sidecar", readFileSync(beside, "utf8"));
});

async function run(command: (terminal: FakeTerminal) => Promise<unknown>): Promise<string> {
  const terminal = createFakeTerminal([], 100_000);
  try {
    await command(terminal);
    return [terminal.out(), ...terminal.said.map((text) => visible(text))].join("\n");
  } finally {
    terminal.dispose();
  }
}

/** Read as what the output says, not as how its language writes it. */
const PLAIN: Readonly<Record<string, (text: string) => string>> = {
  markdown: (text) => text.replace(/\\([\\`*_{}[\]<>|#!~&])/g, "$1"),
  mermaid: (text) => text.replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code))),
  dot: (text) => text.replace(/\\([\\"])/g, "$1"),
};

test("commands over a capture with such names, in a file with such a name", async () => {
  const shop = join(folder, `${NAMES[2]}${NAMES[6]}${NAMES[7]}.pcapng`);
  writeFileSync(shop, readFileSync(join(ROOT, "fixtures/shop.pcapng")));
  const lab = JSON.parse(readFileSync(join(ROOT, "services/lab.json"), "utf8")) as {
    services: Record<string, { addresses: string[] }>;
  };
  const names = join(folder, "names.json");
  const addresses = Object.values(lab.services).flatMap((service) => service.addresses);
  const named = addresses.map((address, i) => [NAMES[(i * 2 + 6) % NAMES.length]!, address] as const);
  writeFileSync(names, JSON.stringify(Object.fromEntries(named)));
  const signal = new AbortController().signal;
  const kept = join(folder, "snapshot.json");
  for (const output of OUTPUT_FORMATS) {
    const table = output === "csv" ? { table: "pairs" } : {};
    const text = await run((terminal) =>
      analyze([shop], { output, names, ...table }, "netwatch 0", terminal),
    );
    if (output === "json") writeFileSync(kept, text);
    if (output === "json" || output === "ndjson") checkJson(output, text.trimEnd(), false);
    else check(output, (PLAIN[output] ?? String)(text), false);
    assert.match(text, /q\d\d/, output);
  }
  for (const output of TOPOLOGY_FORMATS) {
    const text = await run((terminal) => topology({ from: kept, output }, "netwatch 0", terminal));
    if (output === "json") checkJson(output, text.trimEnd(), false);
    else check(output, (PLAIN[output] ?? String)(text), false);
    assert.match(text, /q\d\d/, output);
  }
  const out = join(folder, "out");
  await run((terminal) => analyze([shop], { output: "table", names, outDir: out }, "netwatch 0", terminal));
  for (const name of readdirSync(out).filter((of) => of.endsWith(".csv")))
    check(name, readFileSync(join(out, name), "utf8"), false);
  const page = await run((terminal) => metrics([shop], { names }, "netwatch 0", terminal));
  check("metrics", page.replaceAll("\\\\", "\\"), false);
  const pdf = join(folder, `${NAMES[7]}.pdf`);
  check(
    "report",
    await run((terminal) => report(pdf, { from: kept, date: new Date(0) }, "netwatch 0", terminal)),
    false,
  );
  const file = join(ROOT, "fixtures/conntrack-ipv4.txt");
  const rest = { read: file, names, interval: 1, signal, giveUpRoot: () => {} };
  check(
    "connections",
    await run((terminal) => connections({ ...rest, output: "table" }, "netwatch 0", terminal)),
    false,
  );
});

test("what is said of wrong words, paths and files", () => {
  const evil = `${NAMES[2]}${NAMES[6]}${NAMES[7]}${NAMES[28]}`;
  const names = join(folder, "wrong.json");
  writeFileSync(names, JSON.stringify({ [evil]: evil }));
  const shop = join(ROOT, "fixtures/shop.pcapng");
  for (const words of [
    ["analyze", evil],
    ["analyze", shop, "--names", names],
    ["analyze", shop, "--names", evil],
    ["analyze", shop, "-f", evil],
    ["analyze", shop, `--${evil}`],
    ["analyze", shop, "-o", evil],
    [evil],
    ["analyze", shop, "--max-flows", evil],
    ["report", join(folder, evil, "x.pdf"), "--from", evil],
    ["connections", "-r", evil],
    ["lab", evil],
  ]) {
    const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "dist/src/cli.js"), ...words], {
      encoding: "utf8",
    });
    assert.notEqual(stderr, "", words.map((text) => visible(text)).join(" "));
    check(words.map((text) => visible(text)).join(" "), stdout + stderr, false);
    // No line of it is what a name makes of it.
    for (const line of stderr.trim().split("\n")) assert.match(line, /^(netwatch: |error: |\(Did you mean )/);
  }
});
