/** A live capture for programs: a run that is followed by one loop, each turn of which gets the Snapshot of then. */
import { limitSnapshot } from "../analyze/snapshot/limit.js";
import type { Snapshot } from "../analyze/snapshot/snapshot.js";
import { CaptureError } from "../capture/live/live.js";
import { readNames } from "../capture/names/names.js";
import type { CapturedOptions } from "./captured-options.js";
import type { EnrichingOptions } from "./enriching-options.js";
import type { Outside } from "./outside.js";
import { LiveRun } from "./run.js";

/** What a live capture listens to, and what it tells. */
export interface LiveCaptureOptions
  extends Omit<CapturedOptions, "interface" | "bridge" | "waits" | "seed">,
    EnrichingOptions {
  /** Its name, or those of several. */
  readonly interface: string | readonly string[];
  /** Wait for an interface that goes away, in place of ending with it (engine `ring`). Absent: no. */
  readonly waits?: boolean;
  /** Milliseconds from one Snapshot to the next. Absent: 1000. */
  readonly intervalMs?: number;
  /** Rows of each table of a Snapshot, beside `other`, a whole number from 1 on. Absent: 1000. */
  readonly rows?: number;
  /** Ends the capture in good order, as `close` does. */
  readonly signal?: AbortSignal;
  /** Hears, in a line each, what the capture does without: connection tracking, a source of names. */
  readonly onNotice?: (line: string) => void;
}

const DEFAULT_INTERVAL_MS = 1000;
const DEFAULT_ROWS = 1000;
const MAX_INTERVAL_MS = 86_400_000;

/**
 * Packets are taken from when it is opened until it is closed, whether Snapshots are asked for or not. A loop over it gets a Snapshot at every
 * interval, never an old one where it is slow, then the last one. Leaving the loop closes the capture.
 */
export class LiveCapture implements AsyncIterable<Snapshot> {
  readonly #run: LiveRun;
  readonly #rows: number;
  readonly #ending = new AbortController();
  readonly #ended: Promise<Snapshot>;
  /** Made at the last look, and not yet given. */
  #fresh: Snapshot | null = null;
  #wake: () => void = () => {};
  #isOver = false;

  private constructor(run: LiveRun, options: LiveCaptureOptions) {
    const { conntrack = false, intervalMs = DEFAULT_INTERVAL_MS, rows = DEFAULT_ROWS, signal } = options;
    this.#run = run;
    this.#rows = rows;
    const onSnapshot = (snapshot: Snapshot) => {
      this.#fresh = limitSnapshot(snapshot, rows);
      this.#wake();
    };
    const looker = { onSnapshot, wantsEvidence: conntrack };
    run.follow({ subscribers: [looker], intervalMs, lookTicks: 1, taker: null });
    const ends = [this.#ending.signal, ...(signal === undefined ? [] : [signal])];
    this.#ended = this.#watch(AbortSignal.any(ends));
    // The loop and `close` report the error; without them it is dropped.
    this.#ended.catch(() => {});
  }

  /** Opens all that takes rights. Throws CaptureError, NamesError or the system's error of a names file, RangeError; nothing is open then. */
  static async open(options: LiveCaptureOptions, producer: string): Promise<LiveCapture> {
    const { interface: names, intervalMs = DEFAULT_INTERVAL_MS, rows = DEFAULT_ROWS, onNotice } = options;
    if (!(intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS))
      throw new RangeError(`intervalMs is ${intervalMs}, not from 1 to ${MAX_INTERVAL_MS}`);
    if (!(Number.isSafeInteger(rows) && rows >= 1))
      throw new RangeError(`rows is ${rows}, not a whole number from 1 on`);
    const { maxFlows } = options;
    if (maxFlows !== undefined && !(Number.isSafeInteger(maxFlows) && maxFlows >= 1))
      throw new RangeError(`maxFlows is ${maxFlows}, not a whole number from 1 on`);
    const listed = typeof names === "string" ? [names] : names;
    if (listed.length === 0) throw new CaptureError("usage", "no interface is named");
    if (listed.includes("any"))
      throw new CaptureError(
        "usage",
        "the interface `any` sees a bridged packet several times; name the bridge",
      );
    // For its errors: what follows says them as a command does.
    if (options.names !== undefined) readNames(options.names);
    const outside: Outside = { write: async () => {}, say: onNotice ?? (() => {}), env: process.env };
    const run = await LiveRun.open({ ...options, interface: listed }, options, producer, outside);
    return new LiveCapture(run, options);
  }

  async #watch(signal: AbortSignal): Promise<Snapshot> {
    try {
      await this.#run.takePackets(signal);
      this.#run.taps.noteCounters();
      await this.#run.end();
      return limitSnapshot(this.#run.finish(), this.#rows);
    } finally {
      this.#isOver = true;
      this.#run.close();
      this.#wake();
    }
  }

  /** Takes no further packet, and gives what was taken. Resolves with the last Snapshot once all is closed, each time. */
  close(): Promise<Snapshot> {
    this.#ending.abort();
    return this.#ended;
  }

  /** One loop at a time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Snapshot, void> {
    try {
      while (!this.#isOver) {
        const snapshot = this.#fresh;
        this.#fresh = null;
        if (snapshot !== null) yield snapshot;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
      yield await this.#ended;
    } finally {
      await this.close();
    }
  }
}
