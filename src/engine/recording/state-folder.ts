/** The folder for the last Snapshot. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { User } from "../../capture/kernel/privilege.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$XDG_STATE_HOME/netwatch`, by the XDG Base Directory specification `~/.local/state/netwatch` where that is not set. */
export function stateFolder(env: Environment): string {
  const state = env.XDG_STATE_HOME;
  return join(state && isAbsolute(state) ? state : join(homedir(), ".local", "state"), "netwatch");
}

/** Path of the last Snapshot. */
export function lastSnapshotPath(env: Environment): string {
  return join(stateFolder(env), "last.json");
}

/** The environment for the state folder: that of the caller's home, if there is a caller with a home. */
export function environmentOf(caller: User | null, env: Environment): Environment {
  return caller?.home ? { ...env, XDG_STATE_HOME: join(caller.home, ".local", "state") } : env;
}
