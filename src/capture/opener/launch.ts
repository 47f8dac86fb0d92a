/**
 * Gives up capabilities in every thread: a thread cannot reach the others, but a program has in all its threads what the one
 * that became it had left. So a small process keeps the capabilities, and this one begins anew without them.
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
/** Names the descriptor of this end and the opener's process. Not seen by the programs that netwatch starts. */
const VARIABLE = "NETWATCH_OPENER";

/** What the opener needs: sockets, namespaces by name and by process, whatever folder they are in, and to become another user. */
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

/** Takes up the opener that this program was started with. False: there is none. */
export function takeUpOpener(): boolean {
  const [, fd, pid] = /^(\d{1,7}),(\d{1,10})$/.exec(process.env[VARIABLE] ?? "") ?? [];
  delete process.env[VARIABLE];
  if (fd === undefined || !isPairEnd(Number(fd))) return false;
  keepOnExec(Number(fd), false);
  useOpener(new RemoteOpener(Number(fd), Number(pid)));
  return true;
}

/**
 * Starts an opener and becomes this program anew, with these capabilities alone in every thread, as far as there are such.
 * `confine` is called last, as the program will be. Returns only by throwing: SystemError, or that of starting a process.
 */
export function beginAnew(keep: readonly Capability[], confine: () => void): never {
  forbidNewPrivileges();
  const [ours, theirs] = openPair();
  limitCapabilities([...new Set([...OPENER, ...keep])]);
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { pid } = spawn(process.execPath, [PROGRAM], {
    // A session of its own: what is typed at the terminal does not reach it.
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

/** Becomes the same program with the same words, byte for byte, and `descriptors` beside the usual ones. Returns only by throwing. */
export function becomeAgain(env: Readonly<Record<string, string>>, descriptors: readonly number[]): never {
  Object.assign(process.env, env);
  for (const fd of [...inherited(), ...descriptors]) keepOnExec(fd, true);
  return libc().execv(process.execPath, commandLine());
}

/** The words of this process, each ended by a NUL byte: as the kernel has them, since a name of a file need not be text. */
function commandLine(): Uint8Array {
  const line = new Uint8Array(readFileSync("/proc/self/cmdline"));
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // Where a title has been written over them they are as Node has them.
  if (startsOf(line).length === words.length && line.at(-1) === 0) return line;
  return new Uint8Array(Buffer.from(words.map((word) => `${word}\0`).join("")));
}

/**
 * Node closes on exec what it was started with (uv_disable_stdio_inheritance), up to this number. Its own are no files, or pipes
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
