import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Exchanges } from "./exchanges.js";
import { Operations } from "./operations.js";

/** Joins request n, named by its number, with answers whose outcome is their request's number. */
class Joined {
  readonly operations = new Operations();
  readonly exchanges = new Exchanges(this.operations, 0, "redis");
  #next = 0;

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

test("an answer to what nobody was seen to ask is passed over", () => {
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

test("more requests than may wait are as a gap", () => {
  const all = new Joined();
  for (let i = 0; i < 1025; i++) all.ask();
  assert.equal(all.exchanges.count, 0);
  assert.equal(
    all.operations.list.reduce((sum, of) => sum + of.lost, 0),
    1025,
  );
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
