/** How long those who gave a wrong password wait before the next is looked at: longer each time. Bounded by addresses. */

const MAX_SOURCES = 1_024;
const FIRST_MS = 250;
const LONGEST_MS = 4_000;
/** So long after the last failure all is forgotten. */
const FORGET_MS = 600_000;

interface Failures {
  count: number;
  lastMs: number;
}

export class LoginDelays {
  readonly #failures = new Map<string, Failures>();

  /** Milliseconds that remain. */
  waitMs(source: string, nowMs: number): number {
    const failures = this.#failures.get(source);
    if (failures === undefined || nowMs - failures.lastMs > FORGET_MS) return 0;
    const delay = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures.count - 1));
    return Math.max(0, failures.lastMs + delay - nowMs);
  }

  /** When there are too many addresses, the one that failed longest ago is forgotten. */
  fail(source: string, nowMs: number): void {
    const before = this.#failures.get(source);
    const count = before === undefined || nowMs - before.lastMs > FORGET_MS ? 1 : before.count + 1;
    this.#failures.delete(source);
    if (this.#failures.size >= MAX_SOURCES) this.#failures.delete(this.#failures.keys().next().value!);
    this.#failures.set(source, { count, lastMs: nowMs });
  }

  succeed(source: string): void {
    this.#failures.delete(source);
  }

  get size(): number {
    return this.#failures.size;
  }
}
