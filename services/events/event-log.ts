import { eventLine, type LabEvent } from "./event.js";
import { EventFile } from "./event-file.js";

/** Milliseconds in which a repeated event is only counted. */
const WINDOW_MS = 1000;
/** Most different events in that time; further ones are only counted. */
const MAX_OPEN = 100;

interface Open {
  readonly event: LabEvent;
  /** Since the line that was written. */
  count: number;
  readonly until: number;
}

/** Destination of lines. */
export interface LineSink {
  /** True: older lines were removed. Throws the system's error. */
  append(line: string): boolean;
  close(): void;
}

/**
 * Writes events as they happen; repeats within a second are counted and written once at its end. It never blocks
 * its caller: a line that cannot be written is counted, reported once, and again when there is room.
 */
export class EventLog {
  readonly #open = new Map<string, Open>();
  #lost = 0;
  #lostWhy = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sink: LineSink | null,
    private readonly reporter: string,
    private readonly say: (problem: string) => void,
  ) {}

  /** Writes repeated events when their second is over, also without further events. */
  start(): void {
    this.#timer = setInterval(() => this.flush(Date.now()), WINDOW_MS).unref();
  }

  /** `now`: milliseconds since the epoch, here and below. */
  note(event: LabEvent, now: number): void {
    if (this.sink === null) return;
    this.flush(now);
    const key = JSON.stringify([event.event, event.fields]);
    const open = this.#open.get(key);
    const count = event.count ?? 1;
    if (open !== undefined) open.count += count;
    else if (this.#open.size >= MAX_OPEN) this.#lose(count, "too many different events at once");
    else {
      this.#open.set(key, { event, count: 0, until: now + WINDOW_MS });
      this.#write(event, now);
    }
  }

  /** Writes repeated events whose second is over. */
  flush(now: number): void {
    this.#flush(now, (open) => open.until <= now);
  }

  close(now: number): void {
    clearInterval(this.#timer);
    this.#flush(now, () => true);
    if (this.#lost > 0) this.#attempt(() => this.#tellOfLoss(now), 0);
    this.sink?.close();
  }

  #flush(now: number, isDue: (open: Open) => boolean): void {
    for (const [key, open] of this.#open) {
      if (!isDue(open)) continue;
      this.#open.delete(key);
      if (open.count > 0) this.#write({ ...open.event, count: open.count }, now);
    }
  }

  #write(event: LabEvent, now: number): void {
    this.#attempt(() => {
      if (this.#lost > 0) this.#tellOfLoss(now);
      if (this.sink!.append(eventLine(event, this.reporter, now)))
        this.sink!.append(eventLine(lossOf(1, "the file was full and starts again"), this.reporter, now));
    }, event.count ?? 1);
  }

  /** `count`: how many events are lost if it fails. */
  #attempt(act: () => void, count: number): void {
    try {
      act();
    } catch (error) {
      if (this.#lost === 0) this.say(`events cannot be written: ${(error as Error).message}`);
      this.#lose(count, (error as NodeJS.ErrnoException).code ?? "unknown");
    }
  }

  #lose(count: number, why: string): void {
    this.#lost += count;
    this.#lostWhy = why;
  }

  #tellOfLoss(now: number): void {
    this.sink!.append(eventLine(lossOf(this.#lost, this.#lostWhy), this.reporter, now));
    this.#lost = 0;
  }
}

function lossOf(count: number, reason: string): LabEvent {
  return {
    event: "events-lost",
    severity: "warning",
    text: `${count} or more events are not in this log: ${reason}`,
    fields: { reason },
    count,
  };
}

/** The lab's own file must not fill /run; the operator rotates a file of their own. */
const OWN_LIMIT_BYTES = 8 << 20;

/** Opens the log of one process. If it cannot be opened the process continues without it, and says so. */
export function openEventLog(
  where: { readonly path: string; readonly own: boolean } | undefined,
  reporter: string,
  say: (problem: string) => void,
): EventLog {
  if (where === undefined) return new EventLog(null, reporter, say);
  try {
    const sink = new EventFile(where.path, where.own ? OWN_LIMIT_BYTES : Number.POSITIVE_INFINITY);
    const log = new EventLog(sink, reporter, say);
    log.start();
    return log;
  } catch (error) {
    say(`events are not written: ${(error as Error).message}`);
    return new EventLog(null, reporter, say);
  }
}
