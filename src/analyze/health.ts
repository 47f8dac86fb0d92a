/** Summarises health checks: state, latency over a window, availability, last change. Bounded; reads no clock. */
import type { CheckResult, HealthTarget } from "../capture/health/health.js";
import type { HealthReport, HealthState, HealthTargetReport } from "./snapshot/snapshot.js";
import { formatTime } from "./time.js";

/** Checks that a target is remembered by: ten minutes at the usual interval. */
export const WINDOW = 60;
/** Slower than this is degraded. */
const SLOW_SECONDS = 0.5;
/** A latency of this many times the usual is degraded too, if it is above the noise. */
const SLOW_TIMES = 10;
const FLUTTER_SECONDS = 0.05;
/** Answers before "usual" means something. */
const ENOUGH = 5;

interface Check {
  readonly state: HealthState;
  readonly seconds: number;
  readonly ownSeconds: number | null;
}

interface Course {
  readonly target: HealthTarget;
  /** Oldest first, at most `WINDOW`. */
  readonly checks: Check[];
  reason: string | null;
  changedUs: number | null;
}

export class HealthTracker {
  readonly #courses = new Map<string, Course>();

  /** Sets the targets of the report. A target that remains keeps its history, also at another port. */
  follow(targets: readonly HealthTarget[]): void {
    const before = new Map(this.#courses);
    this.#courses.clear();
    for (const target of targets) {
      const known = before.get(keyOf(target));
      const course = known ? { ...known, target } : { target, checks: [], reason: null, changedUs: null };
      this.#courses.set(keyOf(target), course);
    }
  }

  /** Records a check of a followed target; ignores others. */
  add(target: HealthTarget, { failure, seconds, ownSeconds }: CheckResult, timeUs: number): void {
    const course = this.#courses.get(keyOf(target));
    if (!course) return;
    const usual = quantile(answered(course), 0.5);
    const limit =
      usual === null || answered(course).length < ENOUGH
        ? SLOW_SECONDS
        : Math.min(SLOW_SECONDS, Math.max(usual * SLOW_TIMES, FLUTTER_SECONDS));
    const state: HealthState =
      failure !== null ? "down" : seconds - (ownSeconds ?? 0) > limit ? "degraded" : "up";
    const last = course.checks.at(-1)?.state;
    if (last !== undefined && last !== state) course.changedUs = timeUs;
    course.reason = failure ?? (state === "degraded" ? "slow" : null);
    course.checks.push({ state, seconds, ownSeconds });
    if (course.checks.length > WINDOW) course.checks.shift();
  }

  report(timeUs: number): HealthReport {
    const targets = [...this.#courses.values()].map(reportOf);
    return { format: "netwatch-health", version: 1, time: formatTime(timeUs), targets };
  }
}

function reportOf(course: Course): HealthTargetReport {
  const { target, checks, reason, changedUs } = course;
  const latencies = answered(course);
  const last = checks.at(-1);
  return {
    service: target.service,
    address: target.address,
    port: target.port,
    check: target.check,
    state: last?.state ?? "unknown",
    reason,
    latency_seconds: last && last.state !== "down" ? last.seconds : null,
    own_delay_seconds: last && last.state !== "down" ? last.ownSeconds : null,
    p50_seconds: quantile(latencies, 0.5),
    p95_seconds: quantile(latencies, 0.95),
    changed: changedUs === null ? null : formatTime(changedUs),
    availability: checks.length === 0 ? null : latencies.length / checks.length,
    history: checks.map(({ state }) => state),
  };
}

function answered({ checks }: Course): number[] {
  return checks.filter(({ state }) => state !== "down").map(({ seconds }) => seconds);
}

/** The smallest value that at least the part `q` of all does not exceed (nearest rank). */
function quantile(values: readonly number[], q: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}

function keyOf({ service, address, check }: HealthTarget): string {
  return `${address} ${check} ${service}`;
}
