/** Reads a sidecar: names, connection tracking and health of a live run, at its end or at any moment. */
import { createReadStream } from "node:fs";
import type { ConntrackContext } from "../../analyze/snapshot/build.js";
import { readerOf } from "../../analyze/snapshot/reading.js";
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import type { Names } from "../../capture/names/names.js";
import { type SidecarLine, sidecarLine } from "../../engine/recording/sidecar-lines.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { toPath } from "../../path-bytes.js";
import { checkRoom } from "./json-memory.js";
import { SidecarState } from "./sidecar-state.js";

/** State at the end of the run. */
export interface Sidecar {
  readonly path: string;
  /** null: the run used none. */
  readonly names: Names | null;
  /** null: the run did not ask connection tracking. */
  readonly conntrack: ConntrackContext | null;
  /** As of the last round; null: the run did not ask. */
  readonly health: HealthReport | null;
  /** The file ends in the middle of a line, which is left out. */
  readonly cut: boolean;
}

/** A line of a million connections is shorter. */
const MAX_LINE = 512 * 1024 * 1024;
/** Lines of this or another version. */
const reader = readerOf(sidecarLine);
const KINDS: ReadonlySet<unknown> = new Set(sidecarLine.options.map(({ shape }) => shape.kind.value));

/** Reads and checks all lines. Throws CommandError with the problem and its line. */
export async function readSidecar(path: string): Promise<Sidecar> {
  const lines = new Lines(path);
  const state = new SidecarState();
  for await (const line of lines.read()) state.take(line);
  const { names, conntrack, health } = state;
  return { path, names, conntrack, health, cut: lines.cut };
}

/** Reads a sidecar along with its capture: the run's state at each moment. */
export class SidecarPlayer {
  readonly #lines: AsyncIterator<SidecarLine>;
  readonly #state = new SidecarState();
  /** The next line, whose time has not come yet; null: none. */
  #next: SidecarLine | null = null;
  #started = false;

  constructor(path: string) {
    this.#lines = new Lines(path).read()[Symbol.asyncIterator]();
  }

  /** Reads the lines up to a time, microseconds since 1970; +Infinity: all. Throws CommandError. */
  async advance(untilUs: number): Promise<void> {
    if (!this.#started) await this.#step();
    this.#started = true;
    while (this.#next !== null && timeOf(this.#next) <= untilUs) {
      this.#state.take(this.#next);
      await this.#step();
    }
  }

  get conntrack(): ConntrackContext | null {
    return this.#state.conntrack;
  }

  /** The same object until another round is read. */
  get health(): HealthReport | null {
    return this.#state.health;
  }

  async #step(): Promise<void> {
    const { value, done } = await this.#lines.next();
    this.#next = done ? null : value;
  }

  /** Call if it is not read to its end. */
  async close(): Promise<void> {
    this.#next = null;
    await this.#lines.return?.();
  }
}

/** Time of a line, microseconds since 1970. */
function timeOf(line: SidecarLine): number {
  if (line.kind === "conntrack") return line.capture.poll_us;
  return line.kind === "health" ? line.time_us : Number.NEGATIVE_INFINITY;
}

/** Lines of a file, one in memory at a time. */
class Lines {
  /** The file does not end with a line break. */
  cut = false;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** All lines, checked, without kinds that only a later version knows. Throws CommandError. */
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

/** null: a line of an unknown kind, after the first line. */
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
