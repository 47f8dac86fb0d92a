import assert from "node:assert/strict";
import { test } from "node:test";
import { HealthTracker, WINDOW } from "./health.js";

const target = { service: "web", address: "10.0.0.1", port: 80, check: "http", path: "/" } as const;
const answered = (seconds: number, ownSeconds = 0) => ({ failure: null, seconds, ownSeconds });
const down = { failure: "nobody listens", seconds: 0.001, ownSeconds: 0 };

test("a server is not slow by what netwatch itself was at work meanwhile, which is told apart", () => {
  const course = new HealthTracker();
  course.follow([target]);
  course.add(target, answered(0.9, 0.8), 1e6);
  const { state, latency_seconds, own_delay_seconds } = course.report(1e6).targets[0]!;
  assert.deepEqual([state, latency_seconds, own_delay_seconds], ["up", 0.9, 0.8]);
  course.add(target, answered(0.9, 0.1), 2e6);
  assert.equal(course.report(2e6).targets[0]?.state, "degraded");
});

test("state, last change, availability and history follow the checks", () => {
  const course = new HealthTracker();
  course.follow([target]);
  assert.deepEqual(course.report(0).targets[0]?.state, "unknown");
  course.add(target, answered(0.01), 1e6);
  assert.equal(course.report(1e6).targets[0]?.changed, null);
  course.add(target, down, 2e6);
  course.add(target, down, 3e6);
  const report = course.report(3e6).targets[0]!;
  assert.deepEqual(
    [
      report.state,
      report.reason,
      report.changed,
      report.availability,
      report.latency_seconds,
      report.history,
    ],
    ["down", "nobody listens", "1970-01-01T00:00:02.000000Z", 1 / 3, null, ["up", "down", "down"]],
  );
  course.add(target, answered(0.02), 4e6);
  assert.deepEqual(
    [course.report(4e6).targets[0]!.state, course.report(4e6).targets[0]!.reason],
    ["up", null],
  );
});

test("p50 and p95 are by nearest rank, of answers only, over a bounded window", () => {
  const course = new HealthTracker();
  course.follow([target]);
  for (let i = 1; i <= 100; i++) course.add(target, answered(i / 1000), i * 1e6);
  const { p50_seconds, p95_seconds, history } = course.report(0).targets[0]!;
  assert.deepEqual([p50_seconds, p95_seconds, history.length], [0.07, 0.097, WINDOW]);
});

test("slow is degraded: beyond half a second, or ten times the usual where that is no flutter", () => {
  const course = new HealthTracker();
  const state = () => course.report(0).targets[0]!.state;
  course.follow([target]);
  course.add(target, answered(0.6), 0);
  assert.equal(state(), "degraded");
  course.follow([]);
  course.follow([target]);
  for (let i = 0; i < 5; i++) course.add(target, answered(0.001), i);
  course.add(target, answered(0.04), 9);
  assert.equal(state(), "up");
  course.add(target, answered(0.06), 10);
  assert.equal(state(), "degraded");
});

test("a service that moved to another port keeps its past; one that left is forgotten", () => {
  const course = new HealthTracker();
  course.follow([target]);
  course.add(target, down, 1);
  const moved = { ...target, port: 81 };
  course.follow([moved]);
  course.add(moved, answered(0.01), 2);
  assert.deepEqual(course.report(2).targets[0]?.history, ["down", "up"]);
  course.add({ ...target, address: "10.9.9.9" }, down, 3);
  assert.equal(course.report(3).targets.length, 1);
});
