import assert from "node:assert/strict";
import { test } from "node:test";
import { stagger } from "./stagger.js";

test("what answers is done one at a time, in order", async () => {
  let under = 0;
  let most = 0;
  const task = async (item: number) => {
    most = Math.max(most, ++under);
    await new Promise((resolve) => setImmediate(resolve));
    under--;
    return item * 2;
  };
  assert.deepEqual(await stagger([1, 2, 3, 4], task, () => new Promise(() => {})), [2, 4, 6, 8]);
  assert.equal(most, 1);
});

test("one that does not answer holds up no other", async () => {
  const done: number[] = [];
  let release = () => {};
  const task = (item: number) =>
    item === 1
      ? new Promise<void>((resolve) => {
          release = resolve;
        })
      : Promise.resolve().then(() => void done.push(item));
  const all = stagger([1, 2, 3], task, () => new Promise((resolve) => setImmediate(resolve)));
  while (done.length < 2) await new Promise((resolve) => setImmediate(resolve));
  release();
  await all;
  assert.deepEqual(done, [2, 3]);
});
