/** What is found of a damaged conversation is the same in whatever segments it comes: no number depends on where the wire cut it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Application } from "../analyze/app/application.js";
import { APPLICATIONS } from "../analyze/app/applications.js";
import { follow, type Said } from "../analyze/app/stream.test.fixture.js";
import { saidIn, TCP } from "./protocols.fuzz.js";

/** Conversations that are cut at each of their bytes. */
const RUNS = 5;

/** What the tables and the ledger are made of. */
function found(applications: readonly Application[], script: readonly Said[]) {
  const { operations, application, gaps, missed } = follow(applications, script);
  const rows = operations.map(({ name, requests, answered, errors, lost, unseen, ...rest }) => {
    const { requestBytes, responseBytes, outcomes, durations } = rest;
    const { count, sumUs } = durations;
    const numbers = { requests, answered, errors, lost, unseen, requestBytes, responseBytes, count, sumUs };
    return { name, ...numbers, outcomes: [...outcomes] };
  });
  return { application, gaps, missed, rows };
}

/** Each thing said in pieces of the sizes given, over and over. */
function cutBy(script: readonly Said[], sizes: readonly number[]): Said[] {
  let next = 0;
  return script.flatMap(({ text, ...said }) => {
    const pieces: Said[] = [];
    for (let at = 0; at < text.length; ) {
      const size = sizes[next++ % sizes.length]!;
      pieces.push({ ...said, text: text.slice(at, at + size) });
      at += size;
    }
    return pieces;
  });
}

/** Each place a conversation can be cut at, alone. */
function* cutOnce(script: readonly Said[]): Generator<Said[]> {
  for (const [i, { text, ...said }] of script.entries())
    for (let at = 1; at < text.length; at++)
      yield script.toSpliced(i, 1, { ...said, text: text.slice(0, at) }, { ...said, text: text.slice(at) });
}

interface Damage {
  readonly place: number;
  readonly removed: number;
  readonly put: string;
}

const LETTERS = "\0\x01\x16\x17\x30\xff\r\n *+-$%:QSZE1GH";
const damage: fc.Arbitrary<Damage> = fc.record({
  place: fc.nat(10_000),
  removed: fc.nat(4),
  put: fc.string({ unit: fc.constantFrom(...LETTERS), maxLength: 6 }),
});

function damaged(script: readonly Said[], damages: readonly Damage[]): Said[] {
  const broken = [...script];
  for (const { place, removed, put } of damages) {
    const { text, ...said } = broken[place % broken.length]!;
    const at = (place * 7) % (text.length + 1);
    broken[place % broken.length] = { ...said, text: text.slice(0, at) + put + text.slice(at + removed) };
  }
  return broken.filter(({ text }) => text !== "").map((said, i) => ({ ...said, atUs: i + 1 }));
}

const ALL = TCP.flatMap(([, , seeds]) => seeds);

for (const [name, applications, seeds] of [...TCP, ["any protocol", APPLICATIONS, ALL] as const])
  test(`${name}: a damaged conversation is the same in whatever segments`, () => {
    const scripts = seeds.map(saidIn);
    const broken = fc
      .tuple(fc.constantFrom(...scripts), fc.array(damage, { maxLength: 3 }))
      .map(([script, damages]) => damaged([...script, ...script], damages));
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(broken, sizes, (script, ofPieces) =>
        assert.deepEqual(found(applications, cutBy(script, ofPieces)), found(applications, script)),
      ),
    );
    fc.assert(
      fc.property(broken, (script) => {
        const whole = found(applications, script);
        for (const cut of cutOnce(script)) assert.deepEqual(found(applications, cut), whole);
      }),
      { numRuns: RUNS },
    );
  });
