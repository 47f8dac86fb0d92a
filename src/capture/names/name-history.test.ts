import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../net.js";
import { NameHistory, type Sighting } from "./name-history.js";
import { Names } from "./names.js";

const sighting = (name: string, text: string, sinceUs: number | null = null): Sighting => ({
  name,
  text,
  address: parseAddress(text)!,
  sinceUs,
});

/** Who held 10.0.0.1 at each of the times. */
function holders(history: NameHistory, ...times: number[]): (string | null)[] {
  const names = new Names(null);
  history.addTo(names, () => false);
  return times.map((time) => names.find("10.0.0.1", 80, time));
}

test("what is held at the first look was always held", () => {
  const history = new NameHistory();
  assert.equal(history.observe([sighting("a", "10.0.0.1")], 100), true);
  assert.deepEqual(holders(history, -5, 99, 1e15), ["a", "a", "a"]);
  assert.equal(history.observe([sighting("a", "10.0.0.1")], 200), false, "nothing new");
});

test("an address changes hands when it was set, not when that was noticed", () => {
  const history = new NameHistory();
  history.observe([sighting("a", "10.0.0.1", 50)], 100);
  history.observe([sighting("b", "10.0.0.1", 150)], 200);
  assert.deepEqual(holders(history, 49, 50, 149, 150, 500), [null, "a", "a", "b", "b"]);
});

test("without that time, the old holder had it until it was last seen", () => {
  const history = new NameHistory();
  history.observe([sighting("a", "10.0.0.1")], 100);
  history.observe([sighting("b", "10.0.0.1")], 200);
  assert.deepEqual(holders(history, 99, 100, 200), ["a", "b", "b"]);
});

test("an address that lost its owner was held until now; a new owner noticed late gets it from its own start", () => {
  const history = new NameHistory();
  history.observe([sighting("a", "10.0.0.1", 10)], 100);
  history.observe([], 200);
  assert.deepEqual(holders(history, 199, 200), ["a", null]);
  history.observe([sighting("b", "10.0.0.1", 180)], 300);
  assert.deepEqual(holders(history, 179, 180), ["a", "b"]);
});

test("a better name for the same holder holds from the beginning", () => {
  const history = new NameHistory();
  history.observe([sighting("0123456789ab", "10.0.0.1", 50)], 100);
  history.observe([sighting("web", "10.0.0.1", 50)], 200);
  assert.deepEqual(holders(history, 60, 250), ["web", "web"]);
});

test("a clock that was set back takes no name away: who is here now holds on either clock", () => {
  const history = new NameHistory();
  history.observe([sighting("a", "10.0.0.1", 900)], 1000);
  assert.equal(history.observe([sighting("a", "10.0.0.1", 300)], 400), true);
  assert.deepEqual(holders(history, 399, 400, 950, 1200), [null, "a", "a", "a"]);
  history.observe([sighting("b", "10.0.0.1", 450)], 500);
  assert.deepEqual(holders(history, 449, 450, 600), ["a", "b", "b"]);
});

test("back and forth, each span is remembered", () => {
  const history = new NameHistory();
  const turns = ["a", "b", "a", "c"];
  turns.forEach((name, i) => {
    history.observe([sighting(name, "10.0.0.1", i * 100)], i * 100 + 50);
  });
  assert.deepEqual(holders(history, 99, 100, 250, 350), ["a", "b", "a", "c"]);
});

test("bounded: what ended first goes first; what has no room is counted", () => {
  const history = new NameHistory(3);
  for (let i = 0; i < 10; i++) history.observe([sighting(`n${i}`, "10.0.0.1", i * 10)], i * 10 + 5);
  assert.ok(history.size <= 3);
  assert.equal(holders(history, 95)[0], "n9");
  assert.ok(history.forgotten >= 6);
  history.observe(
    Array.from({ length: 9 }, (_, i) => sighting("many", `10.0.1.${i}`)),
    1000,
  );
  assert.ok(history.size <= 3);
});

test("hostile names and taken addresses", () => {
  const history = new NameHistory();
  history.observe([sighting("__proto__", "10.0.0.1"), sighting("constructor", "10.0.0.2")], 1);
  assert.deepEqual(holders(history, 1), ["__proto__"]);
  const names = new Names(null);
  history.addTo(names, (text) => text === "10.0.0.1");
  assert.equal(names.find("10.0.0.1", null, 1), null);
  assert.equal(names.find("10.0.0.2", null, 1), "constructor");
  assert.deepEqual([...history.holders("constructor")], ["10.0.0.1"]);
});
