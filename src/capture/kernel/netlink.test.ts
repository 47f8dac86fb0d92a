import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { finish, type NetlinkChannel, NetlinkDumper, NetlinkError } from "./netlink.js";

const DONE = 3;
const ERROR = 2;
const MESSAGE = 0x100;
const INTERRUPTED = 0x10;
const { ENOBUFS, EPERM, EAGAIN } = constants.errno;

/** What the kernel is to answer: messages in one piece, or an error number. */
type Answer = Uint8Array | number;

function message(type: number, sequence: number, payload: readonly number[], flags = 2): Uint8Array {
  const length = 16 + payload.length;
  const bytes = new Uint8Array((length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(payload, 16);
  return bytes;
}

const done = (sequence: number) => message(DONE, sequence, [0, 0, 0, 0]);
const entry = (sequence: number, value: number, flags = 2) => message(MESSAGE, sequence, [value], flags);
const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Plays answers; `answer` gets the number of the request they belong to. */
class Script implements NetlinkChannel {
  readonly requests: Uint8Array[] = [];
  readonly #answers: readonly ((sequence: number) => Answer)[];
  #next = 0;

  constructor(...answers: readonly ((sequence: number) => Answer)[]) {
    this.#answers = answers;
  }

  send(bytes: Uint8Array): void {
    this.requests.push(bytes);
  }

  receive(buffer: Uint8Array): number {
    const answer = this.#answers[this.#next++]?.(this.requests.length) ?? -EAGAIN;
    if (typeof answer === "number") return answer;
    buffer.set(answer.subarray(0, buffer.length));
    return answer.length;
  }

  close(): void {}
}

function run(channel: Script): { values: number[]; whole: boolean; dumper: NetlinkDumper } {
  const dumper = new NetlinkDumper(channel);
  const values: number[] = [];
  const begin = () => {
    values.length = 0;
  };
  const take = (view: DataView, start: number, end: number) => {
    assert.equal(end - start, 1);
    values.push(view.getUint8(start));
  };
  const whole = finish(dumper.dump(0x101, Uint8Array.of(0, 0, 0, 0), begin, take));
  return { values, whole, dumper };
}

test("a dump in several parts", () => {
  const script = new Script(
    (n) => joined(entry(n, 1), entry(n, 2)),
    (n) => entry(n, 3),
    (n) => done(n),
  );
  const { values, whole, dumper } = run(script);
  assert.deepEqual([values, whole, dumper.resyncs, dumper.malformed], [[1, 2, 3], true, 0, 0]);
  assert.equal(
    Buffer.from(script.requests[0]!).toString("hex"),
    "140000000101010301000000" + "00000000" + "00000000",
  );
});

test("a dump that changed while it was read is read again", () => {
  const { values, whole, dumper } = run(
    new Script(
      (n) => entry(n, 1),
      (n) => entry(n, 2, 2 | INTERRUPTED),
      (n) => done(n),
      (n) => joined(entry(n, 7), done(n)),
    ),
  );
  assert.deepEqual([values, whole, dumper.resyncs], [[7], true, 1]);
});

test("ENOBUFS: the dump goes on, and is read again", () => {
  const { values, whole, dumper } = run(
    new Script(
      (n) => entry(n, 1),
      () => -ENOBUFS,
      (n) => joined(entry(n, 3), done(n)),
      (n) => joined(entry(n, 4), done(n)),
    ),
  );
  assert.deepEqual([values, whole, dumper.resyncs], [[4], true, 1]);
});

test("a dump that never holds still ends, and says so", () => {
  const changing = (n: number) => joined(entry(n, 1, 2 | INTERRUPTED), done(n));
  const { values, whole, dumper } = run(new Script(changing, changing, changing, changing));
  assert.deepEqual([values, whole, dumper.resyncs], [[1], false, 4]);
});

test("what the kernel refuses, and its silence, are errors with their code", () => {
  const refused = new DataView(new ArrayBuffer(4));
  refused.setInt32(0, -EPERM, true);
  const error = (type: number) => (n: number) => message(type, n, [...new Uint8Array(refused.buffer)]);
  for (const type of [ERROR, DONE])
    assert.throws(
      () => run(new Script(error(type))),
      (thrown) => thrown instanceof NetlinkError && thrown.code === "EPERM",
    );
  assert.throws(
    () => run(new Script((n) => entry(n, 1))),
    (thrown) => thrown instanceof NetlinkError && thrown.code === "EAGAIN",
  );
});

test("messages of another request are passed over", () => {
  const { values } = run(
    new Script(
      (n) => joined(entry(n + 5, 1), done(n + 5), entry(n, 2)),
      (n) => done(n),
    ),
  );
  assert.deepEqual(values, [2]);
});

test("what is no message is counted, and the dump read again", () => {
  const short = message(MESSAGE, 1, []);
  new DataView(short.buffer).setUint32(0, 3, true);
  const long = message(MESSAGE, 1, []);
  new DataView(long.buffer).setUint32(0, 4000, true);
  for (const broken of [short, long, new Uint8Array(70_000)]) {
    const { values, whole, dumper } = run(
      new Script(
        () => broken,
        (n) => done(n),
        (n) => joined(entry(n, 9), done(n)),
      ),
    );
    assert.deepEqual([values, whole, dumper.malformed > 0, dumper.resyncs], [[9], true, true, 1]);
  }
});
