/** Readable axes: binary units, and times at round steps of the clock. */
import { formatBytes } from "../../format.js";

export interface ByteScale {
  readonly divisor: number;
  /** `MiB`. */
  readonly unit: string;
}

/** The binary unit that fits numbers up to `max` bytes. */
export function byteScale(max: number): ByteScale {
  const [, unit = "B"] = formatBytes(max).split(" ");
  let divisor = 1;
  while (formatBytes(divisor).split(" ")[1] !== unit) divisor *= 1024;
  return { divisor, unit };
}

/** Seconds between two marks of a time axis; each divides the next unit of the clock. */
const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 7_776_000, 31_536_000, 315_360_000,
] as const;
const DAY = 86_400;

export interface TimeMark {
  /** Seconds since the axis began. */
  readonly at: number;
  readonly text: string;
}

export interface TimeAxis {
  readonly marks: readonly TimeMark[];
  /** The axis title. */
  readonly title: string;
}

/** At most `most` marks over `duration` seconds from `startMs` (milliseconds since 1970, UTC). */
export function timeAxis(startMs: number, duration: number, most: number): TimeAxis {
  const step = STEPS.find((seconds) => duration / seconds <= most) ?? duration / most;
  const start = startMs / 1000;
  const marks: TimeMark[] = [];
  for (let i = Math.ceil(start / step - 1e-6); i * step <= start + duration + step * 1e-6; i++) {
    const text = markText(i * step, step);
    if (text === null) break;
    marks.push({ at: Math.max(0, i * step - start), text });
  }
  const day = instant(start)?.slice(0, 10);
  return { marks, title: step >= DAY || day === undefined ? "Date (UTC)" : `Time of day (UTC), from ${day}` };
}

function markText(seconds: number, step: number): string | null {
  const text = instant(seconds);
  if (text === null) return null;
  if (step >= DAY) return text.slice(0, 10);
  if (step >= 60) return text.slice(11, 16);
  return step >= 1 ? text.slice(11, 19) : text.slice(11, 23);
}

/** ISO 8601; null for a time outside Date's range. */
function instant(seconds: number): string | null {
  const date = new Date(Math.round(seconds * 1000));
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
