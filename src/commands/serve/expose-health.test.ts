import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthState, HealthTargetReport } from "../../analyze/snapshot/snapshot.js";
import { exposeHealth } from "./expose-health.js";

function target(service: string, state: HealthState, seconds: number | null): HealthTargetReport {
  return {
    service,
    address: "10.0.0.1",
    port: 80,
    check: "http",
    state,
    reason: null,
    latency_seconds: seconds,
    own_delay_seconds: seconds && seconds / 100,
    p50_seconds: null,
    p95_seconds: null,
    changed: null,
    availability: null,
    history: [],
  };
}

test("a service is up when all its servers that were asked are, as slow as the slowest, and its address is not shown", () => {
  const targets = [
    target("web", "up", 0.1),
    target("web", "degraded", 0.3),
    target("db", "down", null),
    target("db", "up", 0.2),
    target("new", "unknown", null),
    target("__proto__", "up", 0.1),
  ];
  assert.deepEqual(exposeHealth({ format: "netwatch-health", version: 1, time: "", targets }), [
    { target: "web", up: true, seconds: 0.3, ownSeconds: 0.003 },
    { target: "db", up: false, seconds: 0.2, ownSeconds: 0.002 },
    { target: "new", up: null, seconds: null, ownSeconds: null },
    { target: "__proto__", up: true, seconds: 0.1, ownSeconds: 0.001 },
  ]);
});
