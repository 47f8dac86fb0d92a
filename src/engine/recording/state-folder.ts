/** Where netwatch keeps what it saw last. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { User } from "../../capture/kernel/privilege.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$XDG_STATE_HOME/netwatch`, by the XDG Base Directory specification `~/.local/state/netwatch` where that is not set. */
export function stateFolder(env: Environment): string {
  const state = env.XDG_STATE_HOME;
  return join(state && isAbsolute(state) ? state : join(homedir(), ".local", "state"), "netwatch");
}

/** Where the last Snapshot is. */
export function keptPath(env: Environment): string {
  return join(stateFolder(env), "last.json");
}

/** The environment by which state is kept in the home of the one who called, where somebody did who has one. */
export function environmentOf(caller: User | null, env: Environment): Environment {
  return caller?.home ? { ...env, XDG_STATE_HOME: join(caller.home, ".local", "state") } : env;
}
