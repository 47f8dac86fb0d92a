/** Surroundings that no program may count on: few open files, no /proc, closed standard streams, files that are not what they say. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { reasonToSkip } from "./capture/kernel/netns.test.fixture.js";
import { analyze } from "./commands/analyze/analyze.js";
import { connections } from "./commands/connections.js";
import { health } from "./commands/health.js";
import { serve } from "./commands/serve/serve.js";
import { createFakeTerminal, type FakeTerminal, ROOT } from "./commands/terminal.test.fixture.js";
import { type TopologyOptions, topology } from "./commands/topology.js";
import { CommandError, type ExitCode } from "./exit.js";

const SHOP = join(ROOT, "fixtures/shop.pcapng");
const folder = mkdtempSync(join(tmpdir(), "netwatch-edges-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `$0 $@`, which is netwatch with these words, in a line of shell. */
function shell(line: string, words: readonly string[], program: readonly string[] = []) {
  const cli = [process.execPath, join(ROOT, "dist/src/cli.js")];
  return spawnSync("bash", ["-c", line, ...(program.length > 0 ? program : cli), ...words], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, XDG_STATE_HOME: folder, COLUMNS: "80", NO_COLOR: "1" },
    maxBuffer: 1 << 28,
  });
}

const plain = (words: readonly string[]) => shell('exec "$0" "$@" </dev/null', words);

const COMMANDS = [
  ["analyze", SHOP, "-o", "json"],
  ["report", "out.pdf", "-r", SHOP, "--date", "2026-01-01T00:00:00Z"],
  ["interfaces"],
  ["connections"],
  ["lab", "status"],
];

test("few open files are said, with 1, and nothing is printed", () => {
  for (const words of COMMANDS) {
    const { status, stdout, stderr } = shell('ulimit -n 32; exec "$0" "$@"', words);
    assert.deepEqual(
      [status, stdout, stderr],
      [1, "", "netwatch: only 32 open files are allowed, too few: raise the limit with `ulimit -n 1024`\n"],
      words.join(" "),
    );
  }
});

test("a limit of the address space is said, with 1", () => {
  const { status, stdout, stderr } = shell('ulimit -v 4000000; exec "$0" "$@"', ["analyze", SHOP]);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(
    stderr,
    /^netwatch: no room for the flow table, .*: raise the limit with `ulimit -v unlimited`\n$/,
  );
});

test("closed stdin and stderr change no byte of stdout and no exit code", () => {
  for (const words of COMMANDS.slice(0, 2)) {
    const { status, stdout } = plain(words);
    const pdf = status === 0 && words[0] === "report" ? readFileSync(join(folder, "out.pdf")) : null;
    for (const closed of ["<&-", "2>&-"]) {
      const run = shell(`exec "$0" "$@" ${closed}`, words);
      assert.deepEqual([run.status, run.stdout], [status, stdout], `${words.join(" ")} ${closed}`);
      if (pdf !== null) assert.deepEqual(readFileSync(join(folder, "out.pdf")), pdf);
    }
  }
});

test("a closed stdin is a capture without a byte", () => {
  const { status, stdout, stderr } = shell('exec "$0" "$@" <&-', ["analyze", "-"]);
  assert.deepEqual([status, stdout], [6, ""]);
  assert.match(stderr, /^netwatch: stdin: .+\n$/);
});

test("a closed stdout puts nothing into the files that are opened, and the checkout's own command says it, with 8", () => {
  const words = ["report", "closed.pdf", "-r", SHOP];
  const { status, stderr } = shell('exec "$0" "$@" >&-', words);
  assert.deepEqual([status, stderr], [0, "netwatch: wrote closed.pdf\n"]);
  assert.match(readFileSync(join(folder, "closed.pdf"), "latin1"), /^%PDF-[\s\S]*%%EOF\n?$/);
  const own = shell('exec "$0" "$@" >&-', ["analyze", SHOP], [join(ROOT, "netwatch")]);
  assert.deepEqual([own.status, own.stderr], [8, "netwatch: stdout: is closed\n"]);
});

test("without /proc a command works, or says that it needs it", {
  skip: reasonToSkip("unshare", "mount"),
}, () => {
  for (const words of [...COMMANDS, ["capture", "-i", "lo", "-a", "duration:1", "-w", "x.pcapng"]]) {
    const line = 'exec unshare -m sh -c \'mount -t tmpfs none /proc && exec "$0" "$@"\' "$0" "$@"';
    const { status, stdout, stderr } = shell(line, words);
    const what = `${words.join(" ")}: ${status} ${stderr}`;
    assert.doesNotMatch(stderr, /unexpected error|^ +at /m, what);
    if (status === 1 && words[0] !== "lab") {
      assert.match(stderr, /netwatch: needs \/proc, which is not there: \/proc\//, what);
      assert.equal(stdout, "", what);
    }
  }
  assert.equal(plain(["analyze", SHOP]).status, 0);
});

/** What a command says and prints that ends without a process of its own. */
async function within(run: (terminal: FakeTerminal) => Promise<ExitCode>) {
  const terminal = createFakeTerminal();
  try {
    return { status: await run(terminal), stdout: terminal.out(), stderr: terminal.said.join("\n") };
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    return { status: error.exitCode, stdout: terminal.out(), stderr: error.message };
  } finally {
    terminal.dispose();
  }
}

test("a snapshot that is none gives a sentence and 6, whatever is wrong with it", async () => {
  const snapshot = plain(["analyze", SHOP, "-o", "json"]).stdout;
  const shown = (options: Partial<TopologyOptions>) =>
    within((terminal) => topology({ output: "tree", ...options }, "netwatch 0", terminal));
  const parsed = JSON.parse(snapshot);
  const withPackets = (value: string) =>
    JSON.stringify({ ...parsed, totals: { ...parsed.totals, packets: "HERE" } }).replace('"HERE"', value);
  const hostile: Readonly<Record<string, string>> = {
    empty: "",
    null: "null",
    array: "[]",
    number: "1e999",
    deep: "[".repeat(200_000) + "]".repeat(200_000),
    "deep-objects": `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
    negative: withPackets("-5"),
    infinite: withPackets("1e999"),
    text: withPackets('"NaN"'),
    "without-end": snapshot.slice(0, -100),
    "zero-byte": `${snapshot.slice(0, 100)}\0${snapshot.slice(100)}`,
    "key-twice": snapshot.replace(/\}\s*$/, ', "totals": 5}'),
    "wrong-series": snapshot.replace(/\}\s*$/, `, "series": [${"0,".repeat(100_000)}0]}`),
  };
  const files = Object.entries(hostile).map(([name, text]) => {
    writeFileSync(join(folder, `${name}.json`), text);
    return join(folder, `${name}.json`);
  });
  for (const from of [...files, folder, "/dev/null", "/dev/zero"]) {
    const { status, stdout, stderr } = await shown({ from });
    assert.deepEqual([status, stdout], [6, ""], from);
    assert.match(stderr, /^[^\n]{1,290}$/, from);
    assert.ok(stderr.includes(`${from}: `), stderr);
  }
  const deep = plain(["topology", "--from", "deep.json"]);
  assert.deepEqual([deep.status, deep.stdout], [6, ""]);
  assert.match(deep.stderr, /^netwatch: deep\.json: [^\n]{1,280}\n$/);
  const keys = join(folder, "keys.json");
  writeFileSync(keys, snapshot.replace(/\}\s*$/, ', "__proto__": {"totals": 1}}'));
  assert.equal((await shown({ from: keys })).stdout, (await shown({ read: [SHOP] })).stdout);
});

test("a device without an end is given up at a limit, a folder at once, wherever a file is read", async () => {
  const common = { interval: 1, signal: new AbortController().signal };
  const producer = "netwatch 0";
  type Reader = (file: string, terminal: FakeTerminal) => Promise<ExitCode>;
  const readers: Readonly<Record<string, Reader>> = {
    analyze: (file, terminal) => analyze([file], { output: "table" }, producer, terminal),
    "analyze --names": (names, terminal) => analyze([SHOP], { output: "table", names }, producer, terminal),
    "connections -r": (read, terminal) =>
      connections({ ...common, output: "table", read, giveUpRoot: assert.fail }, producer, terminal),
    "health --names": (names, terminal) => health({ ...common, output: "table", names }, terminal),
    "serve --web.config.file": (webConfig, terminal) =>
      serve({ ...common, read: [SHOP], webConfig }, producer, terminal),
  };
  for (const [what, read] of Object.entries(readers))
    for (const file of ["/dev/zero", folder]) {
      const { status, stdout, stderr } = await within((terminal) => read(file, terminal));
      assert.deepEqual([status, stdout], [6, ""], `${what} ${file}`);
      assert.match(stderr, /^[^\n]{1,290}$/);
    }
});
