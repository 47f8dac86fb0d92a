/** What a capture that cannot begin is to a command: its exit code, and what to type. */
import { CaptureError, type CaptureFailure } from "../../capture/live/live.js";
import { type Outside, withCure } from "../../engine/outside.js";
import { CommandError, ExitCode } from "../../exit.js";

const EXIT_CODES: Readonly<Record<CaptureFailure, ExitCode>> = {
  permission: ExitCode.permission,
  interface: ExitCode.noInterface,
  filter: ExitCode.badFilter,
  unsupported: ExitCode.failure,
  usage: ExitCode.usage,
};

/** The error as a command ends with it; another one stays as it is. */
export function asCommandError(error: unknown, outside: Pick<Outside, "asRoot"> = {}): unknown {
  if (!(error instanceof CaptureError)) return error;
  const { failure, message } = error;
  return new CommandError(
    EXIT_CODES[failure],
    failure === "permission" ? withCure(message, outside) : message,
  );
}
