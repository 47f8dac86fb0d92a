/** Runs rounds of health checks in the background: at once, then at every interval, never two at a time. */
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import { PeerThread } from "../../capture/peers/peer-thread.js";
import { HEALTH_INTERVAL_MS, type HealthCheck, type HealthPoll, openHealthPoll } from "./health-poll.js";

/** One round that is over. */
export interface HealthRound {
  /** Empty: no target could be asked. */
  readonly checks: readonly HealthCheck[];
  readonly report: HealthReport;
  /** Its error in one line; null: none. */
  readonly problem: string | null;
  /** Microseconds since 1970. */
  readonly timeUs: number;
}

/** Checks the services of a names file in a thread of its own, so that other work does not delay a check. */
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

  /** Resolves when all its code is loaded: then root may be given up. */
  async load(): Promise<void> {
    await this.#peers.load();
  }

  /** Keeps no process alive. */
  start(intervalMs = HEALTH_INTERVAL_MS): void {
    this.#timer = setInterval(() => void this.#ask(), intervalMs).unref();
    void this.#ask();
  }

  /** Reads the names file again for the next round. Throws CommandError; then the targets stay the same. */
  reread(): void {
    this.#poll = openHealthPoll(this.#namesFile, this.#registry, this.#peers);
  }

  /** Abandons a running round. */
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
