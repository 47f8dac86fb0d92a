import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CommandError, ExitCode } from "../../exit.js";
import { checkRoom } from "./json-memory.js";
import { readSnapshot } from "./last-snapshot.js";
import { readSidecar } from "./sidecar-reader.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-room-"));
after(() => rmSync(folder, { recursive: true }));

const MIB = 1024 * 1024;

test("a text of more values than memory holds is refused before it is parsed, whatever the values are", () => {
  const limit = MIB / 200;
  for (const value of ["{}", "[]", '"ab"', "1", '{"a":1}', "[[[]]]"]) {
    const of = (count: number) => `[${`${value},`.repeat(count)}0]`;
    assert.throws(() => checkRoom(of(limit), MIB), {
      message: "more than 5242 values, for which memory has no room",
    });
    checkRoom(of(limit / 10), MIB);
  }
  checkRoom(`["${"[{,".repeat(MIB)}"]`, MIB);
});

test("letters whose last byte is that of a bracket or a comma are letters", () => {
  const values = Math.floor(MIB / 200);
  const letters = "\u015b\u017b\u015d\u022c\u033a".repeat(MIB);
  checkRoom(JSON.stringify([letters]), MIB);
  checkRoom(JSON.stringify(Array.from({ length: values / 2 }, () => "\u015b")), MIB);
});

test("a text nested deeper than any document is refused", () => {
  const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  checkRoom(deep(1000));
  assert.throws(() => checkRoom(deep(1001)), { message: "nested too deeply" });
});

test("a Snapshot and a sidecar that are nested too deeply end with a sentence", async () => {
  const path = join(folder, "deep.json");
  writeFileSync(path, `{"format":"netwatch-snapshot","version":1,"x":${"[".repeat(MIB)}${"]".repeat(MIB)}}`);
  await assert.rejects(readSnapshot(path), (error: CommandError) => {
    assert.deepEqual([error.exitCode, error.message], [ExitCode.unreadable, `${path}: nested too deeply`]);
    return error instanceof CommandError;
  });
  await assert.rejects(readSidecar(path), (error: CommandError) => {
    assert.equal(error.message, `sidecar ${path}: has no whole line`);
    return true;
  });
  writeFileSync(path, `${"[".repeat(MIB)}\n`);
  await assert.rejects(readSidecar(path), (error: CommandError) => {
    const message = `sidecar ${path}: line 1: nested too deeply`;
    assert.deepEqual([error.exitCode, error.message], [ExitCode.unreadable, message]);
    return true;
  });
});
