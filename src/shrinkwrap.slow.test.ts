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
  readonly packages: Record<
    string,
    {
      readonly dev?: boolean;
      readonly link?: boolean;
      readonly dependencies?: object;
      readonly devDependencies?: object;
      readonly workspaces?: readonly string[];
    }
  >;
}

test("the package has the lock of what users install, and packing leaves no file behind", () => {
  for (const below of ["fixtures", "services", "node_modules/.bin"])
    mkdirSync(join(folder, below), { recursive: true });
  for (const file of [
    "package.json",
    "package-lock.json",
    "services/package.json",
    "fixtures/shrinkwrap.mjs",
  ])
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
  const { "": root, ...installed } = packages;
  const { devDependencies: _, workspaces: __, ...own } = locked[""]!;
  assert.deepEqual(root, own);
  for (const [path, entry] of Object.entries(installed)) assert.deepEqual(entry, locked[path], path);
  assert.equal(
    Object.values(installed).some(({ dev, link }) => dev || link),
    false,
  );
  const missing = (path: string) => !(path in packages);
  const needs = Object.values(packages).flatMap(({ dependencies }) => Object.keys(dependencies ?? {}));
  assert.deepEqual(
    needs.filter((name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`))),
    [],
  );
  assert.deepEqual(
    ["commander", "typescript", "fastify", "netwatch-lab"].map((name) => missing(`node_modules/${name}`)),
    [false, true, true, true],
  );
  assert.equal(existsSync(join(folder, "npm-shrinkwrap.json")), false);
});
