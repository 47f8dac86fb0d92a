import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { reasonToSkip } from "./capture/kernel/netns.test.fixture.js";
import { ROOT } from "./commands/terminal.test.fixture.js";
import { visible } from "./format.js";
import { decodePath, toPath } from "./path-bytes.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-bytes-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs lines of bash in the test's folder, `netwatch` and `$shop` at hand. */
function shell(script: string, through: readonly string[] = []) {
  const head = `netwatch() { "${process.execPath}" "${join(ROOT, "dist/src/cli.js")}" "$@"; }
shop="${join(ROOT, "fixtures/shop.pcapng")}"
`;
  const [program, ...words] = [...through, "bash", "-c", head + script];
  const env = { ...process.env, XDG_STATE_HOME: folder, LC_ALL: "C.UTF-8" };
  return spawnSync(program!, words, { cwd: folder, env, encoding: "utf8" });
}

/** Names in the folder, a character for each byte. */
const listed = (path = "") => readdirSync(join(folder, path), { encoding: "latin1" }).sort();

test("property: any bytes come back from the string that stands for them; text stays text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (array) => {
      const bytes = Buffer.from(array);
      assert.deepEqual(Buffer.from(toPath(decodePath(bytes))), bytes);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(decodePath(Buffer.from(text)), text);
      assert.equal(toPath(text), text);
    }),
  );
  assert.equal(
    decodePath(Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xed, 0xb2, 0x80])),
    "a\udcffé\udced\udcb2\udc80",
  );
});

test("a byte that is not UTF-8 is shown as \\xNN", () => {
  assert.equal(visible(decodePath(Buffer.from([0x61, 0xff, 0x80]))), "a\\xff\\x80");
});

test("files whose names are not UTF-8 are read, and written under their own name", () => {
  const { status, stderr, stdout } = shell(`set -e
cp "$shop" $'a\\xff.pcapng'; echo '{"web": "10.0.0.10"}' > $'n\\xe9.json'
netwatch analyze $'a\\xff.pcapng' --names $'n\\xe9.json' -o json > $'s\\xfe.json'
netwatch report $'r\\xff.pdf' --from $'s\\xfe.json'
netwatch report $'q\\xff.pdf' -r $'a\\xff.pcapng'
netwatch topology --from $'s\\xfe.json' -o json > /dev/null
netwatch metrics $'a\\xff.pcapng' > /dev/null
echo 'tcp 6 5 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1' > $'c\\xff'
netwatch connections -r $'c\\xff' > /dev/null`);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "netwatch: wrote r\\xff.pdf\nnetwatch: wrote q\\xff.pdf\n");
  assert.equal(stdout, "");
  assert.deepEqual(
    listed().filter((name) => /[\x80-\xff]/.test(name)),
    ["a\xff.pcapng", "c\xff", "n\xe9.json", "q\xff.pdf", "r\xff.pdf", "s\xfe.json"],
  );
  const snapshot = readFileSync(Buffer.from(`${folder}/s\xfe.json`, "latin1"), "utf8");
  assert.equal(JSON.parse(snapshot).ledger.files[0].name, "a\udcff.pcapng");
});

test("a folder, a web configuration and a missing file with such names", () => {
  const out = shell(`netwatch analyze "$shop" --out-dir $'o\\xff/p\\xfe' -o ndjson > /dev/null; echo $?`);
  assert.equal(out.stdout, "0\n", out.stderr);
  assert.match(out.stderr, /^netwatch: wrote \d+ files to o\\xff\/p\\xfe\n$/);
  assert.ok(listed().includes("o\xff"));
  assert.ok(!listed().some((name) => name.includes("\xef\xbf\xbd")));
  const web = shell(`echo 'nonsense: 1' > $'w\\xff.yml'
netwatch serve -r "$shop" --web.config.file $'w\\xff.yml'; echo $?`);
  assert.equal(web.stdout, "6\n");
  assert.match(web.stderr, /^netwatch: web config w\\xff\.yml: .*nonsense/);
  const missing = shell(`netwatch analyze $'m\\xff.pcapng'; echo $?`);
  assert.deepEqual(
    [missing.stdout, missing.stderr],
    ["6\n", "netwatch: m\\xff.pcapng: no such file or directory\n"],
  );
});

test("without /proc such a name is refused, and no other file is made", {
  skip: reasonToSkip("unshare", "mount"),
}, () => {
  const before = listed();
  const without = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"];
  const { stdout, stderr } = shell(`netwatch report $'z\\xff.pdf' -r "$shop"; echo $?`, without);
  assert.deepEqual(
    [stdout, stderr],
    ["2\n", "netwatch: the command line is not UTF-8, and its bytes cannot be read: /proc is not there\n"],
  );
  assert.deepEqual(listed(), before);
  assert.match(shell(`netwatch report é.pdf -r "$shop"; echo $?`, without).stdout, /^0\n$/);
});
