import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { benchmarkSchema } from "../../src/analyze/benchmark/benchmark.js";
import { runCommand } from "../host/command.js";
import type { Engine } from "./engine.test.fixture.js";

const CLI = fileURLToPath(new URL("../../src/cli.js", import.meta.url));

/** The lab's state is in /run: a private /run separates it from any other lab on the machine, and must be empty at the end. */
const APART =
  'mount -t tmpfs tmpfs /run && "$@" && [ ! -e /run/netwatch-lab ] && [ -z "$(ls -A /run/netns)" ]';

/** In the engine's network namespace: the lab is brought up there, beside the engine's bridges. */
export async function benchmark(engine: Engine): Promise<void> {
  const few = ["--requests", "100", "--concurrency", "5", "--rounds", "2", "--warmup", "0", "-o", "json"];
  const env = [`DOCKER_HOST=unix://${engine.socket}`, process.execPath, CLI, "lab", "bench", ...few];
  const place = [`--net=/run/netns/${engine.netns}`, "unshare", "--mount", "--propagation", "private"];
  const text = await runCommand("nsenter", [...place, "sh", "-c", APART, "sh", "env", ...env], {
    timeoutMs: 900_000,
  });
  const { modes, comparisons, left_out } = benchmarkSchema.parse(JSON.parse(text));
  assert.deepEqual(left_out, []);
  assert.deepEqual(
    modes.map(({ mode, rounds }) => [mode, ...rounds.map(({ turn }) => turn)]),
    [
      ["lab", 1, 4],
      ["docker", 2, 3],
    ],
  );
  for (const { mode, rounds, wire, wire_problem } of modes) {
    for (const { requests, errors, cpu_seconds_per_request } of rounds) {
      assert.deepEqual([requests, errors], [100, { connect: 0, receive: 0, exception: 0, status: 0 }], mode);
      assert.ok(cpu_seconds_per_request! > 0, mode);
    }
    assert.ok(wire, `${mode}: ${wire_problem}`);
    assert.ok(wire.handshake_p50_seconds! > 0, mode);
    const hops = wire.hops.map(({ client, server }) => `${client} > ${server}`);
    for (const hop of ["client > nginx-lb", "nginx-lb > api-gateway", "api-gateway > product-service"])
      assert.ok(hops.includes(hop), `${mode}: ${hop} is not among ${hops.join(", ")}`);
  }
  assert.deepEqual(new Set(comparisons.map(({ verdict }) => verdict)), new Set(["too-few"]));
  assert.match(
    modes[1]!.facts.join(" "),
    /14 containers .*Limits, which the lab's servers do not have: 13 containers 1 CPU/,
  );
}
