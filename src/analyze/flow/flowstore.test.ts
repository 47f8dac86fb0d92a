import assert from "node:assert/strict";
import { test } from "node:test";
import { dice, SEED } from "../../capture/file/sample.test.fixture.js";
import { FlowStore } from "./flowstore.js";

for (const version of [4, 6] as const)
  test(`IPv${version}: after entries are taken out, all others are found with what they hold`, () => {
    const store = new FlowStore(version, 5000, SEED);
    const view = new DataView(new ArrayBuffer(32));
    const find = (key: number) => {
      view.setInt32(12, key);
      return version === 4 ? store.find4(key, 1, 0, 17) : store.find6(view, 0, 16, 0, 17);
    };
    const roll = dice(SEED);
    const there = new Set<number>();
    for (let step = 0; step < 20_000; step++) {
      const key = roll(3000);
      const entry = find(key);
      assert.equal(entry >= 0, there.has(key));
      if (entry < 0) {
        const added = version === 4 ? store.add4(key, 1, 0, 17) : store.add6(17);
        store.count1(added, false, key, step, 0);
        there.add(key);
      } else if (roll(4) > 0) {
        store.remove(entry);
        there.delete(key);
      }
    }
    assert.equal(store.count, there.size);
    assert.ok(there.size > 500);
    const found = new Set<number>();
    for (const key of there) {
      const entry = find(key);
      assert.equal(store.bytes(entry, false), key);
      found.add(entry);
    }
    assert.equal(found.size, there.size);
  });
