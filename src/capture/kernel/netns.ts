/** Network namespaces: runs code in another one. A socket or /proc file opened there stays tied to it. */
import { readdirSync, statSync } from "node:fs";
import { Flag, libc, SystemError } from "./libc.js";

/** Where `ip netns add` leaves them (ip-netns(8)). */
const NAMED = "/run/netns";
/** Of the calling thread: setns moves only that thread. */
const OWN = "/proc/thread-self/ns/net";

/** A namespace by its name under /run/netns, by a path (with a slash), or by a process in it. */
export type NetnsTarget = string | number;

/** A namespace that cannot be entered. `message` is one line; `code` is the system's, such as ENOENT or EPERM. */
export class NetnsError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The file of the namespace. */
function netnsPath(target: NetnsTarget): string {
  if (typeof target === "number") return `/proc/${target}/ns/net`;
  return target.includes("/") ? target : `${NAMED}/${target}`;
}

/** Names under /run/netns, sorted. Empty if there is no such folder. */
export function listNetns(): string[] {
  try {
    return readdirSync(NAMED).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Identity of a namespace, whatever its name; null: it does not exist (any more). */
export function netnsId(target: NetnsTarget | null): number | null {
  return statSync(target === null ? OWN : netnsPath(target), { throwIfNoEntry: false })?.ino ?? null;
}

/**
 * Runs `fn` inside the namespace and returns to this one, also if `fn` throws. `fn` must be synchronous: deferred work
 * runs outside. Needs CAP_SYS_ADMIN. `null`: stay here. Throws NetnsError if the namespace cannot be entered.
 */
export function withNetns<T>(target: NetnsTarget | null, fn: () => T): T {
  if (target === null) return fn();
  const { open, close, setns } = libc();
  const own = open(OWN, Flag.closeOnExec);
  try {
    const there = openTarget(target);
    try {
      setns(there, Flag.newNetwork);
    } catch (error) {
      throw explain(target, error);
    } finally {
      close(there);
    }
    try {
      return fn();
    } finally {
      setns(own, Flag.newNetwork);
    }
  } finally {
    close(own);
  }
}

function openTarget(target: NetnsTarget): number {
  try {
    return libc().open(netnsPath(target), Flag.closeOnExec);
  } catch (error) {
    throw explain(target, error);
  }
}

function explain(target: NetnsTarget, error: unknown): Error {
  if (!(error instanceof SystemError)) return error as Error;
  const what =
    typeof target === "number" ? `network namespace of process ${target}` : `network namespace ${target}`;
  switch (error.code) {
    case "ENOENT":
      return new NetnsError(error.code, `no ${what}; \`ip netns list\` shows the names there are`);
    case "EPERM":
    case "EACCES":
      return new NetnsError(error.code, `entering the ${what} needs CAP_SYS_ADMIN`);
    case "EINVAL":
      return new NetnsError(error.code, `${netnsPath(target)} is not a network namespace`);
    default:
      return new NetnsError(error.code, `the ${what} cannot be entered: ${error.message}`);
  }
}
