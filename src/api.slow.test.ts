import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import {
  analyzeBytes,
  analyzeFiles,
  CaptureError,
  parseSnapshot,
  toJson,
  toText,
  UnreadableError,
} from "./api.js";
import { pcapFile } from "./capture/file/sample.test.fixture.js";
import { analyze } from "./commands/analyze/analyze.js";
import { createFakeTerminal, ROOT } from "./commands/terminal.test.fixture.js";

const SHOP = join(ROOT, "fixtures/shop.pcapng");
const PAGE = join(ROOT, "docs/api.md");

/** Where the package is installed, beside a capture: what the page's examples are told to run in. */
const folder = mkdtempSync(join(tmpdir(), "netwatch-api-"));
after(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, "node_modules"));
symlinkSync(ROOT, join(folder, "node_modules/netwatch"));
symlinkSync(join(ROOT, "node_modules/@types"), join(folder, "node_modules/@types"));
copyFileSync(SHOP, join(folder, "shop.pcapng"));
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');

/** Runs a program in the folder; gives what it prints. */
function run(name: string, code: string): string {
  writeFileSync(join(folder, name), code);
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], { cwd: folder, encoding: "utf8" });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout;
}

const text = (pieces: Iterable<string>) => [...pieces].join("");

const EXAMPLE = /^```js\n([\s\S]*?)^```\n\nprints\n\n```text\n([\s\S]*?)^```$/gm;

test("the examples of docs/api.md print what the page says, and their types hold", () => {
  const page = readFileSync(PAGE, "utf8");
  const examples = [...page.matchAll(EXAMPLE)].map(([, code, printed], i) => ({
    name: `example${i}.ts`,
    code: code!,
    printed: printed!,
    out: run(`example${i}.js`, code!),
  }));
  assert.equal(examples.length, page.match(/^```js$/gm)!.length);
  if (process.env.UPDATE_GOLDEN) {
    let i = 0;
    const updated = page.replace(EXAMPLE, (whole, _code, printed: string) => {
      const head = whole.slice(0, whole.length - printed.length - "```".length);
      return `${head}${examples[i++]!.out.trimEnd()}\n\`\`\``;
    });
    writeFileSync(PAGE, updated);
  } else for (const { out, printed } of examples) assert.equal(out.trimEnd(), printed.trimEnd());
  for (const { name, code } of examples) writeFileSync(join(folder, name), code);
  const wrong = 'import { analyzeFiles } from "netwatch";\nawait analyzeFiles("shop.pcapng");\n';
  writeFileSync(join(folder, "wrong.ts"), wrong);
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const flags = [
    "--noEmit",
    "--strict",
    "--exactOptionalPropertyTypes",
    "--module",
    "nodenext",
    "--target",
    "es2022",
  ];
  const files = [...examples.map(({ name }) => name), "wrong.ts"];
  const { stdout } = spawnSync(process.execPath, [tsc, ...flags, "--types", "node", ...files], {
    cwd: folder,
    encoding: "utf8",
  });
  // The one that does not hold is the one that is wrong.
  assert.match(stdout, /^wrong\.ts\(2,20\): error TS2345: .+\n(?: .*\n)*$/);
});

test("importing the package prints nothing, keeps nothing open and loads no heavy part", () => {
  const report = run(
    "import.js",
    `const before = process.getActiveResourcesInfo().length;
await import("netwatch");
console.log(process.getActiveResourcesInfo().length - before);
`,
  );
  assert.equal(report, "0\n");
  const loading = loadedBy("src/api.ts");
  assert.ok(loading.has("src/report/data/csv.ts"));
  for (const heavy of ["zod", "koffi", "pdfkit", "chart.js", "@dagrejs/dagre", "blessed", "prom-client"])
    assert.ok(!loading.has(heavy), heavy);
});

/** The files and packages that importing a file of the project loads at once. */
function loadedBy(file: string, loaded = new Set<string>()): Set<string> {
  loaded.add(file);
  if (!/^src\//.test(file)) return loaded;
  const code = readFileSync(join(ROOT, "dist", file.replace(/\.ts$/, ".js")), "utf8");
  for (const [, target] of code.matchAll(/^(?:import|export) [^"']*?["']([^"']+)["'];$/gm)) {
    const next = target!.startsWith(".")
      ? join(dirname(file), target!).replace(/\.js$/, ".ts")
      : target!.replace(/^(@[^/]+\/[^/]+|[^/]+).*/, "$1");
    if (!loaded.has(next)) loadedBy(next, loaded);
  }
  return loaded;
}

test("a program and the command give the same Snapshot", async () => {
  const terminal = createFakeTerminal();
  const { snapshot, problems } = await analyzeFiles([SHOP]);
  await analyze([SHOP], { output: "json" }, snapshot.producer, terminal);
  assert.equal(text(toJson(snapshot)), terminal.out());
  assert.deepEqual(problems, []);
  const version = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
  assert.equal(snapshot.producer, `netwatch ${version}`);
  terminal.dispose();
});

test("bytes in memory and in a stream are one capture, and are left as they are", async () => {
  const bytes = readFileSync(SHOP);
  const before = Buffer.from(bytes);
  const whole = await analyzeBytes(bytes, { name: "shop.pcapng" });
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += 100_003) yield bytes.subarray(at, at + 100_003);
  }
  const streamed = await analyzeBytes(pieces(), { name: "shop.pcapng" });
  const { snapshot } = await analyzeFiles([SHOP]);
  assert.equal(text(toJson(whole.snapshot)), text(toJson(snapshot)));
  assert.equal(text(toJson(streamed.snapshot)), text(toJson(snapshot)));
  assert.ok(bytes.equals(before));
  assert.equal(text(toText(await parseSnapshot(text(toJson(snapshot))))), text(toText(snapshot)));
});

test("a file that cannot be read is a problem beside those that can, and an error alone", async () => {
  const { snapshot, problems } = await analyzeFiles(["/nowhere", SHOP]);
  assert.ok(snapshot.totals.packets > 0);
  assert.deepEqual(
    problems.map(({ name, kind, code, offset }) => ({ name, kind, code, offset })),
    [{ name: "/nowhere", kind: "unreadable", code: "ENOENT", offset: null }],
  );
  const unreadable = (count: number) => (error: unknown) =>
    error instanceof UnreadableError && error.problems.length === count;
  await assert.rejects(analyzeFiles(["/nowhere", ROOT]), unreadable(2));
  await assert.rejects(analyzeFiles([]), unreadable(0));
  await assert.rejects(analyzeBytes(new TextEncoder().encode("no capture")), unreadable(1));
});

test("a stream that fails or gives no bytes costs what is behind", async () => {
  const bytes = pcapFile([]);
  async function* failing() {
    yield bytes;
    throw new Error("the other end is gone");
  }
  const { problems } = await analyzeBytes(failing());
  assert.deepEqual(
    problems.map(({ kind, reason }) => [kind, reason]),
    [["damaged", "the other end is gone"]],
  );
  async function* texts() {
    yield "text" as unknown as Uint8Array;
  }
  await assert.rejects(analyzeBytes(texts()), { message: "bytes: the stream gives no bytes" });
});

test("a filter counts what matches; a wrong one is an error, and closes the stream", async () => {
  const all = await analyzeFiles([SHOP]);
  const some = await analyzeFiles([SHOP], { filter: "udp" });
  assert.ok(some.snapshot.totals.packets > 0);
  assert.ok(some.snapshot.totals.packets < all.snapshot.totals.packets);
  let closed = false;
  async function* stream() {
    try {
      yield readFileSync(SHOP);
    } finally {
      closed = true;
    }
  }
  await assert.rejects(analyzeBytes(stream(), { filter: "nonsense (" }), CaptureError);
  assert.ok(closed);
});

test("room for conversations that is no whole number from 1 on is refused, before anything is read", async () => {
  for (const maxFlows of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(analyzeFiles(["nothing here"], { maxFlows }), RangeError);
  const { snapshot } = await analyzeFiles([SHOP], { maxFlows: 1 });
  assert.ok(snapshot.ledger.evicted!.conversations > 0);
});
