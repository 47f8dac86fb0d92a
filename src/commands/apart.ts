/** Has a live command begin anew with no more capabilities than it needs, before it loads or opens anything. */
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
import type { LiveWords } from "./capture/live-words.js";
import { parseListen } from "./serve/listen-address.js";

/** What the command is going to do that takes a right. */
export interface Needs
  extends Partial<Pick<LiveWords, "engine" | "events" | "netns" | "sidecar" | "user" | "write">> {
  /** Folders that it also writes to. */
  readonly folders?: readonly string[];
  /** Where a server listens. */
  readonly listen?: string;
}

/** Root that becomes another user: to do so, and until then to write and read whatever root may. */
const OF_ROOT: readonly Capability[] = [
  Capability.dacOverride,
  Capability.dacReadSearch,
  Capability.fowner,
  Capability.setgid,
  Capability.setuid,
  Capability.setpcap,
];
/** Ports below take a capability, unless the kernel is told otherwise (ip(7)). */
const FREE_PORTS = 1024;

/** Returns where that is done, or there is nothing to give up. Without koffi nothing live can be opened: that is said later. */
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
  // libpcap opens its socket itself.
  if (engine === "cap") keep.push(Capability.netRaw);
  if (engine === "cap" && netns !== undefined) keep.push(Capability.sysAdmin);
  const { port } = parseListen(listen);
  if (port > 0 && port < FREE_PORTS) keep.push(Capability.netBindService);
  if (mayChangeUser() && target.uid !== 0) keep.push(...OF_ROOT);
  else if (!isReadable()) keep.push(Capability.dacReadSearch);
  return keep;
}

/** Whether the program can be read without capabilities: for root it may lie in a folder of somebody else. */
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
