/** The names file of a command. Separate from the live sources of names, which load much more code. */
import { type Names, NamesError, readNames } from "../capture/names/names.js";
import { CommandError, ExitCode, reasonOf } from "../exit.js";

/** Reads a names file. Throws CommandError. */
export function loadNames(path: string): Names {
  try {
    return readNames(path);
  } catch (error) {
    const reason = error instanceof NamesError ? error.message : reasonOf(error);
    throw new CommandError(ExitCode.unreadable, `names file ${path}: ${reason}`);
  }
}
