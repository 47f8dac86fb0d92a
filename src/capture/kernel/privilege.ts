/** Gives up root once the sockets are open (capabilities(7), prctl(2)). This cannot be undone. */
import { readFileSync } from "node:fs";
import { libc } from "./libc.js";

/** Capabilities by their numbers (linux/capability.h). */
export const enum Capability {
  dacOverride = 1,
  dacReadSearch = 2,
  fowner = 3,
  setgid = 6,
  setuid = 7,
  setpcap = 8,
  netBindService = 10,
  netAdmin = 12,
  netRaw = 13,
  sysPtrace = 19,
  sysAdmin = 21,
}

/** Who the process becomes. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  /** Home folder; null: unknown. */
  readonly home: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const CAPABILITY_VERSION_3 = 0x2008_0522;
/** Highest capability number worth trying; the kernel refuses what it does not know. */
const LAST_CAPABILITY = 63;
/** CAP_SETGID and CAP_SETUID. */
const SET_IDS = (1n << 6n) | (1n << 7n);
const NOBODY: User = { uid: 65_534, gid: 65_534, name: "nobody", home: null };

/** The user who called sudo; null: none. */
export function invokingUser(env: Environment): User | null {
  const uid = numberOf(env.SUDO_UID);
  const gid = numberOf(env.SUDO_GID);
  if (uid === null || gid === null || uid === 0) return null;
  return findUser((fields) => fields[2] === String(uid)) ?? { uid, gid, name: String(uid), home: null };
}

/** The user of a name; null: there is none. */
export function userNamed(name: string): User | null {
  return findUser((fields) => fields[0] === name);
}

/** The user to become: the caller of sudo, else the user `nobody`. */
export function unprivilegedUser(env: Environment): User {
  return invokingUser(env) ?? userNamed("nobody") ?? NOBODY;
}

/**
 * Becomes `user` and keeps only the capabilities `keep`; without root, keeps those of `keep` that it has. Programs started later
 * cannot regain rights. Of several threads only the calling one keeps capabilities.
 */
export function dropPrivileges(user: User, keep: readonly Capability[]): void {
  const c = libc();
  if (mayChangeUser()) {
    dropBounding([]);
    if (keep.length > 0) c.prctl(PR_SET_KEEPCAPS, 1);
    takeGroups(user);
    process.setgid!(user.gid);
    process.setuid!(user.uid);
    if (keep.length > 0) c.prctl(PR_SET_KEEPCAPS, 0);
  }
  setCapabilities(keep);
  forbidNewPrivileges();
}

/** Programs that the calling thread becomes or starts never have more rights than the thread, even as root. */
export function forbidNewPrivileges(): void {
  libc().prctl(PR_SET_NO_NEW_PRIVS, 1);
}

/** Keeps the capabilities of `keep` that it has, also for programs that the calling (main) thread becomes or starts. */
export function limitCapabilities(keep: readonly Capability[]): void {
  const c = libc();
  dropBounding(keep);
  c.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
  setCapabilities(keep);
  // Programs of root get the permitted set; those of others the ambient set, which needs the inheritable one.
  if (process.geteuid!() === 0) return;
  for (const capability of setCapabilities(keep, keep))
    c.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
}

/** Runs `fn` with only these capabilities in effect, then restores the others. */
export function withEffective<T>(keep: readonly Capability[], fn: () => T): T {
  const all = Array.from({ length: 32 }, (_, capability) => capability as Capability);
  try {
    setCapabilities(all, [], keep);
    return fn();
  } finally {
    setCapabilities(all);
  }
}

/** Whether the process has any capability. */
export function isPrivileged(): boolean {
  return permittedCapabilities() !== 0n;
}

/**
 * Removes all capabilities of the calling thread, which is not the main one. Before a change of
 * user this is not needed: the change removes them from every thread.
 */
export function bareThread(): void {
  if (process.geteuid!() === 0 && mayChangeUser()) return;
  setCapabilities([]);
  libc().prctl(PR_SET_NO_NEW_PRIVS, 1);
}

/** All groups of the user: the group of an engine's socket may be among them. */
function takeGroups({ name, gid }: User): void {
  // Missing in Node's types.
  const { initgroups } = process as { initgroups?: (user: string, group: number) => void };
  if (userNamed(name) === null || !initgroups) process.setgroups!([gid]);
  else initgroups(name, gid);
}

/** Whether the process is root; in a container root may lack the right to become another user. */
export function mayChangeUser(): boolean {
  return process.geteuid!() === 0 && (permittedCapabilities() & SET_IDS) === SET_IDS;
}

/** Nothing to drop without CAP_SETPCAP, or past the last capability that the kernel knows. */
function dropBounding(keep: readonly Capability[]): void {
  for (let capability = 0; capability <= LAST_CAPABILITY; capability++) {
    if (keep.includes(capability)) continue;
    try {
      libc().prctl(PR_CAPBSET_DROP, capability);
    } catch {
      return;
    }
  }
}

/** Of the calling thread. */
function permittedCapabilities(): bigint {
  const line = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/thread-self/status", "utf8"));
  return BigInt(`0x${line?.[1] ?? "0"}`);
}

/**
 * Sets the permitted set to those of these that it has, the other sets to a part of that; the ambient set is never larger than
 * the inheritable one. Returns the permitted set.
 */
function setCapabilities(
  capabilities: readonly Capability[],
  inheritable: readonly Capability[] = [],
  effective: readonly Capability[] = capabilities,
): Capability[] {
  const before = permittedCapabilities();
  const permitted = capabilities.filter((one) => ((before >> BigInt(one)) & 1n) === 1n);
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, CAPABILITY_VERSION_3, true);
  // Twice {effective, permitted, inheritable}: capabilities 0 to 31, then 32 to 63.
  const data = new Uint8Array(24);
  const view = new DataView(data.buffer);
  [effective, permitted, inheritable].forEach((set, word) => {
    const mask = permitted.reduce((sum, one) => (set.includes(one) ? sum | (1 << one) : sum), 0);
    view.setInt32(word * 4, mask, true);
  });
  libc().capset(header, data);
  return permitted;
}

function findUser(matches: (fields: readonly string[]) => boolean): User | null {
  let text: string;
  try {
    text = readFileSync("/etc/passwd", "utf8");
  } catch {
    return null;
  }
  const fields = text
    .split("\n")
    .map((line) => line.split(":"))
    .find((of) => of.length >= 7 && matches(of));
  if (!fields) return null;
  return { name: fields[0]!, uid: Number(fields[2]), gid: Number(fields[3]), home: fields[5] || null };
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : null;
}
