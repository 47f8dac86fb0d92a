/** Executes a live command again with only the capabilities it needs, before it loads or opens anything. */
import { closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { confineWrites } from "../capture/kernel/landlock.js";
import { libc } from "../capture/kernel/libc.js";
import {
  Capability,
  invokingUser,
  isPrivileged,
  mayChangeUser,
  type User,
  unprivilegedUser,
  userNamed,
  withEffective,
} from "../capture/kernel/privilege.js";
import { beginAnew, takeUpOpener } from "../capture/opener/launch.js";
import { type Environment, environmentOf, stateFolder } from "../engine/recording/state-folder.js";
import type { LiveWords } from "./capture/live-options.js";
import { parseListen } from "./serve/web/listen-address.js";

/** The actions of a command that need rights. */
export interface Needs
  extends Partial<Pick<LiveWords, "engine" | "events" | "netns" | "sidecar" | "user" | "write">> {
  /** Folders that it also writes to. */
  readonly folders?: readonly string[];
  /** Where a server listens. */
  readonly listen?: string;
}

/** For root that becomes another user: the right to do so, and until then to read and write as root. */
const OF_ROOT: readonly Capability[] = [
  Capability.dacOverride,
  Capability.dacReadSearch,
  Capability.fowner,
  Capability.setgid,
  Capability.setuid,
  Capability.setpcap,
];
/** Ports below need a capability, unless a sysctl says otherwise (ip(7)). */
const FREE_PORTS = 1024;

/** Returns if that is done, or there is nothing to give up. Without koffi no live source can be opened; a later step reports that. */
export function shedCapabilities(needs: Needs, env: Environment): void {
  if (takeUpOpener() || !hasLibc() || !isPrivileged()) return;
  const target = (needs.user === undefined ? null : userNamed(needs.user)) ?? unprivilegedUser(env);
  beginAnew(capabilitiesFor(needs, target), () => confineWrites(foldersOf(needs, env)));
}

function hasLibc(): boolean {
  try {
    libc();
    return true;
  } catch {
    return false;
  }
}

function capabilitiesFor({ engine, netns, listen }: Needs, target: User): Capability[] {
  const keep: Capability[] = [];
  // libpcap opens its own socket.
  if (engine === "cap") keep.push(Capability.netRaw);
  if (engine === "cap" && netns !== undefined) keep.push(Capability.sysAdmin);
  const { port } = parseListen(listen);
  if (port > 0 && port < FREE_PORTS) keep.push(Capability.netBindService);
  if (mayChangeUser() && target.uid !== 0) keep.push(...OF_ROOT);
  else if (!isReadable()) keep.push(Capability.dacReadSearch);
  return keep;
}

/** Whether the program can be read without capabilities: root may run it from another user's folder. */
function isReadable(): boolean {
  return withEffective([], () => {
    try {
      closeSync(openSync(fileURLToPath(import.meta.url), "r"));
      return true;
    } catch {
      return false;
    }
  });
}

function foldersOf({ user, write, sidecar, events, folders = [] }: Needs, env: Environment): string[] {
  const files = [write, sidecar, events].filter((path) => path !== undefined);
  const caller = user === undefined ? invokingUser(env) : userNamed(user);
  const state = [env, environmentOf(caller, env)].map(stateFolder);
  return ["/dev", ...files.map((path) => dirname(path)), ...folders, ...state];
}
