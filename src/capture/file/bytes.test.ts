import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fromStream, openFile, unread } from "./bytes.js";
import { drain, inPieces, u8 } from "./sample.test.fixture.js";

test("a stream gives its bytes in order, whatever pieces it comes in, empty ones included", async () => {
  async function* stream() {
    yield u8(1, 2, 3);
    yield u8();
    yield u8(4);
    yield u8(5, 6, 7, 8, 9);
  }
  const source = fromStream(stream());
  assert.deepEqual(await drain(source, 2), u8(1, 2, 3, 4, 5, 6, 7, 8, 9));
  assert.equal(source.taken, 9);
  assert.equal(source.failure, null);
});

test("a stream that is closed early is told so", async () => {
  let told = false;
  async function* stream() {
    try {
      yield u8(1);
      yield u8(2);
    } finally {
      told = true;
    }
  }
  const source = fromStream(stream());
  await source.read(new Uint8Array(1));
  source.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(told);
});

test("bytes that are put back come first", async () => {
  const source = unread(u8(1, 2, 3), inPieces(u8(4, 5), [1]));
  assert.deepEqual(await drain(source, 2), u8(1, 2, 3, 4, 5));
  assert.equal(source.taken, 2);
});

test("a folder and a missing file cannot be opened", () => {
  assert.throws(() => openFile(tmpdir()), { code: "EISDIR" });
  assert.throws(() => openFile(`${tmpdir()}/netwatch-no-such-file`), { code: "ENOENT" });
});

test("a file is read to its end and knows its size", async () => {
  const path = new URL(import.meta.url).pathname;
  const source = openFile(path);
  const bytes = await drain(source, 777);
  source.close();
  assert.equal(bytes.length, source.size);
  assert.equal(source.taken, source.size);
  assert.match(new TextDecoder().decode(bytes), /a file is read to its end and knows its size/);
});
