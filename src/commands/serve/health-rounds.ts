/** Health checks beside a live run, as the metrics show them: by service, never by address. */
import type { HealthReport } from "../../analyze/snapshot.js";
import type { ExposedHealth } from "../../report/metrics/state.js";
import { HEALTH_INTERVAL_MS, type HealthPoll, openHealthPoll } from "../health-poll.js";

export class HealthRounds {
  #poll: HealthPoll;
  #timer: NodeJS.Timeout | null = null;
  #report: HealthReport | null = null;

  /** Throws CommandError. */
  constructor(
    private readonly namesFile: string,
    private readonly registry: URL | undefined,
    private readonly onReport: (report: HealthReport) => void = () => {},
  ) {
    this.#poll = openHealthPoll(namesFile, registry);
  }

  start(): void {
    const round = () =>
      void this.#poll.round().then((report) => {
        this.#report = report;
        this.onReport(report);
      });
    round();
    this.#timer = setInterval(round, HEALTH_INTERVAL_MS).unref();
  }

  /** Asks from the next round on what the names file lists now. Throws CommandError. */
  reread(): void {
    this.#poll = openHealthPoll(this.namesFile, this.registry);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  expose(): ExposedHealth[] {
    return this.#report === null ? [] : exposeHealth(this.#report);
  }
}

/** A service of several servers is up when all that have been asked are; its time is that of the slowest. */
export function exposeHealth({ targets }: HealthReport): ExposedHealth[] {
  const services = new Map<string, { up: boolean | null; seconds: number | null }>();
  for (const { service, state, latency_seconds: seconds } of targets) {
    const before = services.get(service) ?? { up: null, seconds: null };
    const up = state === "unknown" ? before.up : state !== "down" && before.up !== false;
    services.set(service, {
      up,
      seconds: seconds === null ? before.seconds : Math.max(seconds, before.seconds ?? 0),
    });
  }
  return [...services].map(([target, health]) => ({ target, ...health }));
}
