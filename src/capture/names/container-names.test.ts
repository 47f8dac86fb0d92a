import assert from "node:assert/strict";
import { test } from "node:test";
import { ContainerNames } from "./container-names.js";

const idOf = (i: number) => i.toString(16).padStart(64, "0");

test("ids of containers are bounded: those not listed for longest go first and are counted", () => {
  const names = new ContainerNames(100);
  for (let i = 1; i <= 10_000; i += 10) {
    const fresh = Array.from({ length: 10 }, (_, k) => ({ id: idOf(i + k), name: `c${i + k}` }));
    names.observe([{ id: idOf(0), name: "stays" }, ...fresh]);
    assert.ok(names.size <= 100);
  }
  assert.equal(names.size, 100);
  assert.equal(names.forgotten, 10_001 - 100);
  assert.equal(names.find(idOf(0)), "stays");
  assert.equal(names.find(idOf(10_000)), "c10000");
  assert.equal(names.find(idOf(1)), null);
  assert.equal(names.find(null), null);
});

test("an id that is no container's takes no room", () => {
  const names = new ContainerNames(100);
  names.observe([{ id: "", name: "of no id" }]);
  assert.equal(names.size, 0);
});
