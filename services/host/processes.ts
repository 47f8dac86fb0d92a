import { spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { LabError } from "../lab-error.js";
import { tryCommand } from "./command.js";
import { type ProcessRecord, STATE_DIR } from "./state.js";

export interface Launch {
  name: string;
  /** Absent: the host's namespace, with only the privilege to read its network. */
  netns?: string;
  command: string[];
  /** A system user; absent: root with `no_new_privs`. */
  user?: string;
  workDir?: string;
}

export function logFile(name: string): string {
  return `${STATE_DIR}/log/${name}.log`;
}

/** Starts a program in a namespace, detached, its output in its log. `ip netns exec` becomes the program, so the pid is its own. */
export function launch(what: Launch): ProcessRecord {
  mkdirSync(`${STATE_DIR}/log`, { recursive: true, mode: 0o700 });
  const log = openSync(
    logFile(what.name),
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  );
  const identity = what.user
    ? [
        "setpriv",
        `--reuid=${what.user}`,
        `--regid=${what.user}`,
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--",
      ]
    : ["setpriv", "--no-new-privs", ...(what.netns ? [] : ["--bounding-set=-all,+net_admin"]), "--"];
  const place = what.netns ? ["ip", "netns", "exec", what.netns] : [];
  const [program, ...args] = [...place, ...identity, ...what.command];
  const child = spawn(program!, args, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: what.workDir ?? "/",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", NODE_OPTIONS: "" },
  });
  closeSync(log);
  child.on("error", () => {});
  child.unref();
  if (child.pid === undefined) throw new LabError(`${what.name}: could not be started`);
  return { pid: child.pid, startTicks: startTicks(child.pid) ?? "" };
}

export function isAlive(record: ProcessRecord | undefined): boolean {
  return record !== undefined && startTicks(record.pid) === record.startTicks;
}

function startTicks(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/** The fields of proc(5)'s stat from 3, the state, on; undefined: the process has ended. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the command's name before it may itself hold spaces and parentheses
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields;
  } catch {
    return undefined;
  }
}

export function lastLines(name: string, count = 5): string {
  const file = logFile(name);
  if (!existsSync(file)) return "(no log)";
  const fd = openSync(file, "r");
  try {
    const size = fstatSync(fd).size;
    const tail = Buffer.alloc(Math.min(size, 8192));
    readSync(fd, tail, 0, tail.length, size - tail.length);
    const lines = tail.toString("utf8").trimEnd().split("\n").slice(-count);
    return lines.map((line) => `  ${line.slice(0, 400)}`).join("\n") || "  (empty log)";
  } finally {
    closeSync(fd);
  }
}

/** Ends the program and its process group: SIGTERM, a wait, then SIGKILL. */
export async function stopProcess(
  record: ProcessRecord,
  signal: NodeJS.Signals = "SIGTERM",
  graceMs = 5000,
): Promise<void> {
  if (!isAlive(record)) return;
  signalProcess(record.pid, signal);
  for (let waited = 0; waited < graceMs && isAlive(record); waited += 25) await sleep(25);
  if (isAlive(record)) signalProcess(-record.pid, "SIGKILL");
  await waitGone(record.pid, 2000);
}

/** Waits until the parent has reaped it: PostgreSQL takes an existing pid for a running server. */
async function waitGone(pid: number, limitMs: number): Promise<void> {
  for (let waited = 0; waited < limitMs && existsSync(`/proc/${pid}`); waited += 25) await sleep(25);
}

/**
 * Ends processes that earlier starts left in an instance's namespace: the rest of a killed server's process group, as with nginx,
 * and servers started by an `up` that was killed before it noted them (session leaders).
 */
export async function stopLeftovers(
  netns: string,
  record: ProcessRecord | undefined,
  signal: NodeJS.Signals,
): Promise<void> {
  const pids = await pidsIn([netns]);
  for (const pid of pids) {
    const stat = statFields(pid);
    if (!stat) continue;
    const [parent, group, session] = [Number(stat[1]), Number(stat[2]), Number(stat[3])];
    const unnoted = session === pid && !pids.includes(parent);
    if (group !== record?.pid && !unnoted) continue;
    signalProcess(pid, signal);
    await waitGone(pid, 3000);
  }
}

/** Ends all processes inside the lab's own namespaces. */
export async function emptyNamespaces(namespaces: readonly string[]): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    let pids: number[] = [];
    for (let tries = 0; tries < 20; tries++) {
      pids = await pidsIn(namespaces);
      if (pids.length === 0) return;
      if (tries === 0) for (const pid of pids) signalProcess(pid, signal);
      await sleep(100);
    }
  }
}

export async function pidsIn(namespaces: readonly string[]): Promise<number[]> {
  const lists = await Promise.all(
    namespaces.map((netns) => tryCommand("ip", ["netns", "pids", netns]).then((result) => result.stdout)),
  );
  return lists.flatMap((list) => list.split("\n").filter(Boolean).map(Number));
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Proportional and resident memory of the processes, in KiB (proc(5), smaps_rollup). */
export function memoryOf(pids: readonly number[]): { pssKib: number; rssKib: number } {
  const sum = { pssKib: 0, rssKib: 0 };
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      sum.pssKib += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
      sum.rssKib += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    } catch {
      // it ended in between
    }
  }
  return sum;
}
