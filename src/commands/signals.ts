/** Signals that end a command in an orderly way. */
import { constants } from "node:os";
import { isNamedPipe } from "../output-path.js";
import type { Terminal } from "./terminal.js";

/** Signals that end a command without an end of its own. `serve` uses SIGHUP for a reload. */
const ENDS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The first signal that came for `interruption`. */
let came: NodeJS.Signals | null = null;

/** Resolves at the first of these signals; a second one ends the process at once. */
export function interruption(signals: readonly NodeJS.Signals[] = ENDS): AbortSignal {
  const controller = new AbortController();
  for (const name of signals)
    process.once(name, () => {
      came ??= name;
      controller.abort();
    });
  return controller.signal;
}

/** The exit code of the process: a shell's code for SIGHUP if that ended a run without failure. */
export function statusOf(code: number): number {
  return code === 0 && came === "SIGHUP" ? 128 + constants.signals.SIGHUP : code;
}

/** Whether there is nothing to clean up after a signal: not yet begun, or done. */
export type Phase = "before" | "after";

/**
 * Runs `act`, which may wait for the other end of named pipes among `paths`, and says so. There is nothing to clean up yet: a signal
 * ends the process at once, even in a system call, as without a handler. So does a signal shortly before, if
 * no work has begun. Throws what `act` throws.
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
