import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ROOT } from "../terminal.test.fixture.js";
import { SHELLS } from "./shells.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-help-"));
after(() => rmSync(folder, { recursive: true }));

function netwatch(...words: string[]) {
  const cli = join(ROOT, "dist/src/cli.js");
  return spawnSync(process.execPath, [cli, ...words], {
    encoding: "utf8",
    env: { ...process.env, COLUMNS: "80" },
  });
}

/** Runs a shell on a script; skips by name where the shell is not installed. */
function run(command: string, words: readonly string[]): string {
  const { stdout, stderr, error } = spawnSync(command, words, { encoding: "utf8" });
  assert.equal(error, undefined);
  assert.equal(stderr, "");
  return stdout;
}

function isHere(command: string): string | false {
  return spawnSync(command, ["--version"]).error === undefined ? false : `${command} is not installed`;
}

const man = netwatch("man").stdout;
const scripts = Object.fromEntries(SHELLS.map((shell) => [shell, netwatch("completion", shell).stdout]));
const script = (shell: string) => {
  const path = join(folder, shell);
  writeFileSync(path, scripts[shell]!);
  return path;
};

/** Every option that the sources define, read apart from the program that the page is made of. */
function definedOptions(): string[] {
  const files = ["src", "services"].flatMap((top) =>
    readdirSync(join(ROOT, top), { recursive: true, encoding: "utf8" }).map((name) => join(ROOT, top, name)),
  );
  const found = files
    .filter((name) => name.endsWith(".ts") && !name.includes(".test.") && !name.includes("node_modules"))
    .flatMap((name) => [
      ...readFileSync(name, "utf8").matchAll(/(?:\.option|new Option)\(\s*"(?:-\w, )?--([a-z][\w.-]*)/g),
    ])
    .map((match) => match[1]!);
  return [...new Set(found)];
}

test("the manual page and every completion have every option, and every command", () => {
  const options = definedOptions();
  assert.ok(options.length > 60, `${options.length} options`);
  const commands = [...netwatch("--help").stdout.matchAll(/^ {2}([a-z][a-z-]*)(?: [[<].*?)? {2,}\w/gm)].map(
    (match) => match[1]!,
  );
  assert.ok(commands.includes("analyze") && commands.includes("lab"), commands.join());
  const page = man.replaceAll("\\-", "-");
  for (const option of options) {
    assert.ok(page.includes(`--${option}`), `the manual page lacks --${option}`);
    assert.ok(scripts.bash!.includes(`--${option}`), `bash lacks --${option}`);
    assert.ok(scripts.zsh!.includes(`'--${option}:`), `zsh lacks --${option}`);
    assert.ok(scripts.fish!.includes(` -l ${option} `), `fish lacks --${option}`);
  }
  for (const command of commands) {
    assert.ok(page.includes(`.SS "netwatch ${command} `), `the manual page lacks ${command}`);
    for (const shell of SHELLS) assert.ok(scripts[shell]!.includes(command), `${shell} lacks ${command}`);
  }
});

test("man formats the page without a warning", { skip: isHere("man") }, () => {
  const path = join(folder, "netwatch.1");
  writeFileSync(path, man);
  const shown = run("man", ["--warnings", "-P", "cat", "-l", path]);
  assert.match(shown, /-f, --filter <filter>/);
  assert.match(shown, /^ {7}9 +`health`: a service is down$/m);
  assert.match(shown, /tcpdump -i br-app -c 1000 -w - \| netwatch analyze -/);
});

/** What completes the last word, one a line and in order. */
const COMPLETIONS: readonly [words: string, found: RegExp][] = [
  ["netwatch anal", /^analyze$/m],
  ["netwatch analyze --tab", /^--table$/m],
  ["netwatch analyze --table post", /^postgres$/m],
  ["netwatch analyze -o nd", /^ndjson$/m],
  ["netwatch lab ben", /^bench$/m],
  ["netwatch lab bench --", /^--help$/m],
  ["netwatch capture -i l", /^lo$/m],
];

test("bash completes commands, options, values and files", { skip: isHere("bash") }, () => {
  const complete = (line: string) => {
    const words = line.split(" ");
    return run("bash", [
      "-c",
      `source "$1"; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _netwatch; printf '%s\\n' "\${COMPREPLY[@]}"`,
      "bash",
      script("bash"),
    ]);
  };
  for (const [line, found] of COMPLETIONS) assert.match(complete(line), found, line);
  assert.match(complete(`netwatch analyze ${ROOT}pack`), /package\.json$/m);
  assert.equal(complete("netwatch nonsense --names x --tit"), "\n");
});

test("fish completes commands, options and values", { skip: isHere("fish") }, () => {
  for (const [line, found] of COMPLETIONS) {
    const out = run("fish", [
      "--no-config",
      "-c",
      `source $argv[1]; complete -C $argv[2]`,
      script("fish"),
      line,
    ]);
    assert.match(out.replace(/\t.*$/gm, ""), found, line);
  }
});

test("zsh completes commands, options and values", { skip: isHere("zsh") }, () => {
  // Its completion needs a terminal; what the script hands to it is looked at instead.
  const stubs = `compdef() { }; _files() { print files }; _message() { }; compadd() { shift; print -l -- $* }
_describe() { [[ $1 == -o ]] && shift; print -l -- \${(P)2%%:*} }`;
  for (const [line, found] of COMPLETIONS) {
    const words = line.split(" ");
    const set = `words=(${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length}; PREFIX='${words.at(-1)}'`;
    assert.match(
      run("zsh", ["-f", "-c", `${stubs}; source "$1"; ${set}; _netwatch`, "zsh", script("zsh")]),
      found,
      line,
    );
  }
});

test("help shows the help of a command, at any depth, and refuses one that is not there", () => {
  assert.equal(netwatch("help", "analyze").stdout, netwatch("analyze", "--help").stdout);
  assert.equal(netwatch("help", "lab", "bench").stdout, netwatch("lab", "bench", "--help").stdout);
  const { status, stdout, stderr } = netwatch("help", "lab", "nonsense");
  assert.deepEqual(
    [status, stdout, stderr],
    [2, "", "netwatch: no command lab nonsense: see netwatch --help\n"],
  );
});
