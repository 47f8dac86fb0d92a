/** The event log of a live run: JSON lines appended to a file, as `deploy/events/event.schema.json` describes them. */
import { constants, writeSync } from "node:fs";
import type { NetworkEvent } from "../../analyze/event-tracker.js";
import { formatTime } from "../../analyze/time.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { agree, escapeUnits, formatCounted, visible } from "../../format.js";
import { type OpenOutput, openOutput } from "../../output-path.js";
import type { Subscriber } from "../run.js";

const MAX_TEXT = 400;
const MAX_FIELD = 200;

/** One line without its end: plain ASCII, bounded. */
export function eventLine({ event, severity, count, text, fields }: NetworkEvent, timeUs: number): string {
  const safe = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? bounded(value, MAX_FIELD) : value,
  ]);
  return toAscii({
    format: "netwatch-event",
    version: 1,
    time: formatTime(timeUs),
    program: "netwatch",
    reporter: "netwatch",
    event,
    severity,
    count,
    text: bounded(text, MAX_TEXT),
    ...Object.fromEntries(safe),
  });
}

/** A cut through an escape leaves printable text. */
function bounded(text: string, limit: number): string {
  return visible(text.slice(0, limit)).slice(0, limit);
}

/** What is not ASCII stands as the escape that JSON has for it: the value is the same, and a terminal is safe. */
function toAscii(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escapeUnits);
}

/** Follows a run and writes its events. A line that cannot be written is counted and reported once; the run continues. */
export class EventWriter implements Subscriber {
  readonly #path: string;
  readonly #subject: string;
  readonly #say: (line: string) => void;
  #output: OpenOutput | null = null;
  /** The last write was cut short: the next begins a new line. */
  #torn = false;
  /** Since the last line that could be written. */
  #lost = 0;
  #lostWhy = "";
  /** In all. */
  #failed = 0;

  constructor(path: string, subject: string, say: (line: string) => void) {
    this.#path = path;
    this.#subject = subject;
    this.#say = say;
  }

  /** Opens the file for appending, as the current user. Links are not followed. Throws CommandError. */
  open(nowUs: number): void {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    try {
      this.#output = openOutput(this.#path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      throw new CommandError(ExitCode.unwritable, `${this.#path}: ${reasonOf(error)}`);
    }
    this.onEvent(turn(this.#subject, "started"), nowUs);
  }

  /** Why the file lacks events, in one sentence; null: it is complete. */
  close(nowUs: number): string | null {
    if (this.#output === null) return null;
    this.onEvent(turn(this.#subject, "ended"), nowUs);
    this.#output.close();
    this.#output = null;
    return this.#failed === 0
      ? null
      : `${this.#path}: ${formatCounted(this.#failed, "event")} could not be written`;
  }

  onEvent(event: NetworkEvent, nowUs: number): void {
    if (this.#output === null) return;
    try {
      if (this.#lost > 0) this.#append(eventLine(lossOf(this.#lost, this.#lostWhy), nowUs), this.#output.fd);
      this.#lost = 0;
      this.#append(eventLine(event, nowUs), this.#output.fd);
    } catch (error) {
      if (this.#failed === 0) this.#say(`${this.#path}: events are lost: ${reasonOf(error)}`);
      this.#failed++;
      this.#lost++;
      this.#lostWhy = reasonOf(error);
    }
  }

  #append(line: string, fd: number): void {
    const bytes = Buffer.from(`${this.#torn ? "\n" : ""}${line}\n`);
    const written = writeSync(fd, bytes);
    this.#torn = written < bytes.length;
    if (this.#torn) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  }
}

function turn(subject: string, state: "started" | "ended"): NetworkEvent {
  const text = `the watch of ${subject} ${state}`;
  return { event: "watch", severity: "info", text, count: 1, fields: { state, subject } };
}

function lossOf(count: number, reason: string): NetworkEvent {
  const text = `${formatCounted(count, "event")} ${agree(count, "are")} not in this log: ${reason}`;
  return { event: "events-lost", severity: "warning", text, count, fields: { reason } };
}
