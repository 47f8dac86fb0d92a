import { fireLoad, type LoadFigures } from "./apache-bench.js";
import { cpuUsed, readCpuTimes } from "./cpu-time.js";
import type { BenchTarget } from "./target.js";

/** The load for each target in each round. */
export interface RoundPlan {
  readonly path: string;
  readonly requests: number;
  readonly concurrency: number;
  readonly durationSeconds: number;
  readonly keepAlive: boolean;
}

export interface Round extends LoadFigures {
  /** Seconds on a CPU of the processes that serve, while the round lasted; null: not known. */
  readonly cpuSeconds: number | null;
  /** Seconds that limits of CPU held servers back, summed over them; null: no limits, or unknown. */
  readonly throttledSeconds: number | null;
}

export async function runRound(target: BenchTarget, plan: RoundPlan): Promise<Round> {
  const { path, ...order } = plan;
  const throttledBefore = await target.throttledSeconds();
  const before = readCpuTimes(await target.pids());
  const figures = await fireLoad({ ...order, url: `${target.origin}${path}`, netns: target.netns });
  const cpuSeconds = cpuUsed(before, readCpuTimes(await target.pids()));
  const throttled = await target.throttledSeconds();
  const throttledSeconds =
    throttled === null || throttledBefore === null ? null : Math.max(0, throttled - throttledBefore);
  return { ...figures, cpuSeconds, throttledSeconds };
}

/**
 * The order of targets: all once per round, reversed in every other round (A B, B A, A B, ...), so that neither a machine that
 * slows down nor the position in a round favours a target.
 */
export function turns<T>(targets: readonly T[], rounds: number): T[] {
  return Array.from({ length: rounds }, (_, i) => (i % 2 === 0 ? targets : targets.toReversed())).flat();
}
