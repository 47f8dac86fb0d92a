/** Rounds as a Benchmark: figures with their spread, comparisons, findings. */
import { cpus, release, type } from "node:os";
import {
  type Benchmark,
  type BenchmarkMode,
  type BenchmarkRound,
  FIGURES,
  type Wire,
} from "../../analyze/benchmark/benchmark.js";
import { compareModes, RULE, valuesOf } from "../../analyze/benchmark/compare.js";
import { concludeBenchmark } from "../../analyze/benchmark/conclusion.js";
import { spreadOf } from "../../analyze/benchmark/statistics.js";
import type { LabBenchOptions } from "./lab-bench.js";
import type { Round } from "./rounds.js";
import type { BenchMode, BenchTarget } from "./target.js";

/** Default size of a round, without a number of requests or a duration. */
export const DEFAULT_REQUESTS = 1000;

/** A mode that could not be measured. */
export interface LeftOut {
  mode: BenchMode;
  reason: string;
}

/** A mode with its measurements. */
export interface MeasuredMode {
  readonly target: BenchTarget;
  readonly rounds: readonly { readonly turn: number; readonly round: Round }[];
  readonly wire: Wire | null;
  readonly wireProblem: string | null;
}

/** Builds the value that every view reads from the measurements. */
export function assembleBenchmark(
  measured: readonly MeasuredMode[],
  left_out: LeftOut[],
  options: LabBenchOptions,
  producer: string,
): Benchmark {
  const modes = measured.map(describeMode);
  const [first, second] = modes;
  const value = {
    format: "netwatch-benchmark" as const,
    version: 1 as const,
    producer,
    time: options.date.toISOString(),
    machine: {
      cpus: cpus().length,
      cpu: cpus()[0]?.model.trim() || "unknown",
      system: `${type()} ${release()}`,
    },
    load: {
      tool: measured[0]!.rounds[0]!.round.tool,
      path: options.path,
      requests: options.requests ?? (options.duration === undefined ? DEFAULT_REQUESTS : null),
      concurrency: options.concurrency,
      duration_seconds: options.duration ?? null,
      keep_alive: options.keepAlive === true,
      rounds: options.rounds,
      warmup_rounds: options.warmup,
    },
    modes,
    left_out,
    comparisons: first && second ? compareModes(first, second) : [],
    rule: first && second ? RULE : null,
  };
  return { ...value, findings: concludeBenchmark(value) };
}

function describeMode({ target, rounds, wire, wireProblem }: MeasuredMode): BenchmarkMode {
  const described = rounds.map(describeRound);
  const figures = FIGURES.map((figure) => {
    const values = valuesOf({ rounds: described }, figure);
    return [figure, values === null ? null : spreadOf(values)] as const;
  });
  return {
    mode: target.mode,
    origin: target.origin,
    entrance: target.entrance,
    client: target.client,
    servers: Object.fromEntries([...target.servers].sort(([a], [b]) => (a < b ? -1 : 1))),
    facts: [...target.facts],
    rounds: described,
    figures: Object.fromEntries(figures) as BenchmarkMode["figures"],
    wire,
    wire_problem: wireProblem,
  };
}

function describeRound({ turn, round }: { turn: number; round: Round }): BenchmarkRound {
  return {
    turn,
    requests: round.requests,
    seconds: round.seconds,
    requests_per_second: round.requestsPerSecond,
    p50_seconds: round.p50Seconds,
    p95_seconds: round.p95Seconds,
    p99_seconds: round.p99Seconds,
    max_seconds: round.maxSeconds,
    cpu_seconds_per_request: round.cpuSeconds === null ? null : round.cpuSeconds / round.requests,
    throttled_seconds: round.throttledSeconds,
    errors: { ...round.errors },
    other_length: round.otherLength,
  };
}
