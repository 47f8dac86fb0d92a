/** Rounds of health checks beside whatever else runs: at once, then at every interval, never two at a time. */
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import { PeerThread } from "../../capture/peers/peer-thread.js";
import { HEALTH_INTERVAL_MS, type HealthCheck, type HealthPoll, openHealthPoll } from "./health-poll.js";

/** One round that is over. */
export interface HealthRound {
  /** None where nobody could be asked. */
  readonly checks: readonly HealthCheck[];
  readonly report: HealthReport;
  /** What went wrong in it, a line; null: nothing. */
  readonly problem: string | null;
  /** Microseconds since 1970. */
  readonly timeUs: number;
}

/** Asks the services of a names file, by a thread of its own: the work on another answer is in no duration of a check. */
export class HealthRounds {
  readonly #namesFile: string;
  readonly #registry: URL | undefined;
  readonly #onRound: (round: HealthRound) => void;
  readonly #peers = new PeerThread();
  #poll: HealthPoll;
  #timer: NodeJS.Timeout | null = null;
  #busy = false;
  #closed = false;

  /** `onRound` is called with each round that ends before `close`. Throws CommandError. */
  constructor(namesFile: string, registry: URL | undefined, onRound: (round: HealthRound) => void) {
    this.#namesFile = namesFile;
    this.#registry = registry;
    this.#onRound = onRound;
    this.#poll = openHealthPoll(namesFile, registry, this.#peers);
  }

  /** Resolves when all that it needs is read from disk: afterwards root may be given up. */
  async load(): Promise<void> {
    await this.#peers.load();
  }

  /** Keeps no process alive. */
  start(intervalMs = HEALTH_INTERVAL_MS): void {
    this.#timer = setInterval(() => void this.#ask(), intervalMs).unref();
    void this.#ask();
  }

  /** Asks from the next round on what the names file lists now. Throws CommandError; then it asks as before. */
  reread(): void {
    this.#poll = openHealthPoll(this.#namesFile, this.#registry, this.#peers);
  }

  /** A round under way is given up. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    void this.#peers.close();
  }

  async #ask(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const poll = this.#poll;
    const report = await poll.round();
    this.#busy = false;
    if (this.#closed) return;
    const { checks, problem } = poll;
    this.#onRound({ checks, report, problem, timeUs: Date.now() * 1000 });
  }
}
