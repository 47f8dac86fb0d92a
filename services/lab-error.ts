/** A failure to tell the user in one line; `exitCode` is what the process should end with: of netwatch's own, 1, 2 or 3. */
export class LabError extends Error {
  override readonly name = "LabError";

  constructor(
    message: string,
    readonly exitCode = 1,
  ) {
    super(message);
  }
}
