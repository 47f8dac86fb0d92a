import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { expectGolden, ROOT } from "./commands/terminal.test.fixture.js";

const CLI = join(ROOT, "dist/src/cli.js");
const SHOP = join(ROOT, "fixtures/shop.pcapng");
const folder = mkdtempSync(join(tmpdir(), "netwatch-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function run(words: readonly string[], input?: Uint8Array, env: object = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [CLI, ...words], {
    encoding: "utf8",
    cwd: folder,
    env: { ...process.env, XDG_STATE_HOME: folder, COLUMNS: "80", NO_COLOR: "1", ...env },
    ...(input ? { input } : {}),
    maxBuffer: 1 << 28,
  });
}

/** Runs a shell line that begins with the command: what a user types with pipes and redirections. */
function shell(line: string): SpawnSyncReturns<string> {
  // The word alone: a checkout's folder may have the same name.
  const script = line.replace(/^netwatch /, `"${process.execPath}" "${CLI}" `);
  return spawnSync("bash", ["-c", `set -o pipefail; ${script}`], {
    encoding: "utf8",
    cwd: folder,
    env: { ...process.env, XDG_STATE_HOME: folder },
  });
}

test("--version prints the package's version and nothing else", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.equal(run(["--version"]).stdout, `${version}\n`);
});

for (const command of [[], ["analyze"], ["report"], ["health"], ["topology"], ["tui"], ["lab", "bench"]]) {
  test(`the help of ${["netwatch", ...command].join(" ")} reads as pinned and fits 80 columns or one command line`, () => {
    const { stdout, status } = run([...command, "--help"]);
    assert.equal(status, 0);
    expectGolden(`help${command.map((word) => `.${word}`).join("")}.txt`, stdout);
  });
}

test("wrong words end with 2 and one line on stderr, nothing on stdout", () => {
  for (const words of [
    ["anlyze"],
    ["analyze"],
    ["analyze", SHOP, "-o", "xml"],
    ["analyze", SHOP, "--table", "all"],
    ["analyze", SHOP, "--max-flows", "0"],
    ["analyze", SHOP, "--nonsense"],
    ["report", "x.pdf", "--date", "yesterday"],
    ["report", "x.pdf", "-r", SHOP, "--from", SHOP],
  ]) {
    const { status, stdout, stderr } = run(words);
    assert.equal(status, 2, words.join(" "));
    assert.equal(stdout, "", words.join(" "));
    assert.match(stderr, /^(error|netwatch): .+\n(\(Did you mean .+\)\n)?$/, words.join(" "));
  }
});

test("a capture comes through stdin, and only data goes to stdout", () => {
  const { status, stdout, stderr } = run(
    ["analyze", "-", "--table", "talkers", "-o", "csv"],
    readFileSync(SHOP),
  );
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^service,packets,bytes,share\n/);
});

test("colours come when asked for, before or after the command's name, and never by default in a pipe", () => {
  assert.ok(run(["analyze", SHOP, "--color", "always"]).stdout.includes("\x1b[1m"));
  assert.ok(run(["--color=always", "analyze", SHOP]).stdout.includes("\x1b[1m"));
  assert.ok(!run(["analyze", SHOP]).stdout.includes("\x1b"));
});

test("a reader that goes away ends the program quietly", () => {
  const { status, stderr, stdout } = shell(`netwatch analyze ${SHOP} -o json | head -c 10`);
  assert.deepEqual([status, stderr, stdout.length], [0, "", 10]);
});

test("a full disk is said, with its own exit code", () => {
  const { status, stderr } = shell(`netwatch analyze ${SHOP} -o json > /dev/full`);
  assert.deepEqual([status, stderr], [8, "netwatch: stdout: no space left on the device\n"]);
});

test("names that would move a cursor or run in a spreadsheet come out harmless everywhere", () => {
  const names = {
    "\x1b]0;pwned\x07": "10.0.0.10",
    "=cmd|' /C calc'!A0": "10.0.0.20",
    __proto__x: "10.0.0.60",
    "\u202egnp.exe": "10.0.0.50",
  };
  const path = join(folder, "names.json");
  writeFileSync(path, JSON.stringify(names).replace("__proto__x", "__proto__"));
  for (const output of ["table", "json", "markdown"]) {
    const { stdout, status } = run(["analyze", SHOP, "--names", path, "-o", output]);
    assert.equal(status, 0);
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/u, output);
    assert.ok(stdout.includes(output === "markdown" ? "\\_\\_proto\\_\\_" : "__proto__"), output);
  }
  const csv = run(["analyze", SHOP, "--names", path, "--table", "talkers", "-o", "csv"]).stdout;
  for (const cell of csv.split(/[,\n]/)) assert.doesNotMatch(cell, /^"?[=+\-@\t\r]/, cell);
});

test("TZ and LANG change no byte of any output", () => {
  const elsewhere = { TZ: "Pacific/Auckland", LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8" };
  for (const words of [
    ["analyze", SHOP],
    ["analyze", SHOP, "-o", "json"],
  ]) {
    assert.equal(
      run(words, undefined, elsewhere).stdout,
      run(words, undefined, { TZ: "UTC", LANG: "C" }).stdout,
    );
  }
});

test("a failed command leaves no file behind", () => {
  const before = readdirSync(folder);
  run(["report", "none/x.pdf", "-r", SHOP]);
  assert.deepEqual(readdirSync(folder), before);
});
