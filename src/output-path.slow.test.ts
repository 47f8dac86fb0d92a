import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openCaptureFile } from "./capture/file/capture-file.js";
import { EventWriter } from "./engine/recording/event-writer.js";
import { reserveFile } from "./engine/recording/reserved.js";
import { lookAtOutput } from "./output-path.js";
import { writeWhole } from "./write.js";

const NOT_ROOT = process.getuid?.() !== 0 && "needs root: it makes files of other users";
const cli = new URL("./cli.js", import.meta.url).pathname;
const shop = new URL("../../fixtures/shop.pcapng", import.meta.url).pathname;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-output-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Every way the program opens an output. */
const WRITERS: Readonly<Record<string, (path: string) => void>> = {
  whole: (path) => writeWhole(path, ["new"]),
  reserved: (path) => {
    const file = reserveFile(path);
    file.write(["new"]);
    file.close();
  },
  capture: (path) => {
    const file = openCaptureFile(path);
    file.write(Buffer.from("new"));
    file.close();
  },
  events: (path) => {
    const events = new EventWriter(path, "test", () => {});
    events.open(0);
    events.close(1);
  },
};

test("regular files, links and nothing are replaced; devices and pipes are written into; descriptors are themselves", (t) => {
  const folder = folderOf(t);
  const [file, link, pipe] = ["file", "link", "pipe"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, "");
  symlinkSync("/dev/null", link);
  execFileSync("mkfifo", [pipe]);
  for (const path of [file, link, join(folder, "new")])
    assert.deepEqual(lookAtOutput(path), { kind: "replace" });
  for (const path of [pipe, "/dev/null", "/dev/full", "/dev/../dev/zero"])
    assert.deepEqual(lookAtOutput(path), { kind: "into" });
  const named = { "/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/7": 7, "/proc/self/fd/12": 12 };
  for (const [path, fd] of Object.entries(named))
    assert.deepEqual(lookAtOutput(path), { kind: "descriptor", fd });
});

for (const [name, write] of Object.entries(WRITERS)) {
  test(`${name}: folders and sockets are refused in a few words`, async (t) => {
    const folder = folderOf(t);
    const socket = join(folder, "socket");
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    t.after(() => server.close());
    assert.throws(() => write(folder), /directory/i);
    assert.throws(() => write(socket), /is a socket/);
    assert.ok(lstatSync(socket).isSocket());
  });

  test(`${name}: a device stays a device`, () => {
    write("/dev/null");
    assert.ok(statSync("/dev/null").isCharacterDevice());
  });

  test(`${name}: what it writes is for its owner alone, also where a file was`, (t) => {
    const path = join(folderOf(t), "old");
    writeFileSync(path, "old", { mode: 0o666 });
    write(path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  test(`${name}: root writes over no file of others, and none with further links`, {
    skip: NOT_ROOT,
  }, (t) => {
    const folder = folderOf(t);
    const [others, linked] = [join(folder, "others"), join(folder, "linked")];
    for (const path of [others, linked]) writeFileSync(path, "old");
    chownSync(others, 4321, 4321);
    linkSync(linked, join(folder, "second"));
    assert.throws(() => write(others), /another user/);
    assert.throws(() => write(linked), /further hard links/);
    for (const path of [others, linked]) assert.equal(readFileSync(path, "utf8"), "old");
  });
}

test("an old capture stays whole until the new one has bytes", (t) => {
  const path = join(folderOf(t), "old.pcapng");
  writeFileSync(path, "old capture");
  const file = openCaptureFile(path);
  assert.equal(readFileSync(path, "utf8"), "old capture");
  file.write(Buffer.from("new"));
  file.close();
  assert.equal(readFileSync(path, "utf8"), "new");
});

test("a report goes to /dev/stdout whole, through a pipe and into a file, and to /dev/full with an error", (t) => {
  const folder = folderOf(t);
  const env = { ...process.env, XDG_STATE_HOME: folder };
  const run = (path: string, stdout: "pipe" | number) =>
    spawnSync(process.execPath, [cli, "report", path, "-r", shop], {
      env,
      stdio: ["ignore", stdout, "pipe"],
      maxBuffer: 1 << 26,
    });
  const piped = run("/dev/stdout", "pipe");
  assert.equal(piped.status, 0, String(piped.stderr));
  const fd = openSync(join(folder, "out.pdf"), "w");
  assert.equal(run("/dev/stdout", fd).status, 0);
  closeSync(fd);
  for (const pdf of [piped.stdout, readFileSync(join(folder, "out.pdf"))]) {
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    assert.match(pdf.subarray(-8).toString(), /%%EOF/);
  }
  const full = run("/dev/full", "pipe");
  assert.equal(full.status, 8);
  assert.match(String(full.stderr), /no space left/);
  assert.ok(statSync("/dev/full").isCharacterDevice());
  mkdirSync(join(folder, "folder"));
  assert.equal(run(join(folder, "folder"), "pipe").status, 8);
});

test("a names file may begin with a byte order mark, come through a pipe, and must end", (t) => {
  const folder = folderOf(t);
  const names = join(folder, "names.json");
  writeFileSync(names, '\ufeff{"marked": "10.0.0.10"}');
  const analyze = (words: string) =>
    spawnSync(
      "bash",
      ["-c", `exec "$0" "$@" ${words}`, process.execPath, cli, "analyze", shop, "--table", "pairs"],
      {
        encoding: "utf8",
      },
    );
  assert.equal(analyze(`--names '${names}'`).status, 0);
  const piped = analyze(`--names <(cat '${names}')`);
  assert.equal(piped.status, 0, piped.stderr);
  const endless = analyze("--names /dev/zero");
  assert.equal(endless.status, 6);
  assert.match(endless.stderr, /larger than/);
});

test("a descriptor that was there before stays open, and one that is refused is not closed", (t) => {
  const folder = folderOf(t);
  const fd = openSync(join(folder, "mine"), "w");
  for (const write of [WRITERS.capture!, WRITERS.reserved!, WRITERS.events!]) {
    write(`/dev/fd/${fd}`);
    assert.ok(fstatSync(fd).isFile(), "still open");
  }
  closeSync(fd);
  const directory = openSync(folder, "r");
  assert.throws(() => WRITERS.capture!(`/dev/fd/${directory}`), /directory/);
  assert.ok(fstatSync(directory).isDirectory(), "still open");
  closeSync(directory);
});
