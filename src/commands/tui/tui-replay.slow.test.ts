import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { HealthReport, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { SidecarWriter } from "../../engine/recording/sidecar-writer.js";
import { createFakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { replay } from "./tui-replay.js";

/** When the capture begins, and how long it is. */
const START_US = Date.parse("2026-11-22T10:59:11Z") * 1000;
const SECONDS = 24.3;

test("a replay shows each round of health checks of its sidecar, at its time, however fast it is played", async () => {
  const terminal = createFakeTerminal();
  const sidecar = join(terminal.folder, "shop.ndjson");
  const writer = new SidecarWriter(sidecar, "netwatch 0", START_US);
  const target = { service: "web", address: "10.0.0.10", port: 80, check: "http", path: "/" } as const;
  for (const [second, failure] of [
    [0, null],
    [10, "nobody listens"],
    [20, null],
    [40, "late"],
  ] as const) {
    const timeUs = START_US + second * 1e6;
    writer.addHealth([{ target, result: { failure, seconds: 0.01, ownSeconds: 0.001 }, timeUs }], timeUs);
  }
  writer.close();
  const played = async (speed: number, interval: number) => {
    const seen: (string | number)[] = [];
    const view = {
      show: ({ window }: Snapshot) => void seen.push(window.duration),
      onEvent: () => {},
      showHealth: ({ targets }: HealthReport) =>
        void seen.push(`${targets[0]!.history.length} ${targets[0]!.state}`),
    };
    const options = {
      read: [join(ROOT, "fixtures/shop.pcapng")],
      sidecar,
      speed,
      interval,
      healthInterval: 10,
      signal: new AbortController().signal,
    };
    assert.equal(await replay(options, view, "netwatch 0", terminal), 0);
    return seen;
  };
  const rounds = ["1 up", "2 down", "3 up", "4 down"];
  const fast = await played(1e6, 0.1);
  assert.deepEqual(
    fast.filter((of) => typeof of === "string"),
    rounds,
  );
  const steps = await played(100, 0.05); // five seconds of it at each look
  assert.deepEqual(
    steps.filter((of) => typeof of === "string"),
    rounds,
  );
  const before = (round: string) =>
    steps.slice(0, steps.indexOf(round)).filter((of) => typeof of === "number");
  for (const [round, second] of [
    ["2 down", 10],
    ["3 up", 20],
  ] as const)
    assert.ok(Number(before(round).at(-1)) < second && Number(before(round).at(-1)) > second - 6, round);
  assert.ok(Number(steps.at(-1)) > SECONDS - 1, "the last round comes with the last packets");
  terminal.dispose();
});
