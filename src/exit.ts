/** How the program ends: the codes scripts can rely on, and the error that carries one. */

export const ExitCode = {
  ok: 0,
  /** An unexpected error. */
  failure: 1,
  usage: 2,
  permission: 3,
  noInterface: 4,
  badFilter: 5,
  /** A file that cannot be opened or is not of the right kind: nothing was read from it. */
  unreadable: 6,
  /** A damaged file: the good part was read and reported. */
  damaged: 7,
  /** An output could not be written. */
  unwritable: 8,
  /** A check failed: `health` found a service down. */
  findings: 9,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Meaning of each code, as the help and docs/captures.md list them. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  [ExitCode.ok]: "ok",
  [ExitCode.failure]: "failure",
  [ExitCode.usage]: "usage",
  [ExitCode.permission]: "no permission",
  [ExitCode.noInterface]: "no such interface",
  [ExitCode.badFilter]: "bad filter",
  [ExitCode.unreadable]: "a file that cannot be read",
  [ExitCode.damaged]: "a damaged file, its good part reported",
  [ExitCode.unwritable]: "an output that cannot be written",
  [ExitCode.findings]: "`health`: a service is down",
};

/** An error with a message for the user: one line, without the program's name. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EISDIR: "is a directory",
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOSPC: "no space left on the device",
  EROFS: "read-only file system",
  ENOTDIR: "a part of the path is not a directory",
  ELOOP: "too many symbolic links",
  EMFILE: "too many open files",
  EDQUOT: "disk quota exceeded",
  ENAMETOOLONG: "name too long",
  ENXIO: "no such device, or a named pipe without a reader",
};

/** The text of a system error. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && REASONS[code]) ?? message;
}
