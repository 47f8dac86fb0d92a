/** A failure to tell the user in one line; `exitCode` is what the process should end with. */
export class LabError extends Error {
  override readonly name = "LabError";

  constructor(
    message: string,
    readonly exitCode = 1,
  ) {
    super(message);
  }
}
