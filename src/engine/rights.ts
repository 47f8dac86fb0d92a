/** How a live command gives root up. */
import {
  dropPrivileges,
  invokingUser,
  type User,
  unprivilegedUser,
  userNamed,
} from "../capture/kernel/privilege.js";
import { opener } from "../capture/opener/opener.js";
import { CommandError, ExitCode } from "../exit.js";
import type { Environment } from "./recording/state-folder.js";

/** The rights with which a run opens its outputs. */
export interface Rights {
  /** The caller or the named user; null: root itself called, or the caller is unknown. */
  readonly caller: User | null;
  /** Root itself called: its files are opened before root is given up, and root stays their owner. The files of others are opened after. */
  readonly isRoots: boolean;
  /** Becomes the caller, or the user `nobody`. `polls`: keeps the right to poll connection tracking and namespaces. */
  giveUp(polls: boolean): void;
}

/** `user`: the user to become instead of the caller. Throws CommandError if there is no such user. */
export function rightsOf(user: string | undefined, env: Environment): Rights {
  const named = user === undefined ? null : userNamed(user);
  if (user !== undefined && named === null) throw new CommandError(ExitCode.usage, `no user ${user}`);
  const caller = named ?? invokingUser(env);
  return {
    caller,
    isRoots: caller === null && process.geteuid?.() === 0,
    giveUp: (polls) => dropPrivileges(caller ?? unprivilegedUser(env), opener().seal(polls)),
  };
}
