/** Runs commands in turn on one core, and prints what each costs beside the first as a table of Markdown. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import koffi from "koffi";

export type Print = (line: string) => void;

const CLI = fileURLToPath(new URL("../src/cli.js", import.meta.url));
const ROUNDS = 5;
/** The last core: interrupts and what else runs tend to keep to the first. */
const CORE = String(availableParallelism() - 1);

/** A command to compare; without one it is not installed. */
export interface Contestant {
  readonly name: string;
  readonly command: readonly string[] | null;
}

/** One run: processor time, user and system, and the most memory held. */
interface Run {
  readonly seconds: number;
  readonly peakMb: number;
}

/** Where a program is, or null. */
export function installed(program: string): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter).concat("/usr/sbin");
  return folders.map((folder) => join(folder, program)).find(existsSync) ?? null;
}

/** netwatch itself. */
export function netwatch(...words: readonly string[]): Contestant {
  const name = ["netwatch", ...words.filter((word) => !word.startsWith("/"))].join(" ");
  return { name, command: [process.execPath, CLI, ...words] };
}

/** Another tool; `name` may say how it is called. */
export function peer(program: string, words: readonly string[], name = program): Contestant {
  const path = installed(program);
  return { name, command: path === null ? null : [path, ...words] };
}

/** Gives a folder for inputs and outputs, and removes it. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-bench-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs every command once in each of `rounds`, one after the other. A ratio is to the first: below 1 is faster than it. */
export async function compare(
  title: string,
  contestants: readonly Contestant[],
  print: Print,
  rounds = ROUNDS,
): Promise<void> {
  const runs = contestants.map((): Run[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, { command }] of contestants.entries())
      if (command !== null) runs[i]!.push(await runOnce(command));
  print(`\n### ${title}\n`);
  print(`| ${rounds} rounds | best s | median s | ratio, best | ratio, median | MB |`);
  print("|---|--:|--:|--:|--:|--:|");
  const base = runs[0]!;
  for (const [i, { name }] of contestants.entries()) print(row(name, runs[i]!, base));
}

function row(name: string, runs: readonly Run[], base: readonly Run[]): string {
  if (runs.length === 0) return `| ${name} | not installed | | | | |`;
  const cells = [
    best(runs).toFixed(2),
    median(runs).toFixed(2),
    (best(runs) / best(base)).toFixed(2),
    (median(runs) / median(base)).toFixed(2),
    Math.max(...runs.map((run) => run.peakMb)).toFixed(0),
  ];
  return `| ${name} | ${cells.join(" | ")} |`;
}

function best(runs: readonly Run[]): number {
  return Math.min(...runs.map((run) => run.seconds));
}

function median(runs: readonly Run[]): number {
  return runs.map((run) => run.seconds).toSorted((a, b) => a - b)[runs.length >> 1]!;
}

function runOnce(command: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const before = childrenSeconds();
    // Nothing of a run stays in the home of who measures.
    const env = { ...process.env, XDG_STATE_HOME: tmpdir() };
    const child = spawn("taskset", ["-c", CORE, ...command], { stdio: ["ignore", "pipe", "pipe"], env });
    let said = "";
    child.stderr.on("data", (piece: Buffer) => {
      said = (said + piece.toString()).slice(-1000);
    });
    child.stdout.resume();
    let peakMb = 0;
    const timer = setInterval(() => {
      peakMb = Math.max(peakMb, peakOf(child.pid));
    }, 20);
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(timer);
      if (code === 0) resolve({ seconds: childrenSeconds() - before, peakMb });
      else reject(new Error(`${command.join(" ")} ends with ${code}: ${said}`));
    });
  });
}

const RUSAGE_CHILDREN = -1;
const getrusage = koffi.load("libc.so.6").func("int getrusage(int who, _Out_ uint8_t *usage)");

/** User and system time of the children that have ended, by getrusage(2): proc(5) counts it in hundredths. */
function childrenSeconds(): number {
  const usage = new BigInt64Array(18);
  getrusage(RUSAGE_CHILDREN, new Uint8Array(usage.buffer));
  const [userS, userUs, systemS, systemUs] = usage;
  return Number(userS! + systemS!) + Number(userUs! + systemUs!) / 1e6;
}

/** The most memory a running process has held, by proc(5); 0 once it is gone. */
function peakOf(pid: number | undefined): number {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match ? Number(match[1]) / 1000 : 0;
  } catch {
    return 0;
  }
}
