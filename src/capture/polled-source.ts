/** An outside source that is polled, may fail, and is then asked less often. */

/** The failures of a source so far. */
export interface SourceFailure {
  readonly source: string;
  /** Of the last failure, one line. */
  readonly reason: string;
  /** Failures in all. */
  readonly count: number;
  /** Whether it fails at present. */
  readonly failing: boolean;
  /** Items beyond a limit; absent: none. */
  readonly omitted?: number;
}

export interface PolledOptions<T> {
  readonly source: string;
  readonly read: () => T | Promise<T>;
  readonly intervalUs: number;
  /** Errors that mean the source does not exist, which is no failure. */
  readonly isAbsent?: (error: unknown) => boolean;
  /** Called once per outage. */
  readonly say: (line: string) => void;
}

const MAX_BACKOFF_US = 60_000_000;

/** Keeps the last good answer. Waits twice as long after each failure, up to a minute. */
export class PolledSource<T> {
  value: T | null = null;
  /** When `value` was read, microseconds since 1970. */
  readAtUs = Number.NEGATIVE_INFINITY;
  readonly #options: PolledOptions<T>;
  #count = 0;
  #inRow = 0;
  #reason = "";
  #askedAtUs = Number.NEGATIVE_INFINITY;

  constructor(options: PolledOptions<T>) {
    this.#options = options;
  }

  get source(): string {
    return this.#options.source;
  }

  /** Null: it has never failed. */
  get failure(): SourceFailure | null {
    if (this.#count === 0) return null;
    return {
      source: this.#options.source,
      reason: this.#reason,
      count: this.#count,
      failing: this.#inRow > 0,
    };
  }

  /** Whether the source is due. True at once if the clock was set back. */
  isDue(nowUs: number): boolean {
    const wait = Math.min(MAX_BACKOFF_US, this.#options.intervalUs * 2 ** Math.min(this.#inRow, 16));
    const waited = nowUs - this.#askedAtUs;
    return waited < 0 || waited >= Math.max(wait, this.#options.intervalUs);
  }

  /** Asks if due; with `last`, asks if it did not fail. True: there is an answer. Never throws. */
  async poll(nowUs: number, last = false): Promise<boolean> {
    if (!this.isDue(nowUs) && !(last && this.#inRow === 0)) return false;
    this.#askedAtUs = nowUs;
    try {
      this.value = await this.#options.read();
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.readAtUs = nowUs;
    this.#inRow = 0;
    return true;
  }

  #fail(error: unknown): void {
    const { source, isAbsent, say } = this.#options;
    this.#inRow++;
    if (isAbsent?.(error)) return;
    this.#count++;
    this.#reason = (error as Error).message.split("\n")[0]!.slice(0, 200);
    if (this.#inRow === 1) say(`${source}: ${this.#reason}; names from it may be missing`);
  }
}
