import assert from "node:assert/strict";
import { test } from "node:test";
import type { Benchmark } from "../../analyze/benchmark/benchmark.js";
import {
  makeBenchmark,
  makeMode,
  makeRounds,
  makeWire,
} from "../../analyze/benchmark/benchmark.test.fixture.js";
import { CommandError, ExitCode } from "../../exit.js";
import { renderBenchmark } from "../../report/text/benchmark-text.js";
import { expectGolden } from "../terminal.test.fixture.js";
import { LONGEST_ROUND_SECONDS, planRounds } from "./lab-bench.js";

const LAB = [1054, 1031, 1077, 1049, 1062, 870, 1058];
const DOCKER = [812, 806, 831, 799, 820, 815, 790];

function textOf(benchmark: Benchmark): string {
  const text = [...renderBenchmark(benchmark, { width: 80, color: false })].join("");
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
  return text;
}

test("two modes side by side, as pinned and within 80 columns", () => {
  const docker = makeMode(
    "docker",
    makeRounds(DOCKER, 1).map((round) => ({ ...round, other_length: round.turn === 3 ? 996 : 0 })),
    makeWire({ bytes_per_request: 6902.5, handshake_p50_seconds: 0.000_091 }),
  );
  const lab = makeMode("lab", makeRounds(LAB, 0), makeWire());
  expectGolden("benchmark.txt", textOf(makeBenchmark([lab, docker])));
});

test("one mode alone, the other left out, as pinned", () => {
  const reason = "/run/docker.sock: no such socket";
  const lab = makeMode("lab", makeRounds(LAB.slice(0, 3), 0));
  const benchmark = makeBenchmark([lab], [{ mode: "docker", reason }], {
    keep_alive: true,
    duration_seconds: 10,
    requests: null,
    warmup_rounds: 0,
  });
  expectGolden("benchmark.lab.txt", textOf(benchmark));
});

test("a round: 1,000 requests, or as many as fit into its time; never longer than the limit", () => {
  const plain = { path: "/products", concurrency: 50 };
  assert.deepEqual(planRounds(plain), {
    ...plain,
    requests: 1000,
    durationSeconds: LONGEST_ROUND_SECONDS,
    keepAlive: false,
  });
  assert.equal(planRounds({ ...plain, duration: 10 }).requests, 1_000_000);
  assert.equal(planRounds({ ...plain, duration: 10, requests: 70 }).requests, 70);
});

test("what cannot be meant ends with 2 before anything is done", () => {
  const fails = (options: Parameters<typeof planRounds>[0], message: RegExp) =>
    assert.throws(
      () => planRounds(options),
      (error) =>
        error instanceof CommandError && error.exitCode === ExitCode.usage && message.test(error.message),
    );
  fails({ path: "/", concurrency: 50, requests: 10 }, /--concurrency 50 is more than .* \(10\)/);
  for (const path of ["products", "/a b", "/\u001b[31m", "http://elsewhere/", "-n"])
    fails({ path, concurrency: 1 }, /--path takes a path/);
});
