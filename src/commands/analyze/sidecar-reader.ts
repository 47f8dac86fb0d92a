/** Reads a sidecar: what a live run knew beside its packets, at its end or at any moment of it. */
import { createReadStream } from "node:fs";
import type { TrackingContext } from "../../analyze/snapshot/build.js";
import { readerOf } from "../../analyze/snapshot/reading.js";
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import type { Names } from "../../capture/names/names.js";
import { type SidecarLine, sidecarLine } from "../../engine/recording/sidecar-lines.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { toPath } from "../../path-bytes.js";
import { checkRoom } from "./json-memory.js";
import { SidecarState } from "./sidecar-state.js";

/** What the run knew at its end. */
export interface Sidecar {
  readonly path: string;
  /** null: the run used none. */
  readonly names: Names | null;
  /** null: the run did not ask connection tracking. */
  readonly tracking: TrackingContext | null;
  /** As of the last round; null: the run did not ask. */
  readonly health: HealthReport | null;
  /** It ends in the middle of a line, which is left out. */
  readonly cut: boolean;
}

/** A line of a million connections is shorter. */
const MAX_LINE = 512 * 1024 * 1024;
/** Lines of this or another version. */
const reader = readerOf(sidecarLine);
const KINDS: ReadonlySet<unknown> = new Set(sidecarLine.options.map(({ shape }) => shape.kind.value));

/** Reads all lines and checks each. Throws CommandError that says what is wrong and where. */
export async function readSidecar(path: string): Promise<Sidecar> {
  const lines = new Lines(path);
  const state = new SidecarState();
  for await (const line of lines.read()) state.take(line);
  const { names, tracking, health } = state;
  return { path, names, tracking, health, cut: lines.cut };
}

/** Reads a sidecar along with its capture: what the run knew at each moment. */
export class SidecarPlayer {
  readonly #lines: AsyncIterator<SidecarLine>;
  readonly #state = new SidecarState();
  /** The next line, of a time that has not come yet; null: there is none. */
  #next: SidecarLine | null = null;
  #started = false;

  constructor(path: string) {
    this.#lines = new Lines(path).read()[Symbol.asyncIterator]();
  }

  /** Takes what was written by then, microseconds since 1970; +Infinity: all. Throws CommandError. */
  async advance(untilUs: number): Promise<void> {
    if (!this.#started) await this.#step();
    this.#started = true;
    while (this.#next !== null && timeOf(this.#next) <= untilUs) {
      this.#state.take(this.#next);
      await this.#step();
    }
  }

  get tracking(): TrackingContext | null {
    return this.#state.tracking;
  }

  /** The same value until a further round has been taken. */
  get health(): HealthReport | null {
    return this.#state.health;
  }

  async #step(): Promise<void> {
    const { value, done } = await this.#lines.next();
    this.#next = done ? null : value;
  }

  /** Call where it is not read to its end. */
  async close(): Promise<void> {
    this.#next = null;
    await this.#lines.return?.();
  }
}

/** When a line was known, microseconds since 1970. */
function timeOf(line: SidecarLine): number {
  if (line.kind === "conntrack") return line.capture.poll_us;
  return line.kind === "health" ? line.time_us : Number.NEGATIVE_INFINITY;
}

/** Lines of a file, one in memory at a time. */
class Lines {
  /** The end of the file was no end of a line. */
  cut = false;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** All of them, checked; without those of a kind that only a later version knows. Throws CommandError. */
  async *read(): AsyncGenerator<SidecarLine, void> {
    let number = 0;
    try {
      for await (const text of this.#texts()) {
        const line = parseLine(this.#path, ++number, text);
        if (line === null) continue;
        if ((line.kind === "netwatch-sidecar") !== (number === 1))
          throw wrong(this.#path, number, "no sidecar begins so");
        yield line;
      }
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(ExitCode.unreadable, `sidecar ${this.#path}: ${reasonOf(error)}`);
    }
    if (number === 0) throw new CommandError(ExitCode.unreadable, `sidecar ${this.#path}: has no whole line`);
  }

  async *#texts(): AsyncIterable<string> {
    let pieces: string[] = [];
    let length = 0;
    for await (const chunk of createReadStream(toPath(this.#path), { encoding: "utf8" })) {
      const parts = String(chunk).split("\n");
      for (const [i, part] of parts.entries()) {
        pieces.push(part);
        length += part.length;
        if (length > MAX_LINE) throw new Error(`a line is longer than ${MAX_LINE} characters`);
        if (i === parts.length - 1) break;
        yield pieces.join("");
        pieces = [];
        length = 0;
      }
    }
    this.cut = length > 0;
  }
}

/** null: it is of a kind that is not known, behind the first line. */
function parseLine(path: string, number: number, text: string): SidecarLine | null {
  let value: unknown;
  try {
    checkRoom(text);
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(path, number, error instanceof SyntaxError ? "not JSON" : (error as Error).message);
  }
  if (number > 1 && isOfUnknownKind(value)) return null;
  const { success, data, error } = reader.safeParse(value);
  if (success) return data;
  const issue = error.issues[0]!;
  throw wrong(
    path,
    number,
    `${issue.path.join(".").slice(0, 80) || "value"}: ${issue.message.slice(0, 200)}`,
  );
}

function isOfUnknownKind(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "kind")) return false;
  const { kind } = value as { kind: unknown };
  return typeof kind === "string" && !KINDS.has(kind);
}

function wrong(path: string, number: number, what: string): CommandError {
  return new CommandError(ExitCode.unreadable, `sidecar ${path}: line ${number}: ${what}`);
}
