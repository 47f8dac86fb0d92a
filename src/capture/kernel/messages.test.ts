import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SystemError } from "./libc.js";
import { isPairEnd, keepOnExec, type Message, openPair, receiveMessage, sendMessage } from "./messages.js";

const skip = process.platform !== "linux" && "needs Linux";

test("messages keep apart, and descriptors go with them", { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-messages-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "file");
  writeFileSync(file, "sent");
  const [a, b] = openPair();
  t.after(() => closeSync(b));
  const room = new Uint8Array(1000);
  const fd = openSync(file, "r");
  sendMessage(a, Buffer.from("first"), [fd, fd]);
  sendMessage(a, Buffer.from("second"));
  const first = receiveMessage(b, room);
  assert.equal(Buffer.from(first.bytes).toString(), "first");
  assert.equal(first.descriptors.length, 2);
  for (const received of first.descriptors) {
    assert.notEqual(received, fd);
    assert.equal(fstatSync(received).ino, fstatSync(fd).ino);
    assert.ok(closesOnExec(received));
    closeSync(received);
  }
  closeSync(fd);
  const second: Message = receiveMessage(b, room);
  assert.deepEqual([Buffer.from(second.bytes).toString(), second.descriptors], ["second", []]);
  closeSync(a);
  assert.equal(receiveMessage(b, room).bytes.length, 0, "the other side is closed");
  assert.throws(() => sendMessage(b, room), { code: "EPIPE" });
});

test("a message that is larger than the room is refused whole, its descriptors closed", { skip }, (t) => {
  const [a, b] = openPair();
  t.after(() => [a, b].forEach(closeSync));
  const next = openSync("/dev/null", "r");
  sendMessage(a, new Uint8Array(100), [next]);
  closeSync(next);
  assert.throws(
    () => receiveMessage(b, new Uint8Array(99)),
    (error) => error instanceof SystemError && error.code === "EMSGSIZE",
  );
  const again = openSync("/dev/null", "r");
  assert.equal(again, next, "no number was kept");
  closeSync(again);
});

test("an end of a pair is told from everything else", { skip }, (t) => {
  const [a, b] = openPair();
  t.after(() => [a, b].forEach(closeSync));
  assert.ok(isPairEnd(a));
  assert.ok(!isPairEnd(9999));
  const file = openSync("/dev/null", "r");
  assert.ok(!isPairEnd(file));
  closeSync(file);
  assert.ok(closesOnExec(a));
  keepOnExec(a, true);
  assert.ok(!closesOnExec(a));
});

function closesOnExec(fd: number): boolean {
  const O_CLOEXEC = 0o2_000_000;
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))![1]!;
  return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
}
