import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventTracker } from "./event-tracker.js";
import type { HealthReport, HealthTargetReport, LedgerInterface, Snapshot } from "./snapshot/snapshot.js";

/** As much of a Snapshot as is looked at. */
function snapshot(
  pairs: readonly (readonly [string, string])[],
  { dropped = 0 as number | null, ended = null as string | null, omitted = 0 } = {},
): Snapshot {
  const rows = pairs.map(([source, destination]) => ({ source, destination }));
  return {
    ledger: { dropped, interfaces: [{ name: "br-app", ended } as LedgerInterface] },
    tables: {
      pairs: { rows: omitted > 0 ? [...rows, { source: "other", destination: "other" }] : rows, omitted },
    },
  } as unknown as Snapshot;
}

const names = (events: ReturnType<EventTracker["look"]>) =>
  events.map(({ event, count, fields }) => [event, count, fields.source ?? ""]);

test("who talks at the first look is known; who comes later is told once, in either direction", () => {
  const tracker = new EventTracker();
  assert.deepEqual(tracker.look(snapshot([["a", "b"]])), []);
  const told = tracker.look(
    snapshot([
      ["a", "b"],
      ["b", "a"],
      ["a", "c"],
      ["c", "a"],
    ]),
  );
  assert.deepEqual(names(told), [["new-pair", 1, "a"]]);
  assert.deepEqual(tracker.look(snapshot([["c", "a"]])), []);
});

test("the row `other` is no service", () => {
  const tracker = new EventTracker();
  tracker.look(snapshot([]));
  assert.deepEqual(tracker.look(snapshot([], { omitted: 7 })), []);
});

test("of a scan twenty pairs are told one by one and the rest as a sum", () => {
  const tracker = new EventTracker();
  tracker.look(snapshot([]));
  const scan = Array.from({ length: 500 }, (_, i) => ["scanner", `host-${i}`] as const);
  const told = tracker.look(snapshot(scan));
  assert.equal(told.length, 21);
  assert.deepEqual(names(told).at(-1), ["new-pair", 480, ""]);
});

test("more pairs than are remembered: said once, and none is told as new any more", () => {
  const tracker = new EventTracker({ maxPairs: 100 });
  tracker.look(snapshot([]));
  const many = Array.from({ length: 150 }, (_, i) => ["a", `b-${i}`] as const);
  const told = tracker.look(snapshot(many));
  assert.equal(told.at(-1)?.event, "events-lost");
  assert.deepEqual(tracker.look(snapshot([["x", "y"]])), []);
});

test("as many pairs as are remembered are told; one more is too many, also at the first look", () => {
  const many = Array.from({ length: 100 }, (_, i) => ["a", `b-${i}`] as const);
  const whole = new EventTracker({ maxPairs: 101 });
  whole.look(snapshot(many));
  assert.deepEqual(names(whole.look(snapshot([...many, ["x", "y"]]))), [["new-pair", 1, "x"]]);
  assert.deepEqual(names(whole.look(snapshot([["x", "z"]]))), [["events-lost", 1, ""]]);
  const small = new EventTracker({ maxPairs: 99 });
  assert.deepEqual(names(small.look(snapshot(many))), [["events-lost", 1, ""]]);
  assert.deepEqual(small.look(snapshot([["x", "y"]])), []);
});

test("however the pairs come, each is told at most once", () => {
  const pair = fc.tuple(fc.constantFrom("a", "b", "c", "__proto__"), fc.constantFrom("a", "b", "c", "d"));
  fc.assert(
    fc.property(fc.array(fc.array(pair, { maxLength: 8 }), { maxLength: 8 }), (looks) => {
      const tracker = new EventTracker();
      const told = looks.flatMap((pairs) => tracker.look(snapshot(pairs)));
      const keys = told.map(({ fields }) => [fields.source, fields.destination].sort().join());
      assert.equal(new Set(keys).size, keys.length);
    }),
  );
});

test("losses are told by how many since the look before; an interface that ended once, with the reason", () => {
  const tracker = new EventTracker();
  assert.deepEqual(tracker.look(snapshot([], { dropped: null })), []);
  assert.equal(tracker.look(snapshot([], { dropped: 5 }))[0]?.count, 5);
  assert.deepEqual(tracker.look(snapshot([], { dropped: 5 })), []);
  const [lost, ended] = tracker.look(snapshot([], { dropped: 8, ended: "the interface is gone" }));
  assert.deepEqual(
    [lost?.count, ended?.event, ended?.fields.reason],
    [3, "capture-ended", "the interface is gone"],
  );
  assert.deepEqual(tracker.look(snapshot([], { dropped: 8, ended: "the interface is gone" })), []);
});

test("an interface that comes back is told, also where it went and came between two looks; again gone is told again", () => {
  const tracker = new EventTracker();
  const look = (ended: string | null, outages: number) => {
    const { ledger, ...rest } = snapshot([], { ended });
    const interfaces = [{ ...ledger.interfaces![0]!, outages }];
    return tracker.look({ ...rest, ledger: { ...ledger, interfaces } }).map(({ event }) => event);
  };
  assert.deepEqual(look(null, 0), []);
  assert.deepEqual(look("down", 1), ["capture-ended"]);
  assert.deepEqual(look("gone", 1), ["capture-ended"], "for another reason");
  assert.deepEqual(look("gone", 1), []);
  assert.deepEqual(look(null, 1), ["capture-resumed"]);
  assert.deepEqual(look(null, 2), ["capture-resumed"]);
  assert.deepEqual(look("gone", 3), ["capture-ended"]);
});

test("what is told reads as a sentence; names stand in it as they are", () => {
  const tracker = new EventTracker();
  const sentences = (events: ReturnType<EventTracker["look"]>) => events.map(({ text }) => text);
  const named = (state: object) => ({ interfaces: [{ name: "br\u001b0", outages: 0, ...state }] });
  const look = (pairs: readonly (readonly [string, string])[], state: object, dropped: number) =>
    sentences(
      tracker.look({ ...snapshot(pairs), ledger: { dropped, ...named(state) } } as unknown as Snapshot),
    );
  assert.deepEqual(look([], { ended: null }, 0), []);
  assert.deepEqual(look([["a\u001b", "b"]], { ended: "it is\u0007 gone" }, 1), [
    "1 packet dropped by the kernel",
    "br\x1b0 gives no more packets: it is\x07 gone",
    "a\x1b and b talk for the first time",
  ]);
  assert.deepEqual(look([], { ended: null, outages: 1 }, 1), [
    "br\x1b0 is back; packets meanwhile are missing",
  ]);
  const target = { service: "web", address: "10.0.0.1", port: 80, state: "up", reason: null };
  const health = (over: object) =>
    sentences(tracker.health({ targets: [{ ...target, ...over }] } as unknown as HealthReport));
  assert.deepEqual(health({}), []);
  assert.deepEqual(health({ port: 81, state: "down", reason: "no \u001blistener" }), [
    "web (10.0.0.1) moved from port 80 to 81",
    "web (10.0.0.1) is down: no \x1blistener",
  ]);
});

test("health is told when it changes and not as it is found; a move is told with both ports", () => {
  const target = (state: string, port: number, reason: string | null = null) =>
    ({ service: "payment", address: "10.0.0.80", port, state, reason }) as HealthTargetReport;
  const report = (...targets: HealthTargetReport[]): HealthReport => ({
    format: "netwatch-health",
    version: 1,
    time: "",
    targets,
  });
  const tracker = new EventTracker();
  assert.deepEqual(tracker.health(report(target("down", 8003, "refused"))), []);
  assert.deepEqual(tracker.health(report(target("down", 8003, "refused"))), []);
  const [moved, up] = tracker.health(report(target("up", 8005)));
  assert.deepEqual(moved?.fields, {
    service: "payment",
    address: "10.0.0.80",
    from_port: 8003,
    to_port: 8005,
  });
  assert.deepEqual([up?.fields.before, up?.fields.state, up?.severity], ["down", "up", "notice"]);
  assert.equal(tracker.health(report(target("down", 8005, "refused")))[0]?.severity, "warning");
  assert.deepEqual(tracker.health(report()), []);
});
