import assert from "node:assert/strict";
import { test } from "node:test";
import { ageCs, createAddressClock, lagOf } from "./address-clock.js";

test("the lag is found whatever the kernel's tick rate", () => {
  assert.ok(Math.abs(lagOf(4_296_464_504, 628_891.35) - 8.15) < 0.1, "250 Hz, as measured");
  for (const rate of [100, 250, 300, 1000])
    for (const seconds of [20, 3600, 40 * 86_400]) {
      const jiffies = 2 ** 32 + (seconds - 0.05 - 300) * rate;
      assert.ok(Math.abs(lagOf(jiffies, seconds * 100) - 5) < 0.1, `${rate} Hz after ${seconds} s`);
    }
  assert.equal(lagOf(12, 500_000), 0, "no rate fits");
});

test("it runs as the monotonic clock does, at most ten seconds behind", () => {
  const clock = createAddressClock();
  const behind = Number(process.hrtime.bigint() / 10_000_000n) - clock();
  assert.ok(Math.abs(behind) <= 1001);
});

test("ages pass the end of 32 bits, and are never negative", () => {
  assert.equal(ageCs(500, 100), 400);
  assert.equal(ageCs(100, 101), 0);
  assert.equal(ageCs(2 ** 32 + 50, 2 ** 32 - 50), 100);
  assert.equal(ageCs(3_000_000_000, 10), 2_999_999_990);
});
