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

/** By whose rights a run opens its outputs. */
export interface Rights {
  /** Who called, or was named; null: root itself called, or nobody is known to have. */
  readonly caller: User | null;
  /** Root itself called: its files are opened before root is given up, and stay root's. The files of others are opened after. */
  readonly isRoots: boolean;
  /** Becomes the caller, or nobody. `polls`: the right to ask connection tracking and namespaces remains. */
  giveUp(polls: boolean): void;
}

/** `user`: whom to become, in place of who called. Throws CommandError where there is no such user. */
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
