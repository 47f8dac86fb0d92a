import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ROOT } from "../terminal.test.fixture.js";
import { WHERE_LAB_IS } from "./lab.js";

/** The tool as its package has it: without what is beside dist/src. */
const folder = mkdtempSync(join(tmpdir(), "netwatch-without-lab-"));
after(() => rmSync(folder, { recursive: true, force: true }));
cpSync(join(ROOT, "dist/src"), join(folder, "dist/src"), {
  recursive: true,
  filter: (path) => !/\.(test|fuzz)\./.test(path),
});
copyFileSync(join(ROOT, "package.json"), join(folder, "package.json"));
symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(folder, "dist/src/cli.js"), ...words],
    { encoding: "utf8", env: { ...process.env, XDG_STATE_HOME: folder, COLUMNS: "80", NO_COLOR: "1" } },
  );
  return { status, stdout, stderr };
}

test("without the lab its commands say in one sentence where it is, and end with 2", () => {
  for (const words of [[], ["up", "--policies"], ["status"], ["bench", "--mode", "docker"], ["-x"]])
    assert.deepEqual(
      run("lab", ...words),
      { status: 2, stdout: "", stderr: `netwatch: ${WHERE_LAB_IS}\n` },
      words.join(" "),
    );
});

test("so does their help, with 0", () => {
  const { status, stdout } = run("lab", "--help");
  assert.equal(status, 0);
  assert.ok(stdout.endsWith(`\nThe${WHERE_LAB_IS.slice(3)}.\n`), stdout);
});

test("the other commands need no lab", () => {
  assert.equal(run("--version").status, 0);
  assert.equal(run("analyze", join(ROOT, "fixtures/shop.pcapng")).status, 0);
});
