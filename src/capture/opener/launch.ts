/**
 * Gives up capabilities in every thread. A thread cannot change the others, but after `execve` all threads have the capabilities of the
 * thread that called it. So a small process keeps the capabilities, and this process starts again without them.
 */
import { spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { libc, startsOf } from "../kernel/libc.js";
import { isPairEnd, keepOnExec, openPair } from "../kernel/messages.js";
import { Capability, forbidNewPrivileges, limitCapabilities } from "../kernel/privilege.js";
import { useOpener } from "./opener.js";
import { RemoteOpener } from "./remote-opener.js";

const PROGRAM = fileURLToPath(new URL("./opener-process.js", import.meta.url));
/** Environment variable with the descriptor of this end and the opener's pid. Removed for programs that netwatch starts. */
const VARIABLE = "NETWATCH_OPENER";

/** The opener's capabilities: sockets, namespaces by name and by process in any folder, and a change of user. */
const OPENER: readonly Capability[] = [
  Capability.netRaw,
  Capability.netAdmin,
  Capability.sysAdmin,
  Capability.sysPtrace,
  Capability.dacOverride,
  Capability.dacReadSearch,
  Capability.setuid,
  Capability.setgid,
  Capability.setpcap,
];

/** Connects to the opener that this program was started with. False: there is none. */
export function takeUpOpener(): boolean {
  const [, fd, pid] = /^(\d{1,7}),(\d{1,10})$/.exec(process.env[VARIABLE] ?? "") ?? [];
  delete process.env[VARIABLE];
  if (fd === undefined || !isPairEnd(Number(fd))) return false;
  keepOnExec(Number(fd), false);
  useOpener(new RemoteOpener(Number(fd), Number(pid)));
  return true;
}

/**
 * Starts an opener and executes this program again, with only these capabilities in every thread, as far as it has them.
 * Calls `confine` last, with the final rights. Returns only by throwing: SystemError, or the error of starting a process.
 */
export function beginAnew(keep: readonly Capability[], confine: () => void): never {
  forbidNewPrivileges();
  const [ours, theirs] = openPair();
  limitCapabilities([...new Set([...OPENER, ...keep])]);
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { pid } = spawn(process.execPath, [PROGRAM], {
    // A session of its own: signals from the terminal do not reach it.
    detached: true,
    stdio: ["ignore", "ignore", "ignore", theirs],
    env,
  }).on("error", () => {});
  if (pid === undefined) throw new Error("a process to keep the capabilities could not be started");
  libc().close(theirs);
  limitCapabilities(keep);
  confine();
  return becomeAgain({ [VARIABLE]: `${ours},${pid}` }, [ours]);
}

/** Executes the same program with the same arguments, byte for byte, and `descriptors` besides the standard ones. Returns only by throwing. */
export function becomeAgain(env: Readonly<Record<string, string>>, descriptors: readonly number[]): never {
  Object.assign(process.env, env);
  for (const fd of [...inherited(), ...descriptors]) keepOnExec(fd, true);
  return libc().execv(process.execPath, commandLine());
}

/** The arguments of this process, NUL-terminated, from the kernel: file names need not be valid UTF-8. */
function commandLine(): Uint8Array {
  const line = new Uint8Array(readFileSync("/proc/self/cmdline"));
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // If a process title has overwritten them, Node's copy is used.
  if (startsOf(line).length === words.length && line.at(-1) === 0) return line;
  return new Uint8Array(Buffer.from(words.map((word) => `${word}\0`).join("")));
}

/**
 * Node marks inherited descriptors up to this number close-on-exec (uv_disable_stdio_inheritance). Its own are no files, or pipes
 * of which it has both ends.
 */
function inherited(): number[] {
  const LAST = 16;
  const files = new Map<number, string>();
  for (let fd = 0; fd < LAST; fd++) {
    try {
      files.set(fd, readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // not open
    }
  }
  const isOwn = (fd: number, file: string) =>
    file.startsWith("anon_inode:") ||
    [...files].some(
      ([other, name]) => other > 2 && other !== fd && name === file && name.startsWith("pipe:"),
    );
  return [...files].filter(([fd, file]) => fd <= 2 || !isOwn(fd, file)).map(([fd]) => fd);
}
