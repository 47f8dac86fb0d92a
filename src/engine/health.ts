/** Health rounds beside a live run, gathered for its sidecar and its events. */
import type { HealthReport } from "../analyze/snapshot.js";
import { HEALTH_INTERVAL_MS, type HealthCheck, type HealthPoll } from "./health-poll.js";

/** One round that is over. */
export interface HealthRound {
  readonly checks: readonly HealthCheck[];
  readonly report: HealthReport;
  /** Microseconds since 1970. */
  readonly timeUs: number;
}

/** Asks at once and then at every interval, until it is closed. A round under way then is given up. */
export class LiveHealth {
  readonly #poll: HealthPoll;
  readonly #timer: NodeJS.Timeout;
  #rounds: HealthRound[] = [];
  #problem: string | null = null;
  readonly #say: (line: string) => void;

  constructor(poll: HealthPoll, say: (line: string) => void, intervalMs = HEALTH_INTERVAL_MS) {
    this.#poll = poll;
    this.#say = say;
    this.#timer = setInterval(() => this.#ask(), intervalMs);
    this.#ask();
  }

  /** The rounds that have ended since the last call. */
  take(): readonly HealthRound[] {
    const rounds = this.#rounds;
    this.#rounds = [];
    return rounds;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #ask(): void {
    void this.#poll.round().then((report) => {
      const { checks, problem } = this.#poll;
      if (checks.length > 0) this.#rounds.push({ checks, report, timeUs: Date.now() * 1000 });
      if (problem !== null && this.#problem === null) this.#say(problem);
      this.#problem ??= problem;
    });
  }
}
