/** A failure to tell the user in one line; `exitCode` is the process's exit code: 1, 2 or 3 of netwatch's. */
export class LabError extends Error {
  override readonly name = "LabError";

  constructor(
    message: string,
    readonly exitCode = 1,
  ) {
    super(message);
  }
}
