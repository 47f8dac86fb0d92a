import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ROOT } from "./commands/terminal.test.fixture.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-pack-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Lock {
  readonly packages: Record<string, { readonly dev?: boolean; readonly devDependencies?: object }>;
}

test("the package has the lock of what users install, and packing leaves no file behind", () => {
  for (const below of ["fixtures", "node_modules/.bin"]) mkdirSync(join(folder, below), { recursive: true });
  for (const file of ["package.json", "package-lock.json", "fixtures/shrinkwrap.mjs"])
    copyFileSync(join(ROOT, file), join(folder, file));
  writeFileSync(join(folder, "node_modules/.bin/tsc"), "#!/bin/sh\n", { mode: 0o755 });
  const packed = execFileSync("npm", ["pack", "--silent"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, npm_config_update_notifier: "false" },
  });
  const tarball = join(folder, packed.trim().split("\n").at(-1)!);
  const text = execFileSync("tar", ["-xzOf", tarball, "package/npm-shrinkwrap.json"], { encoding: "utf8" });
  const { packages, ...head } = JSON.parse(text) as Lock;
  const { packages: locked, ...lockHead } = JSON.parse(
    readFileSync(join(ROOT, "package-lock.json"), "utf8"),
  ) as Lock;
  assert.deepEqual(head, lockHead);
  const { devDependencies: _, ...own } = locked[""]!;
  const expected = Object.entries(locked).filter(([path, { dev }]) => path !== "" && !dev);
  assert.deepEqual(packages, { "": own, ...Object.fromEntries(expected) });
  assert.ok("node_modules/commander" in packages && !("node_modules/typescript" in packages));
  assert.equal(existsSync(join(folder, "npm-shrinkwrap.json")), false);
});
