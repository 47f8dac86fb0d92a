/** Health checks beside a live run, as the metrics show them: by service, never by address. */
import type { HealthReport } from "../../analyze/snapshot.js";
import { PeerThread } from "../../capture/peers/peer-thread.js";
import { HEALTH_INTERVAL_MS, type HealthPoll, openHealthPoll } from "../../engine/health-poll.js";
import type { ExposedHealth } from "../../report/metrics/state.js";

export class HealthRounds {
  readonly #peers = new PeerThread();
  #poll: HealthPoll;
  #timer: NodeJS.Timeout | null = null;
  #report: HealthReport | null = null;

  /** Throws CommandError. */
  constructor(
    private readonly namesFile: string,
    private readonly registry: URL | undefined,
    private readonly onReport: (report: HealthReport) => void = () => {},
  ) {
    this.#poll = openHealthPoll(namesFile, registry, this.#peers);
  }

  /** Resolves when all that it needs is read from disk: afterwards root may be given up. */
  async load(): Promise<void> {
    await this.#peers.load();
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
    this.#poll = openHealthPoll(this.namesFile, this.registry, this.#peers);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    void this.#peers.close();
  }

  expose(): ExposedHealth[] {
    return this.#report === null ? [] : exposeHealth(this.#report);
  }
}

/** A service of several servers is up when all that have been asked are; its times are those of the slowest. */
export function exposeHealth({ targets }: HealthReport): ExposedHealth[] {
  const services = new Map<string, ExposedHealth>();
  for (const { service: target, state, latency_seconds: seconds, own_delay_seconds: ownSeconds } of targets) {
    const before = services.get(target) ?? { target, up: null, seconds: null, ownSeconds: null };
    const up = state === "unknown" ? before.up : state !== "down" && before.up !== false;
    const isSlowest = seconds !== null && seconds >= (before.seconds ?? 0);
    services.set(target, isSlowest ? { target, up, seconds, ownSeconds } : { ...before, up });
  }
  return [...services.values()];
}
