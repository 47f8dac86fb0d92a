import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { landlockVersion } from "./landlock.js";

const skip =
  process.platform !== "linux"
    ? "needs Linux"
    : landlockVersion() === 0 && "needs Landlock, and no seccomp filter around this process";

/** Confines itself to one folder, runs the given code, and prints the result of each try. */
const PROGRAM = (folder: string, tries: readonly string[]) => `
  import * as fs from "node:fs";
  import { confineWrites } from ${JSON.stringify(new URL("./landlock.js", import.meta.url))};
  import { forbidNewPrivileges } from ${JSON.stringify(new URL("./privilege.js", import.meta.url))};
  forbidNewPrivileges();
  confineWrites([${JSON.stringify(folder)}]);
  const tried = [];
  for (const fn of [${tries.map((code) => `() => ${code}`).join()}])
    try { fn(); tried.push("done"); } catch (error) { tried.push(error.code); }
  console.log(JSON.stringify(tried));
`;

test("files are written, made and removed beneath the named folders alone, and read everywhere", {
  skip,
}, (t) => {
  const home = mkdtempSync(join(tmpdir(), "netwatch-landlock-"));
  t.after(() => rmSync(home, { recursive: true }));
  for (const folder of ["in", "out"]) mkdirSync(join(home, folder));
  for (const file of ["in/old", "out/old"]) writeFileSync(join(home, file), "old");
  const path = (name: string) => JSON.stringify(join(home, name));
  const tries: readonly (readonly [string, string])[] = [
    [`fs.writeFileSync(${path("in/new")}, "new")`, "done"],
    [`fs.mkdirSync(${path("in/deep/er")}, { recursive: true })`, "done"],
    [`fs.renameSync(${path("in/new")}, ${path("in/deep/er/new")})`, "done"],
    [`fs.truncateSync(${path("in/old")})`, "done"],
    [`fs.rmSync(${path("in/old")})`, "done"],
    [`fs.readFileSync(${path("out/old")})`, "done"],
    [`fs.readdirSync(${path("out")})`, "done"],
    [`fs.writeFileSync(${path("out/new")}, "new")`, "EACCES"],
    [`fs.appendFileSync(${path("out/old")}, "new")`, "EACCES"],
    [`fs.mkdirSync(${path("out/folder")})`, "EACCES"],
    [`fs.rmSync(${path("out/old")})`, "EACCES"],
    [`fs.symlinkSync("x", ${path("out/link")})`, "EACCES"],
    [`fs.writeFileSync(${path("new")}, "new")`, "EACCES"],
  ];
  const code = PROGRAM(
    join(home, "in"),
    tries.map(([code]) => code),
  );
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
  });
  assert.notEqual(stdout, "", stderr);
  assert.deepEqual(
    JSON.parse(stdout),
    tries.map(([, expected]) => expected),
  );
  assert.equal(readFileSync(join(home, "out/old"), "utf8"), "old");
  assert.ok(!existsSync(join(home, "out/new")));
});

test("a folder that is not there yet stands for the nearest that is", { skip }, (t) => {
  const home = mkdtempSync(join(tmpdir(), "netwatch-landlock-"));
  t.after(() => rmSync(home, { recursive: true }));
  const folder = join(home, "not/yet");
  const code = PROGRAM(folder, [`fs.mkdirSync(${JSON.stringify(folder)}, { recursive: true })`]);
  const run = (code: string) =>
    JSON.parse(spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }).stdout);
  assert.deepEqual(run(code), ["done"]);
  writeFileSync(join(home, "file"), "");
  const write = `fs.writeFileSync(${JSON.stringify(join(home, "new"))}, "")`;
  assert.deepEqual(run(PROGRAM(join(home, "file/x"), [write])), ["done"], "what is in its way is no folder");
  assert.deepEqual(run(PROGRAM("/netwatch-none/x", [write])), ["EACCES"], "never the root folder");
});
