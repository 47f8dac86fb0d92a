import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Edge {
  /** Paths from the project's folder, with `/`. */
  readonly from: string;
  readonly to: string;
  /** Leaves no trace in what runs: types and const enums alone. */
  readonly erased: boolean;
  /** `import()`: loaded when it is asked for. */
  readonly lazy: boolean;
}

/** The sources of a folder; tests, what they share and what fuzzes aside: those may know everyone. */
function sourcesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.split(sep).join("/")}`)
    .filter((name) => name.endsWith(".ts") && !/\.(test|fuzz|test\.fixture)\.ts$/.test(name));
}

/** `import ... from "./x.js"`, `export ... from`, `import "./x.js"` and `import("./x.js")`. */
const IMPORT =
  /(?:^(?:import|export)\s+(type\s)?([^;"']*?)\s*from\s*|^import\s+|\bimport\(\s*)["'](\.[^"']+)["']/gm;

function edgesOf(from: string): Edge[] {
  const code = readFileSync(join(ROOT, from), "utf8");
  return [...code.matchAll(IMPORT)].map(([statement, type, names, target]) => {
    const absolute = join(dirname(join(ROOT, from)), target!.replace(/\.js$/, ".ts"));
    const to = relative(ROOT, absolute).split(sep).join("/");
    const erased = type !== undefined || isErased(names, absolute);
    return { from, to, erased, lazy: statement.startsWith("import(") };
  });
}

/** Whether all the names in `{ ... }` are types or const enums of the file they come from. */
function isErased(names: string | undefined, file: string): boolean {
  const listed = /^\{([^}]*)\}$/.exec(names ?? "");
  if (!listed) return false;
  return listed[1]!
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .every((name) => name.startsWith("type ") || isConstEnum(name.split(/\s+as\s+/)[0]!, file));
}

function isConstEnum(name: string, file: string): boolean {
  return existsSync(file) && readFileSync(file, "utf8").includes(`export const enum ${name} {`);
}

const SOURCES = [...sourcesOf("src"), ...sourcesOf("services")];
const EDGES = SOURCES.flatMap(edgesOf);

/** `src/report/pdf/x.ts` is of the part `report`, `src/net.ts` of `net`, all of services/ of `services`. */
function partOf(path: string): string {
  const [top, next] = path.split("/");
  return top === "services" ? "services" : next!.replace(/\.ts$/, "");
}

/** Which part may import what from which: everything (value), or only what the compiler erases (type). */
const ALLOWED: Readonly<Record<string, readonly (readonly [to: RegExp, what: "value" | "type"])[]>> = {
  net: [],
  "path-bytes": [],
  exit: [],
  "output-path": [[/^src\/path-bytes\.ts$/, "value"]],
  write: [[/^src\/(output-path|path-bytes)\.ts$/, "value"]],
  format: [[/^src\/analyze\/snapshot\/snapshot\.ts$/, "type"]],
  capture: [[/^src\/(net|output-path|path-bytes)\.ts$/, "value"]],
  analyze: [
    [/^src\/(net|format)\.ts$/, "value"],
    [/^src\/capture\/nflog\.ts$/, "value"],
    [/^src\/capture\//, "type"],
  ],
  view: [
    [/^src\/analyze\/snapshot\/snapshot\.ts$/, "type"],
    [/^src\/(net|format)\.ts$/, "value"],
  ],
  report: [
    [/^src\/view\//, "value"],
    [/^src\/analyze\/(snapshot\/snapshot|benchmark\/benchmark)\.ts$/, "type"],
    [/^src\/(analyze\/snapshot\/limit|format)\.ts$/, "value"],
  ],
  tui: [
    [/^src\/view\//, "value"],
    [/^src\/analyze\/(snapshot\/snapshot|event-tracker)\.ts$/, "type"],
    [/^src\/(analyze\/snapshot\/limit|format)\.ts$/, "value"],
  ],
  captures: [
    [/^src\/(analyze|capture)\//, "value"],
    [/^src\/format\.ts$/, "value"],
  ],
  api: [[/^src\/((analyze|capture|report)\/.*|captures|engine\/live-capture)\.ts$/, "value"]],
  engine: [
    [/^src\/(analyze|capture)\//, "value"],
    [/^src\/(exit|format|net|output-path|path-bytes|write)\.ts$/, "value"],
  ],
  commands: [[/^src\//, "value"]],
  cli: [[/^src\//, "value"]],
  services: [],
};

function isAllowed({ from, to, erased }: Edge): boolean {
  const part = partOf(from);
  if (part === partOf(to)) return true;
  return (ALLOWED[part] ?? []).some(([target, what]) => target.test(to) && (what === "value" || erased));
}

test("imports are found in every form", () => {
  assert.ok(SOURCES.length > 40);
  const edge = (from: string, to: string) => EDGES.filter((e) => e.from === from && e.to === to);
  assert.equal(edge("src/capture/file/file.ts", "src/capture/file/pcap.ts")[0]?.erased, false);
  assert.equal(edge("src/capture/file/pcap.ts", "src/capture/file/input.ts")[0]?.erased, true);
  assert.equal(edge("src/analyze/flow/headers.ts", "src/net.ts")[0]?.erased, true);
  assert.equal(edge("src/analyze/analyzer.ts", "src/capture/packet.ts")[0]?.erased, true);
  assert.equal(edge("src/analyze/flow/flows.ts", "src/analyze/flow/flowstore.ts")[0]?.erased, false);
  assert.ok(edge("src/commands/analyze/analyze.ts", "src/report/data/csv.ts").length > 0, "import() counts");
});

test("every import goes to a file that is there", () => {
  const files = new Set(SOURCES);
  assert.deepEqual(
    EDGES.filter(({ to }) => to.endsWith(".ts") && !files.has(to)),
    [],
  );
});

test("every part imports only from the allowed parts", () => {
  const forbidden = EDGES.filter((edge) => !isAllowed(edge));
  assert.deepEqual(
    forbidden.map(({ from, to, erased }) => `${from} -> ${to}${erased ? " (type)" : ""}`),
    [],
  );
});

test("src and services share lab.json and nothing else, but for the one door that knows the lab by its path", () => {
  const crossings = SOURCES.flatMap((from) =>
    [...readFileSync(join(ROOT, from), "utf8").matchAll(/new URL\("(?:\.\.\/)+((src|services)\/[^"]*)"/g)]
      .filter(([, , top]) => !from.startsWith(`${top}/`))
      .map(([, to]) => `${from} -> ${to}`),
  );
  assert.deepEqual(crossings.sort(), [
    "src/commands/lab-bench/docker-target.ts -> services/lab.json",
    "src/commands/lab-bench/lab.ts -> services/lab.js",
  ]);
});

/** Names of packages as they are imported: `ajv` of `ajv/dist/2020.js`, `@redis/client` whole. */
function packagesOf(files: readonly string[]): string[] {
  const names = files.flatMap((file) =>
    [
      ...readFileSync(join(ROOT, file), "utf8").matchAll(
        /(?:^import |\bfrom |\bimport\()"((?:@[\w-]+\/)?[\w-][\w.-]*)(?:\/[^"]*)?"/gm,
      ),
    ].map(([, name]) => name!),
  );
  return [...new Set(names)].sort();
}

test("the lab's package.json names what the lab imports, and the tool needs nothing that it alone names", () => {
  const dependenciesOf = (manifest: string, kind = "dependencies"): string[] =>
    Object.keys(JSON.parse(readFileSync(join(ROOT, manifest), "utf8"))[kind]).sort();
  const lab = dependenciesOf("services/package.json");
  const ofLab = SOURCES.filter((file) => /^services\/(?!e2e\/)/.test(file));
  assert.deepEqual(packagesOf(ofLab), lab);
  // What is bundled is a dependency of development.
  const tool = [...dependenciesOf("package.json"), ...dependenciesOf("package.json", "devDependencies")];
  const alone = lab.filter((name) => !tool.includes(name));
  assert.deepEqual(alone, ["@redis/client", "fastify", "pg"]);
  const ofTool = packagesOf(SOURCES.filter((file) => file.startsWith("src/")));
  assert.ok(ofTool.includes("commander"));
  assert.deepEqual(
    ofTool.filter((name) => alone.includes(name)),
    [],
  );
});

test("edges that are not allowed are told from those that are", () => {
  const cases: readonly (readonly [string, string, boolean, boolean])[] = [
    ["src/net.ts", "src/format.ts", true, false],
    ["src/format.ts", "src/analyze/snapshot/snapshot.ts", true, true],
    ["src/format.ts", "src/analyze/snapshot/snapshot.ts", false, false],
    ["src/capture/file/file.ts", "src/net.ts", false, true],
    ["src/capture/file/file.ts", "src/analyze/flow/flows.ts", true, false],
    ["src/capture/file/file.ts", "src/format.ts", false, false],
    ["src/analyze/flow/flows.ts", "src/capture/packet.ts", true, true],
    ["src/analyze/flow/flows.ts", "src/capture/packet.ts", false, false],
    ["src/analyze/flow/flows.ts", "src/report/data/csv.ts", true, false],
    ["src/report/data/csv.ts", "src/analyze/snapshot/limit.ts", false, true],
    ["src/report/data/csv.ts", "src/analyze/flow/flows.ts", true, false],
    ["src/report/data/csv.ts", "src/capture/names/names.ts", true, false],
    ["src/report/data/csv.ts", "src/report/data/json.ts", false, true],
    ["src/engine/run.ts", "src/analyze/analyzer.ts", false, true],
    ["src/engine/run.ts", "src/commands/signals.ts", false, false],
    ["src/engine/recording/outputs.ts", "src/report/data/csv.ts", false, false],
    ["src/capture/live/live.ts", "src/engine/run.ts", true, false],
    ["src/report/data/csv.ts", "src/view/cells.ts", false, true],
    ["src/view/cells.ts", "src/report/data/csv.ts", false, false],
    ["src/analyze/snapshot/build.ts", "src/view/cells.ts", false, false],
    ["src/tui/screen.ts", "src/report/text/text.ts", false, false],
    ["src/commands/analyze/analyze.ts", "services/lab.ts", true, false],
    ["src/report/data/csv.ts", "services/lab.ts", true, false],
    ["services/lab.ts", "src/net.ts", true, false],
    ["src/captures.ts", "src/commands/exit.ts", false, false],
    ["src/api.ts", "src/captures.ts", false, true],
    ["src/api.ts", "src/commands/analyze/captures.ts", true, false],
    ["src/elsewhere/x.ts", "src/net.ts", false, false],
  ];
  for (const [from, to, erased, allowed] of cases)
    assert.equal(isAllowed({ from, to, erased, lazy: false }), allowed, `${from} -> ${to}`);
});

function assertNoCircle(edges: readonly Edge[]): void {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) walk(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) walk(file, []);
}

test("no file imports itself by way of others, types aside", () => {
  assertNoCircle(EDGES.filter(({ erased }) => !erased));
});

/** An application's outcomes are described by a type of the application's, which lists them. */
const TYPE_CIRCLE = "src/analyze/app/outcomes.ts";

test("in analyze/ no file imports itself by way of others, types included", () => {
  const isIn = (path: string) => path.startsWith("src/analyze/") && path !== TYPE_CIRCLE;
  assertNoCircle(EDGES.filter(({ from, to }) => isIn(from) && isIn(to)));
  const circle = ["ab", "bc", "ca"].map(([from, to]) => ({
    from: from!,
    to: to!,
    erased: true,
    lazy: false,
  }));
  assert.throws(() => assertNoCircle(circle), /cycle: a -> b -> c -> a/);
});

test("sums know neither tables nor findings, and these do not know each other", () => {
  const isOf = (path: string, ...parts: readonly string[]) =>
    parts.some((part) => path === `src/analyze/${part}.ts` || path.startsWith(`src/analyze/${part}/`));
  const wrong = EDGES.filter(
    ({ from, to }) =>
      (isOf(from, "sums") && isOf(to, "tables", "findings")) ||
      (isOf(from, "tables") && isOf(to, "findings")) ||
      (isOf(from, "findings") && isOf(to, "tables")),
  );
  assert.deepEqual(wrong, []);
  assert.ok(EDGES.some(({ from, to }) => isOf(from, "findings") && isOf(to, "sums")));
});

test("no file has a default export", () => {
  const withDefault = SOURCES.filter((file) =>
    /^export default\b/m.test(readFileSync(join(ROOT, file), "utf8")),
  );
  assert.deepEqual(withDefault, []);
});

test("one file alone knows blessed", () => {
  const knows = SOURCES.filter((file) =>
    /from "blessed|import\("blessed/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  assert.deepEqual(knows, ["src/tui/screen.ts"]);
});

/** Each loads at the start of the command, or in a `load` that `runLive` calls as root, or belongs to no live command. */
const LATE = [
  "services/host/start-instance.ts",
  "services/lab.ts",
  "services/main.ts",
  "src/api.ts",
  "src/captures.ts",
  "src/cli.ts",
  "src/commands/analyze/analyze.ts",
  "src/commands/analyze/captures.ts",
  "src/commands/analyze/last-snapshot.ts",
  "src/commands/capture/capture.ts",
  "src/commands/doctor/doctor-facts.ts",
  "src/commands/doctor/interfaces.ts",
  "src/commands/help/help-options.ts",
  "src/commands/lab-bench/lab-bench-options.ts",
  "src/commands/lab-bench/lab-bench.ts",
  "src/commands/lab-bench/lab.ts",
  "src/commands/monitor-options.ts",
  "src/commands/options.ts",
  "src/commands/report.ts",
  "src/commands/serve/metrics-options.ts",
  "src/commands/topology.ts",
  "src/commands/tui/tui-exports.ts",
  "src/commands/tui/tui.ts",
  "src/engine/taps.ts",
  "src/report/charts/chart-maker.ts",
  "src/report/charts/chart-png.ts",
  "src/report/pdf/page/document.ts",
  "src/view/map/map-layout.ts",
];

test("no file loads another late, but these, and those before root is given up", () => {
  const late = SOURCES.filter((file) =>
    /\bawait import\(|= import\(/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  assert.deepEqual(late.sort(), LATE);
});

/** What is loaded with a file: its imports, theirs, and so on. */
function loadedWith(...files: string[]): Set<string> {
  const loaded = new Set(files);
  for (const file of loaded) {
    for (const { from, to, erased, lazy } of EDGES) if (from === file && !erased && !lazy) loaded.add(to);
  }
  return loaded;
}

test("an analysis does not load zod, which costs as much as the rest of its start", () => {
  const loadsZod = (file: string) =>
    /^import (?!type ).*from "zod"/m.test(readFileSync(join(ROOT, file), "utf8"));
  assert.ok(loadsZod("src/analyze/snapshot/snapshot.ts"), "zod is found where it is");
  const loaded = loadedWith("src/cli.ts", "src/commands/analyze/analyze.ts");
  assert.ok(loaded.has("src/analyze/snapshot/build.ts"), "what is loaded is followed");
  assert.deepEqual([...loaded].filter(loadsZod), []);
});

test("an analysis loads what only some of its forms and options need when they are asked for", () => {
  const loaded = loadedWith("src/cli.ts", "src/commands/analyze/analyze.ts");
  const late = ["src/report/data/csv.ts", "src/report/text/text.ts", "src/capture/file/file-filter.ts"];
  assert.deepEqual(
    late.filter((file) => loaded.has(file) || !SOURCES.includes(file)),
    [],
  );
});
