import assert from "node:assert/strict";
import { test } from "node:test";
import { dice, SEED } from "../../capture/file/sample.test.fixture.js";
import { Keys } from "./keys.js";

for (const width of [1, 2, 5, 10])
  test(`keys of ${width} words have the numbers that an obvious map gives them`, () => {
    const keys = new Keys(width);
    const map = new Map<string, number>();
    const roll = dice(SEED);
    for (let i = 0; i < 5000; i++) {
      // Few values in many words, so that keys come again and differ in one word alone.
      for (let word = 0; word < width; word++) keys.key[word] = roll(width === 1 ? 2000 : 3) - 1;
      const text = keys.key.join();
      assert.equal(keys.find(), map.get(text) ?? -1);
      const number = keys.intern();
      assert.equal(number, map.get(text) ?? map.size);
      map.set(text, number);
    }
    assert.equal(keys.count, map.size);
    for (const [text, number] of map)
      assert.equal(Array.from(keys.key, (_, i) => keys.word(number, i)).join(), text);
  });

test("renewed, keys that were there before have new numbers and keep their old words", () => {
  const keys = new Keys(1);
  const intern = (word: number) => {
    keys.key[0] = word;
    return keys.intern();
  };
  for (let i = 0; i < 200; i++) assert.equal(intern(i), i);
  keys.renew();
  assert.equal(keys.find(), -1);
  for (let i = 0; i < 500; i++) assert.equal(intern(i), 200 + i);
  assert.equal(intern(7), 207);
  assert.deepEqual([keys.word(7, 0), keys.word(207, 0), keys.count], [7, 7, 700]);
});
