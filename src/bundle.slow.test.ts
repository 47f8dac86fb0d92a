import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ROOT } from "./commands/terminal.test.fixture.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-bundle-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Bundles a copy of what was built. Returns the copy's folder. */
function bundle(name: string): string {
  const home = join(folder, name);
  mkdirSync(home);
  cpSync(join(ROOT, "dist/src"), join(home, "dist/src"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(home, "package.json"));
  cpSync(join(ROOT, "src/report/fonts"), join(home, "src/report/fonts"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(home, "node_modules"));
  execFileSync(process.execPath, [join(ROOT, "fixtures/bundle.mjs")], { cwd: home });
  rmSync(join(home, "node_modules"));
  return home;
}

function filesOf(home: string): Map<string, string> {
  const names = readdirSync(join(home, "dist"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(names.map((name) => [name.slice(home.length), readFileSync(name, "latin1")]));
}

test("a bundle needs the packages that package.json names and no other, and does what the tests ran", () => {
  const home = bundle("one");
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of [...Object.keys(dependencies), "@koromix", "@resvg"]) {
    mkdirSync(join(home, "node_modules"), { recursive: true });
    cpSync(join(ROOT, "node_modules", name), join(home, "node_modules", name), { recursive: true });
  }
  const [date, shop] = ["2026-11-28T00:00:00Z", join(ROOT, "fixtures/shop.pcapng")];
  const run = (root: string, ...words: string[]) =>
    execFileSync(process.execPath, [join(root, "dist/src/cli.js"), ...words], {
      env: { ...process.env, XDG_STATE_HOME: folder },
      maxBuffer: 1 << 28,
    });
  for (const words of [
    ["analyze", shop, "-o", "json"],
    ["metrics", shop],
    ["topology", "-r", shop, "-o", "svg"],
  ])
    assert.ok(run(home, ...words).equals(run(ROOT, ...words)), words.join(" "));
  for (const [root, pdf] of [
    [home, "b.pdf"],
    [ROOT, "u.pdf"],
  ] as const)
    run(root, "report", join(folder, pdf), "-r", shop, "--date", date);
  assert.ok(readFileSync(join(folder, "b.pdf")).equals(readFileSync(join(folder, "u.pdf"))), "the PDF");
  assert.match(run(home, "analyze", shop, "--out-dir", join(folder, "out")).toString(), /5,270 packets/);
  assert.ok(readdirSync(join(folder, "out")).includes("top_talkers.png"));
});

test("the same sources give the same bundle, with every licence and without what tests need", () => {
  const [first, second] = [filesOf(bundle("two")), filesOf(bundle("three"))];
  assert.deepEqual(first, second);
  const licences = first.get("/dist/THIRD-PARTY-LICENSES.txt")!;
  for (const name of ["chart.js", "commander", "pdfkit", "prom-client", "zod"])
    assert.match(licences, new RegExp(`^${name} \\d`, "m"));
  assert.equal([...first.keys()].filter((name) => /\.(test|bench|fuzz)\./.test(name)).length, 0);
  const foreign = [...first].filter(([name, text]) => name.endsWith(".d.ts") && /from "zod"/.test(text));
  assert.deepEqual(foreign, []);
});
