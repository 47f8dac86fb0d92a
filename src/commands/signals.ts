/** Signals that end a command in good order, and when they do not. */
import { constants } from "node:os";
import { isNamedPipe } from "../output-path.js";
import type { Terminal } from "./terminal.js";

/** What ends a command that goes on until it is told to end. `serve` has another use for SIGHUP. */
const ENDS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The first signal that came for `interruption`. */
let came: NodeJS.Signals | null = null;

/** Comes with the first of these signals; a second one ends the process as usual. */
export function interruption(signals: readonly NodeJS.Signals[] = ENDS): AbortSignal {
  const controller = new AbortController();
  for (const name of signals)
    process.once(name, () => {
      came ??= name;
      controller.abort();
    });
  return controller.signal;
}

/** What the process is to end with: a shell's code for SIGHUP where that ended what did not fail. */
export function statusOf(code: number): number {
  return code === 0 && came === "SIGHUP" ? 128 + constants.signals.SIGHUP : code;
}

/** Whether what a signal would bring in order is still to begin, or done. */
export type Phase = "before" | "after";

/**
 * Does what may wait for the other end of named pipes among `paths`, which is said, where there is nothing to bring in order: a signal
 * ends the process at once meanwhile, even in a system call, as if nobody listened for it. One that came shortly before does too, where
 * nothing has begun. Throws what `act` throws.
 */
export async function waitingFor<T>(
  paths: readonly (string | undefined)[],
  terminal: Terminal,
  act: () => T | Promise<T>,
  phase: Phase = "before",
): Promise<T> {
  const heard = ENDS.map((name) => [name, process.rawListeners(name)] as const);
  for (const [name] of heard) process.removeAllListeners(name);
  if (came !== null && phase === "before") process.kill(process.pid, came);
  try {
    for (const path of new Set(paths))
      if (isNamedPipe(path)) terminal.say(`${path}: a named pipe; waits for its other end`);
    return await act();
  } finally {
    for (const [name, listeners] of heard)
      for (const listener of listeners) process.on(name, listener as NodeJS.SignalsListener);
  }
}
