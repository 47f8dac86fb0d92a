import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Names } from "../../capture/names/names.js";
import { parseAddress } from "../../net.js";
import { Analyzer } from "../analyzer.js";
import type { Inspector } from "../inspector.js";
import { EdgeBook, EXTERNAL, samplesOfRequests } from "./edge-book.js";
import { RequestCounter } from "./request-counter.js";
import { OTHER_EDGE } from "./series-book.js";

const wide = { maxSamples: 1e6, ttlUs: Number.POSITIVE_INFINITY };

/** Client 10.0.0.1 asks 10.0.1.N at port 80: the number of the operation. */
function operation(inspector: Inspector, server: number): number {
  const word = (ofServer: boolean, i: number) => (i > 0 ? 0 : ofServer ? 0x0a000100 + server : 0x0a000001);
  const channel = inspector.channels.find(4, word, 40_000, 80, 1);
  const name = new TextEncoder().encode("GET /");
  return inspector.operations.intern(channel, "http", name, name.length);
}

function namesAs(server: string): Names {
  const names = new Names(null);
  names.add("web", parseAddress("10.0.0.1")!);
  names.add(server, parseAddress("10.0.1.0")!);
  return names;
}

test("requests go to the names of their ends, errors and durations with them", () => {
  const { inspector } = new Analyzer();
  const book = new EdgeBook(wide).requests;
  const counter = new RequestCounter(inspector, book);
  const asked = operation(inspector, 0);
  const unnamed = operation(inspector, 1);
  for (const us of [400, 3000, 7_000_000]) {
    inspector.operations.requested(asked, 10);
    inspector.operations.answered(asked, 0, us, us > 1e6 ? 500 : 200, us > 1e6, 10);
  }
  inspector.operations.requested(unnamed, 10);
  counter.update(namesAs("shop"), 1);
  const [first, second] = book.list();
  assert.deepEqual(
    [first!.source, first!.destination, first!.kind, first!.requests, first!.errors],
    ["web", EXTERNAL, "http", 1, 0],
  );
  assert.deepEqual([second!.destination, second!.requests, second!.errors], ["shop", 3, 1]);
  assert.deepEqual([...second!.durations.counts], [1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
  assert.equal(second!.durations.count, 3);
  assert.ok(Math.abs(second!.durations.sum - 7.0034) < 1e-9);
});

test("a full page counts under `~other`, and says so", () => {
  const { inspector } = new Analyzer();
  const book = new EdgeBook({ maxSamples: samplesOfRequests(), ttlUs: 100 }).requests;
  const counter = new RequestCounter(inspector, book);
  const names = namesAs("shop");
  for (const server of [0, 1]) inspector.operations.requested(operation(inspector, server), 1);
  counter.update(names, 0);
  assert.deepEqual(
    book.list().map(({ destination, requests }) => [destination, requests]),
    [
      ["shop", 1],
      [OTHER_EDGE, 1],
    ],
  );
  assert.equal(book.overflow, 1);
});

test("no counter goes back and no request is lost, whatever is renamed, leaves the page or becomes many", () => {
  const step = fc.record({
    server: fc.nat(3),
    us: fc.nat(8_000_000),
    isError: fc.boolean(),
    times: fc.nat(40),
    name: fc.constantFrom("x", "y"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { inspector } = new Analyzer();
      const book = new EdgeBook({ maxSamples: samplesOfRequests() * 2, ttlUs: 300 }).requests;
      const counter = new RequestCounter(inspector, book);
      const before = new Map<string, readonly number[]>();
      let asked = 0;
      steps.forEach(({ server, us, isError, times, name }, i) => {
        for (let n = 0; n < times; n++) {
          const number = operation(inspector, server);
          inspector.operations.requested(number, 1);
          inspector.operations.answered(number, 0, us, 200, isError, 1);
        }
        asked += times;
        counter.update(namesAs(name), i * 100);
        for (const { destination, requests, errors, durations } of book.list()) {
          const now = [requests, errors, durations.count, durations.sum, ...durations.counts];
          const last = before.get(destination) ?? now.map(() => 0);
          assert.ok(now.every((value, at) => value >= last[at]! - 1e-9));
          assert.ok(
            [...durations.counts, durations.count].every((n, at, all) => at === 0 || n >= all[at - 1]!),
          );
          before.set(destination, now);
        }
      });
      assert.equal(
        [...before.values()].reduce((sum, [requests]) => sum + requests!, 0),
        asked,
      );
    }),
  );
});
