/** The clock that the kernel stamps addresses with: jiffies, which run a constant behind the monotonic clock. */
import { readFileSync } from "node:fs";

/** Ticks a second that Linux can be built for. */
const TICK_RATES = [100, 250, 300, 1000];
/** Jiffies begin this many seconds before their 32 bits run over (linux/jiffies.h, INITIAL_JIFFIES). */
const HEAD_START_SECONDS = 300;
/** A larger difference means another rate. */
const MAX_LAG_CS = 1000;

/** Most readings of the lag: a busy machine may interrupt any of them. */
const READINGS = 5;
const QUICK_CS = 1;

/** Hundredths of a second since boot by the monotonic clock. */
function monotonicCs(): number {
  return Number(process.hrtime.bigint()) / 1e7;
}

/** How far jiffies are behind `monotonic`, in hundredths of a second, where /proc/timer_list says `jiffies`; 0 if no rate fits. */
export function lagOf(jiffies: number, monotonic: number): number {
  const lags = TICK_RATES.map((rate) => monotonic - ((jiffies - 2 ** 32) / rate + HEAD_START_SECONDS) * 100);
  const best = lags.reduce((a, b) => (Math.abs(a) < Math.abs(b) ? a : b));
  return Math.abs(best) <= MAX_LAG_CS ? best : 0;
}

/** The lag of this machine; 0, up to a tenth of a second wrong, without the right to read it (only root has it). */
function readLag(): number {
  try {
    let best = { lag: 0, tookCs: Number.POSITIVE_INFINITY };
    // The quickest reading was interrupted least.
    for (let i = 0; i < READINGS; i++) {
      const before = monotonicCs();
      const jiffies = /^jiffies: (\d+)$/m.exec(readFileSync("/proc/timer_list", "latin1"))?.[1];
      const tookCs = monotonicCs() - before;
      if (jiffies !== undefined && tookCs < best.tookCs)
        best = { lag: lagOf(Number(jiffies), before), tookCs };
      if (tookCs < QUICK_CS) break;
    }
    return best.lag;
  } catch {
    return 0;
  }
}

/** The clock, in hundredths of a second. Its lag is read at the first use, before privilege is given up. */
export function createAddressClock(): () => number {
  let lag: number | null = null;
  return () => {
    lag ??= readLag();
    return Math.round(monotonicCs() - lag);
  };
}

/** How long ago a stamp was made. Stamps have 32 bits (497 days); one slightly in the future was made just now. */
export function ageCs(clockCs: number, stampCs: number): number {
  const age = (clockCs - stampCs) | 0;
  return age < 0 && age >= -MAX_LAG_CS ? 0 : age >>> 0;
}
