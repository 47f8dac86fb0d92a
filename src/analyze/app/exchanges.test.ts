import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Exchanges, type RequestRoom } from "./exchanges.js";
import { Operations } from "./operations.js";

/** Joins request n, named by its number, with answers whose outcome is their request's number. */
class Joined {
  readonly operations = new Operations();
  readonly room: RequestRoom;
  readonly exchanges: Exchanges;
  #next = 0;

  constructor(roomRequests = 10_000) {
    this.room = { roomRequests };
    this.exchanges = new Exchanges(this.operations, 0, "redis", this.room);
  }

  ask(timeUs = 0): number {
    const n = this.#next++;
    const name = Uint8Array.from(`${n}`, (letter) => letter.charCodeAt(0));
    this.exchanges.request(name, name.length, timeUs, 10);
    return n;
  }

  /** A request that was not captured. */
  skip(): number {
    return this.#next++;
  }

  answer(n: number, timeUs = 0): void {
    this.exchanges.answer(timeUs, n, false, 20);
  }

  /** Numbers of the requests that were joined with an answer. */
  get joined(): readonly number[] {
    const answered = this.operations.list.filter((of) => of.answered > 0);
    for (const of of answered) assert.deepEqual([...of.outcomes.keys()], [Number(of.name)], "a wrong match");
    return answered.map((of) => Number(of.name));
  }

  get lost(): readonly number[] {
    return this.operations.list.filter((of) => of.lost > 0).map((of) => Number(of.name));
  }
}

test("answers come in the order of the requests; the ring grows and goes round", () => {
  const all = new Joined();
  let [asked, answered] = [0, 0];
  for (let round = 1; round <= 18; round++) {
    for (let i = 0; i < round; i++) asked = all.ask();
    for (let i = 0; i < round - 1; i++) all.answer(answered++);
  }
  assert.equal(all.exchanges.count, 18);
  while (answered <= asked) all.answer(answered++);
  assert.equal(all.joined.length, asked + 1);
  assert.deepEqual([all.exchanges.count, all.exchanges.oldest], [0, -1]);
});

test("an answer without a captured request is skipped", () => {
  const all = new Joined();
  all.answer(99);
  const n = all.ask();
  all.answer(n);
  assert.deepEqual(all.joined, [n]);
});

test("after a gap among requests, the first that comes behind an answer is joined again", () => {
  const all = new Joined();
  const before = all.ask();
  all.answer(before);
  all.exchanges.lose();
  const missing = all.skip();
  const ahead = all.ask();
  all.answer(missing);
  all.answer(ahead);
  const after = all.ask();
  all.answer(after);
  assert.deepEqual([all.joined, all.lost], [[before, after], [ahead]]);
});

test("after a gap among answers, what waited is lost and the next is joined, unless requests overlap", () => {
  const all = new Joined();
  const waiting = all.ask();
  all.exchanges.loseAnswers();
  const next = all.ask();
  all.answer(next);
  assert.deepEqual([all.joined, all.lost], [[next], [waiting]]);
  const [a, b] = [all.ask(), all.ask()];
  all.exchanges.loseAnswers();
  const c = all.ask();
  all.answer(b);
  all.answer(c);
  assert.deepEqual([all.joined, all.lost], [[next], [waiting, a, b, c]]);
});

test("after a silence nothing is thought to wait", () => {
  const all = new Joined();
  all.ask(1);
  all.exchanges.lose();
  const soon = all.ask(500_000);
  all.answer(soon, 500_001);
  const late = all.ask(2_000_000);
  all.answer(late, 2_000_001);
  assert.deepEqual(all.joined, [late]);
});

test("100,000 requests sent ahead are joined, and the room they took is given back", () => {
  const all = new Joined(131_072);
  const name = Uint8Array.of(0x41);
  for (let i = 0; i < 100_000; i++) all.exchanges.request(name, 1, i, 10, i & 0xff);
  assert.equal(all.exchanges.count, 100_000);
  for (let i = 0; i < 100_000; i++) {
    assert.deepEqual([all.exchanges.oldestKind, all.exchanges.oldestUs], [i & 0xff, i]);
    all.exchanges.answer(200_000, i % 2, i % 2 === 1, 20);
  }
  const [of] = all.operations.list;
  assert.deepEqual([of!.answered, of!.errors, of!.unseen], [100_000, 50_000, 0]);
  assert.deepEqual(all.operations.missed.list(), []);
  assert.equal(all.room.roomRequests, 131_072);
});

test("requests without room are counted as such, and those before and after are still joined", () => {
  const all = new Joined(12);
  const asked = Array.from({ length: 20 }, () => all.ask());
  const beyond = asked.slice(16);
  for (const n of asked.slice(0, 10)) all.answer(n);
  // There is room again, but it stands behind those that had none.
  const behind = all.ask();
  for (const n of [...asked.slice(10), behind]) all.answer(n);
  const after = all.ask();
  all.answer(after);
  assert.deepEqual(all.joined, [...asked.slice(0, 16), after]);
  assert.deepEqual(all.lost, [...beyond, behind]);
  assert.ok(all.operations.list.every((of) => of.unseen === of.lost));
  assert.deepEqual(all.operations.missed.list(), [
    { application: "redis", reason: "request without room", count: 5 },
  ]);
});

test("an answer without its request is counted; not an error, said unasked, nor the first of a connection begun before", () => {
  const begun = new Joined();
  begun.exchanges.isMidway = true;
  begun.exchanges.answer(1, 0, false, 20);
  assert.deepEqual(begun.operations.missed.list(), []);
  const all = new Joined();
  all.exchanges.answer(1, 0, false, 20);
  all.exchanges.answer(2, 500, true, 20);
  assert.deepEqual(all.operations.missed.list(), [
    { application: "redis", reason: "answer without its request", count: 1 },
  ]);
});

test("of connections that share the room, one that takes all leaves the others the few of their own", () => {
  const operations = new Operations();
  const room = { roomRequests: 60 };
  const [greedy, modest] = [0, 1].map((channel) => new Exchanges(operations, channel, "http", room));
  const name = Uint8Array.of(0x41);
  for (let i = 0; i < 1000; i++) greedy!.request(name, 1, 0, 1);
  for (let i = 0; i < 4; i++) modest!.request(name, 1, 0, 1);
  assert.deepEqual([greedy!.count, modest!.count, room.roomRequests], [64, 4, 0]);
  greedy!.close();
  modest!.close();
  assert.equal(room.roomRequests, 60);
});

test("property: rounds of requests and answers with gaps are never joined wrongly, and joined again after four good rounds", () => {
  const round = fc.array(fc.constantFrom("seen", "seen", "seen", "request", "answer"), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.array(round, { maxLength: 12 }), (rounds) => {
      const all = new Joined();
      for (const what of rounds) {
        const numbers: number[] = [];
        for (const kind of what) {
          if (kind === "request") all.exchanges.lose();
          numbers.push(kind === "request" ? all.skip() : all.ask());
        }
        what.forEach((kind, i) => {
          if (kind === "answer") all.exchanges.loseAnswers();
          else all.answer(numbers[i]!);
        });
      }
      let last = -1;
      for (let i = 0; i < 6; i++) {
        last = all.ask();
        all.answer(last);
      }
      assert.ok(all.joined.includes(last));
      for (const of of all.operations.list) assert.equal(of.answered + of.lost, of.requests);
    }),
    { numRuns: 500 },
  );
});

test("of requests that are answered by key 1,024 wait; of one more the oldest is lost, and counted", () => {
  const { exchanges, operations } = new Joined();
  const name = Uint8Array.of(0x41);
  for (let key = 0; key < 1024; key++) exchanges.requestBy(key, name, 1, 0, 10);
  assert.deepEqual(operations.missed.list(), []);
  exchanges.requestBy(1024, name, 1, 0, 10);
  exchanges.answerTo(0, 1, 0, false, 20);
  exchanges.answerTo(1, 1, 0, false, 20);
  const { requests, answered, lost } = operations.list[0]!;
  assert.deepEqual({ requests, answered, lost }, { requests: 1025, answered: 1, lost: 1 });
  assert.deepEqual(operations.missed.list(), [
    { application: "redis", reason: "request without room", count: 1 },
  ]);
});
