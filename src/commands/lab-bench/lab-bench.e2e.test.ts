import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { labDown } from "../../../services/commands/down.js";
import { labFault } from "../../../services/commands/fault.js";
import { isLabRunning } from "../../../services/commands/status.js";
import { labUp } from "../../../services/commands/up.js";
import { labRemains } from "../../../services/e2e/machine.js";
import { guardLab } from "../../../services/guard.test.fixture.js";
import { type CommandResult, tryCommand } from "../../../services/host/command.js";
import { isInstalled, requirePrograms } from "../../../services/host/requirements.js";
import { STATE_DIR } from "../../../services/host/state.js";
import { type Benchmark, benchmarkSchema } from "../../analyze/benchmark/benchmark.js";
import { until } from "../../until.test.fixture.js";
import { ROOT } from "../terminal.test.fixture.js";

const CLI = join(ROOT, "dist/src/cli.js");
const quiet = (): void => {};

function reasonToSkip(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux: it makes network namespaces";
  if (isLabRunning()) return "a lab is up already, and it is not this test's";
  if (!isInstalled("ab")) return "ab (package apache2-utils) is not installed";
  try {
    requirePrograms();
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("lab bench", { skip: reasonToSkip(), timeout: 1_800_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-bench-e2e-"));
  const pdf = join(folder, "bench.pdf");

  const bench = (...words: string[]): Promise<CommandResult> =>
    tryCommand(
      "env",
      ["DOCKER_HOST=unix:///nonexistent/engine.sock", process.execPath, CLI, "lab", "bench", ...words],
      {
        timeoutMs: 600_000,
      },
    );
  const few = ["--requests", "120", "--concurrency", "6", "--rounds", "2", "--warmup", "1"];

  // a killed run's
  let release = (): void => {};
  before(async () => {
    await labDown(quiet);
    release = guardLab();
  });
  after(async () => {
    await labDown(quiet);
    release();
    rmSync(folder, { recursive: true, force: true });
  });

  test("brings a lab up, measures it, says why Docker is left out, and takes the lab down again", async () => {
    const { code, stdout, stderr } = await bench(...few, "-o", "json", "--pdf", pdf);
    assert.equal(code, 0, stderr);
    const value = benchmarkSchema.parse(JSON.parse(stdout));
    assert.deepEqual(value.left_out, [
      { mode: "docker", reason: "/nonexistent/engine.sock: no such socket" },
    ]);
    checkLab(value);
    assert.match(value.modes[0]!.facts[0]!, /profile flat, brought up for this run/);
    assert.equal(readFileSync(pdf).subarray(0, 5).toString(), "%PDF-");
    await assertDown();
  });

  test("without an engine `--mode docker` says so and brings nothing up", async () => {
    const { code, stdout, stderr } = await bench("--mode", "docker");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(stderr, "netwatch: docker: /nonexistent/engine.sock: no such socket\n");
    assert.equal(existsSync(STATE_DIR), false);
  });

  test("an interrupted run takes its lab down and reports nothing", async () => {
    const words = [CLI, "lab", "bench", "--mode", "lab", "--rounds", "50"];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"], timeout: 600_000 });
    const ended = once(child, "close");
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    await until(() => existsSync(`${STATE_DIR}/plan.json`) || child.exitCode !== null);
    child.kill("SIGINT");
    const [code] = await ended;
    const [stdout, stderr] = await output;
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, /netwatch: interrupted: nothing is reported\n$/);
    await assertDown();
  });

  test("a lab that is up is measured as it is and stays up, and not at all while it is not whole", async () => {
    await labUp({ policies: true }, quiet);
    await labFault("web", "dead");
    const broken = await bench(...few, "--mode", "lab");
    assert.deepEqual([broken.code, broken.stdout], [1, ""]);
    assert.match(
      broken.stderr,
      /^netwatch: the lab that is up is not whole: web is dead; run 'netwatch lab up'/m,
    );
    await labUp({}, quiet);
    const { code, stdout, stderr } = await bench(...few, "--mode", "lab", "--keep-alive", "--path", "/");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^The shop under load: GET \/, lab\n/);
    assert.match(
      stdout.replace(/\s+/g, " "),
      /up before; no limit of CPU or memory\. The lab's policies are on/,
    );
    assert.match(stdout, /client → nginx-lb/);
    assert.equal(existsSync(STATE_DIR), true);
  });
});

async function assertDown(): Promise<void> {
  assert.equal(existsSync(STATE_DIR), false);
  assert.deepEqual(await labRemains(), []);
}

function checkLab({ modes, comparisons }: Benchmark): void {
  assert.deepEqual([modes.length, comparisons], [1, []]);
  const { rounds, wire, figures } = modes[0]!;
  assert.deepEqual(
    rounds.map(({ turn, requests }) => [turn, requests]),
    [
      [1, 120],
      [2, 120],
    ],
  );
  for (const { errors, cpu_seconds_per_request, p50_seconds, p99_seconds } of rounds) {
    assert.deepEqual(errors, { connect: 0, receive: 0, exception: 0, status: 0 });
    assert.ok(cpu_seconds_per_request! > 0 && p50_seconds > 0 && p99_seconds >= p50_seconds);
  }
  assert.ok(figures.requests_per_second!.median > 0);
  assert.ok(wire, modes[0]!.wire_problem ?? "");
  assert.equal(wire.dropped, 0);
  assert.ok(wire.handshake_p50_seconds! > 0 && wire.handshake_p50_seconds! < 1);
  const door = wire.hops.find(({ client, server }) => client === "client" && server === "nginx-lb");
  // A handshake, a request, an answer and two ends: no connection has fewer packets.
  assert.ok(door!.packets_per_request >= 8, `${door!.packets_per_request}`);
  assert.ok(wire.bytes_per_request > wire.entrance_bytes_per_request);
}
