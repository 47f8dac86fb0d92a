import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { HealthReport } from "../analyze/snapshot/snapshot.js";
import { type CommandError, ExitCode } from "../exit.js";
import { until } from "../until.test.fixture.js";
import { type HealthOptions, health, renderHealth } from "./health.js";
import type { Terminal } from "./terminal.js";
import { createFakeTerminal } from "./terminal.test.fixture.js";

const common = { interval: 1, output: "json", signal: new AbortController().signal } as const;

test("one round says who is up, and ends with 9 when one is down", async (t) => {
  const server = createServer((_, response) => response.end("ok"));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  t.after(close);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const terminal = createFakeTerminal();
  const names = join(terminal.folder, "names.json");
  const services = { web: { addresses: ["127.0.0.1"], ports: [port], health: "/" } };
  writeFileSync(names, JSON.stringify({ services }));
  const run = (over: Partial<HealthOptions>) =>
    health({ ...common, names, ...over, output: "ndjson" }, terminal);
  const last = () => JSON.parse(terminal.out().trimEnd().split("\n").at(-1)!) as HealthReport;
  // A machine that does much else may be slow, or take the two seconds that a check has.
  await until(async () => (await run({})) === ExitCode.ok && last().targets[0]?.state === "up");
  close();
  assert.equal(await run({}), ExitCode.findings);
  await assert.rejects(health(common, terminal), (error: CommandError) => error.exitCode === ExitCode.usage);
  writeFileSync(names, '{"web": "127.0.0.1"}');
  await assert.rejects(run({}), /no service in it has a port/);
  writeFileSync(names, "{");
  await assert.rejects(run({}), (error: CommandError) => error.exitCode === ExitCode.unreadable);
  terminal.dispose();
});

test("a watch prints a round at a time until it is told to end", async () => {
  const terminal = createFakeTerminal();
  const names = join(terminal.folder, "names.json");
  writeFileSync(names, '{"nobody": "127.0.0.1:1"}');
  const end = new AbortController();
  const { signal } = end;
  let rounds = 0;
  const write: Terminal["write"] = async (pieces) => {
    await terminal.write(pieces);
    if (++rounds === 3) end.abort();
  };
  const options = { names, watch: true, interval: 0.05, output: "ndjson", signal } as const;
  assert.equal(await health(options, { ...terminal, write }), ExitCode.ok);
  const reports = terminal
    .out()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as HealthReport);
  assert.deepEqual(reports.at(-1)?.targets[0]?.history, ["down", "down", "down"]);
  terminal.dispose();
});

test("the table tells the state in words, and foreign text is made safe", () => {
  const target = {
    service: "we\u001bb",
    address: "fd00::1",
    port: 80,
    check: "http",
    latency_seconds: 0.0123,
    own_delay_seconds: 0.0004,
    p50_seconds: 0.01,
    p95_seconds: 0.02,
    changed: "2026-11-22T10:00:00.000000Z",
    availability: 0.9,
    history: [],
  } as const;
  const targets = [
    { ...target, state: "up", reason: null },
    { ...target, state: "down", reason: "answered \u0007", latency_seconds: null, own_delay_seconds: null },
    { ...target, state: "degraded", reason: "slow" },
  ] as const;
  const report = {
    format: "netwatch-health",
    version: 1,
    time: "2026-11-22T10:01:00.000000Z",
    targets,
  } as const;
  const text = [...renderHealth(report, { width: 100, color: false })].join("");
  assert.equal(
    text,
    `1 of 3 servers up, 1 slow, 1 DOWN at 2026-11-22 10:01:00 UTC

Health
  State     Service  Asked at          Now  Own delay      p95  Why
  UP        we\\x1bb  [fd00::1]:80  12.3 ms     400 µs  20.0 ms  up since 10:00:00
  DOWN      we\\x1bb  [fd00::1]:80        -          -  20.0 ms  answered \\x07 since 10:00:00
  DEGRADED  we\\x1bb  [fd00::1]:80  12.3 ms     400 µs  20.0 ms  slow since 10:00:00
`,
  );
});
