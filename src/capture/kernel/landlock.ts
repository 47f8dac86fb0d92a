/** Landlock (landlock(7)): limits where this thread, and programs it becomes, may change files. Linux 5.13 and later. */
import { closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { addressOf, libc } from "./libc.js";

// asm-generic/unistd.h: the same on every machine
const CREATE_RULESET = 444;
const ADD_RULE = 445;
const RESTRICT_SELF = 446;
const VERSION = 1;
const PATH_BENEATH = 1;
const O_PATH = 0x20_0000;

// linux/landlock.h
const WRITE_FILE = 1 << 1;
/** Removing folders and files, and making any kind of file. */
const CHANGE_FOLDER = 0x1ff << 4;
/** From version 2 on. */
const REFER = 1 << 13;
/** From version 3 on. */
const TRUNCATE = 1 << 14;

/** Version of the kernel's Landlock; 0: none, turned off, or a seccomp filter might end the process for the call. */
export function landlockVersion(): number {
  try {
    // systemd's filter ends a process for an unknown system call.
    if (/^Seccomp:\s*2$/m.test(readFileSync("/proc/thread-self/status", "utf8"))) return 0;
    return libc().syscall("landlock_create_ruleset", CREATE_RULESET, 0, 0, VERSION, 0);
  } catch {
    return 0;
  }
}

/**
 * From here on the calling thread changes, makes and removes files only in `folders` and below; a missing folder
 * means its nearest existing parent. Reading, open descriptors and sockets are not limited. Needs `no_new_privs`. Does
 * nothing if the kernel has no Landlock. Throws SystemError.
 */
export function confineWrites(folders: readonly string[]): void {
  const version = landlockVersion();
  if (version === 0) return;
  const rights = WRITE_FILE | CHANGE_FOLDER | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0);
  const { syscall } = libc();
  const attribute = new Uint8Array(8); // struct landlock_ruleset_attr: the rights that are restricted
  new DataView(attribute.buffer).setBigUint64(0, BigInt(rights), true);
  const rules = syscall("landlock_create_ruleset", CREATE_RULESET, addressOf(attribute), 8, 0, 0);
  try {
    for (const folder of new Set(folders.flatMap(nearest))) addRule(rules, folder, rights);
    syscall("landlock_restrict_self", RESTRICT_SELF, rules, 0, 0, 0);
  } finally {
    closeSync(rules);
  }
}

function addRule(rules: number, folder: string, rights: number): void {
  const fd = openSync(folder, O_PATH | constants.O_DIRECTORY);
  try {
    const rule = new Uint8Array(12); // struct landlock_path_beneath_attr, packed
    const view = new DataView(rule.buffer);
    view.setBigUint64(0, BigInt(rights), true);
    view.setInt32(8, fd, true);
    libc().syscall("landlock_add_rule", ADD_RULE, rules, PATH_BENEATH, addressOf(rule), 0);
  } finally {
    closeSync(fd);
  }
}

/** None if only the root folder is left: that would allow everything. */
function nearest(path: string): string[] {
  const wanted = resolve(path);
  let folder = wanted;
  while (!isFolder(folder)) folder = dirname(folder);
  return folder === "/" && wanted !== "/" ? [] : [folder];
}

function isFolder(path: string): boolean {
  try {
    return path === "/" || statSync(path).isDirectory();
  } catch {
    return false;
  }
}
