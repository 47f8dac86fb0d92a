import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPlainWord } from "./http/plain-word.js";
import { MAX_NAME, Operations, OTHER_OPERATION } from "./operations.js";
import { Vocabulary } from "./vocabulary.js";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function intern(
  of: Operations,
  channel: number,
  text: string,
  application: "http" | "redis" = "http",
): number {
  return of.intern(channel, application, bytes(text), text.length);
}

test("property: an operation is found again by channel, application and name, and by nothing less", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "b", "/", " "), maxLength: 6 });
  const key = fc.tuple(
    fc.integer({ min: -1, max: 3 }),
    fc.constantFrom("http" as const, "redis" as const),
    name,
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 150 }), (keys) => {
      const operations = new Operations();
      const known = new Map<string, number>();
      for (const [channel, application, text] of keys) {
        const number = intern(operations, channel, text, application);
        const label = `${channel} ${application} ${text}`;
        assert.equal(number, known.get(label) ?? known.size);
        known.set(label, number);
        assert.equal(operations.list[number]!.name, text);
      }
      assert.equal(operations.list.length, known.size);
    }),
  );
});

test("a name is cut at its longest, and what it was written in may be used again", () => {
  const operations = new Operations();
  const scratch = bytes("x".repeat(MAX_NAME + 20));
  const number = operations.intern(0, "http", scratch, scratch.length);
  scratch.fill(0);
  assert.equal(operations.list[number]!.name, "x".repeat(MAX_NAME));
});

test("a channel with too many operations, and all of them together, go on as (other)", () => {
  const operations = new Operations();
  for (let i = 0; i < 300; i++) intern(operations, 1, `op ${i}`);
  const other = intern(operations, 1, "another");
  assert.equal(operations.list[other]!.name, OTHER_OPERATION);
  assert.equal(operations.list.length, 201);
  assert.equal(operations.overflow, 101);
  for (let channel = 2; channel < 80; channel++)
    for (let i = 0; i < 200; i++) intern(operations, channel, `op ${i}`);
  assert.ok(operations.list.length <= 10_007);
  const last = operations.list[intern(operations, 999, "new")]!;
  assert.deepEqual([last.channel, last.name], [-1, OTHER_OPERATION]);
});

test("failures in a row are dated from the first, and a good answer ends them", () => {
  const operations = new Operations();
  const n = intern(operations, 0, "x");
  const of = operations.list[n]!;
  operations.answered(n, 0, 10, 500, true, 0);
  operations.answered(n, 0, 20, 500, true, 0);
  assert.deepEqual([of.failingSinceUs, of.lastErrorUs, of.errors], [10, 20, 2]);
  operations.answered(n, 0, 30, 200, false, 0);
  assert.deepEqual([of.failingSinceUs, of.lastErrorUs], [null, 20]);
  operations.failed(n, 40, 7);
  assert.deepEqual([of.failingSinceUs, of.lastErrorUs, of.errors], [40, 40, 3]);
  assert.equal(of.outcomes.get(7), 1);
});

test("a place takes twenty words, each as often as it comes, and no more", () => {
  const vocabulary = new Vocabulary();
  for (let word = 0; word < 20; word++) assert.equal(vocabulary.admits(5, word * 7919), true);
  assert.equal(vocabulary.admits(5, 1_000_003), false);
  assert.equal(vocabulary.admits(5, 3 * 7919), true);
  assert.equal(vocabulary.admits(6, 1_000_003), true);
});

function plain(text: string): boolean {
  return isPlainWord(new DataView(bytes(text).buffer), 0, text.length);
}

test("words that programmers choose are plain", () => {
  for (const word of (
    "products orders healthz readyz livez metrics graphql swagger.json wp-admin xmlrpc.php well-known jwks v1 v12 " +
    "v1.2 API getUserById getURL oauth2 k8s ipv4 recommendations user_profile kubelet configmaps thumbnails nginx_status a"
  ).split(" "))
    assert.equal(plain(word), true, word);
});

test("numbers, keys, tokens and long words are not", () => {
  for (const word of (
    "17 0x1f a1 v123 v1.x 2024-11-22 deadbeef cafebabe 3f2b8c1e PLANTEDSECRET hunter2 aBcDeFgHi xkqzvbnwt zzxxqqkkj a+b a~b %41 " +
    "ghp_16C7e42F sk_live_4eC39HqLyjW AbCdEfGhIjKl one-two-three-four-five-six internationalizations ... -"
  ).split(" "))
    assert.equal(plain(word), false, word);
});

test("property: of random keys of small letters few are taken for words", () => {
  const letter = fc.integer({ min: 97, max: 122 }).map((code) => String.fromCharCode(code));
  const keys = fc.sample(fc.string({ unit: letter, minLength: 12, maxLength: 16 }), {
    numRuns: 2000,
    seed: 7,
  });
  const taken = keys.filter(plain).length;
  assert.ok(taken < keys.length / 20, `${taken} of ${keys.length}`);
});
