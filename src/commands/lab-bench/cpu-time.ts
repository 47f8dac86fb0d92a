import { readdirSync, readFileSync } from "node:fs";

/** Seconds on a CPU since its start, by process. */
export type CpuTimes = ReadonlyMap<number, number>;

/**
 * What the processes have used so far: the sum over their threads of the first field of schedstat (kernel
 * Documentation/scheduler/sched-stats.rst: nanoseconds on the CPU; the ticks of `stat` would be as coarse as a short round).
 * Null if the kernel has no such counter.
 */
export function readCpuTimes(pids: readonly number[], proc = "/proc"): CpuTimes | null {
  const times = new Map<number, number>();
  let kept = pids.length === 0;
  for (const pid of pids) {
    try {
      let nanoseconds = 0;
      for (const thread of readdirSync(`${proc}/${pid}/task`)) {
        const text = readFileSync(`${proc}/${pid}/task/${thread}/schedstat`, "utf8");
        nanoseconds += Number(text.split(" ", 1)[0]);
      }
      times.set(pid, nanoseconds / 1e9);
      kept = true;
    } catch {
      // it ended in between, or nothing is kept
    }
  }
  return kept ? times : null;
}

/** Seconds used between two readings. A process that began in between counts whole, one that ended does not count. */
export function cpuUsed(before: CpuTimes | null, after: CpuTimes | null): number | null {
  if (before === null || after === null || after.size === 0) return null;
  let seconds = 0;
  for (const [pid, time] of after) seconds += Math.max(0, time - (before.get(pid) ?? 0));
  return seconds;
}
