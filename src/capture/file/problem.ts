/** What is wrong with a capture, and the error if nothing can be read. */
import type { CaptureReader } from "./file.js";

/** What is wrong with one capture. */
export interface CaptureProblem {
  /** The capture's name, as it was given. */
  readonly name: string;
  /** `unreadable`: nothing of it is counted. `damaged`: its good part is. */
  readonly kind: "unreadable" | "damaged";
  /** The first thing wrong, a few words. */
  readonly reason: string;
  /** The system's code, such as `ENOENT`, where it could not be opened; null: it could. */
  readonly code: string | null;
  /** Byte of the capture, unpacked, where the first thing wrong is; null: it could not be opened. */
  readonly offset: number | null;
  /** Things wrong in all. */
  readonly count: number;
  /** Packets of it that are counted. */
  readonly packets: number;
  /** Nothing after the first problem is counted. */
  readonly fatal: boolean;
}

/** Nothing of any capture could be read. `message` is one line about the first. */
export class UnreadableError extends Error {
  /** One for each capture that was given, those that could not be opened first; empty: none was given. */
  readonly problems: readonly CaptureProblem[];

  constructor(problems: readonly CaptureProblem[]) {
    const first = problems[0];
    super(first ? `${first.name}: ${first.reason}` : "no capture was given");
    this.problems = problems;
  }
}

/** The problem of a capture that cannot be opened. */
export function openingProblem(name: string, error: unknown): CaptureProblem {
  const { code, message } = error as NodeJS.ErrnoException;
  return {
    name,
    kind: "unreadable",
    reason: message,
    code: code ?? null,
    offset: null,
    count: 1,
    packets: 0,
    fatal: true,
  };
}

/** The problem of a capture that was read to its end; null: none. */
export function problemOf({ name, packets, report }: CaptureReader): CaptureProblem | null {
  const first = report.damages[0];
  if (first === undefined) return null;
  const { offset, reason, fatal } = first;
  const count = report.damageCount;
  // No capture at all, or cut off at the start.
  const kind = packets === 0 && fatal && offset === 0 ? "unreadable" : "damaged";
  return { name, kind, reason, code: null, offset, count, packets, fatal: fatal && count === 1 };
}
