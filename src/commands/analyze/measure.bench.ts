/** What the benches of commands share: running netwatch or a peer, and saying how long it took and how much memory it held. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where benches make their inputs; they remove it. */
export const FOLDER = join(tmpdir(), "netwatch-bench");
const CLI = fileURLToPath(new URL("../../cli.js", import.meta.url));
const ROUNDS = 3;
/** Slower than this is measured once. */
const SLOW_SECONDS = 10;

/** One command measured: seconds from start to end, and the most memory it held. */
export interface Measure {
  readonly seconds: number;
  readonly peakMb: number;
}

/** Where a program is, or null. */
export function installed(program: string): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter).concat("/usr/sbin");
  return folders.map((folder) => join(folder, program)).find(existsSync) ?? null;
}

/** The command line of netwatch itself. */
export function netwatch(...words: readonly string[]): readonly string[] {
  return [process.execPath, CLI, ...words];
}

/** One line: seconds, their ratio to another measure, memory. */
export function row(name: string, { seconds, peakMb }: Measure, to: Measure): string {
  return `  ${name.padEnd(14)} ${seconds.toFixed(2).padStart(7)} s  ratio ${(seconds / to.seconds).toFixed(2).padStart(7)}  ${peakMb.toFixed(0).padStart(5)} MB`;
}

/** The median of a few runs; one run where that is slow. */
export async function measure(command: readonly string[]): Promise<Measure> {
  const runs: Measure[] = [];
  while (runs.length < ROUNDS && (runs[0]?.seconds ?? 0) < SLOW_SECONDS) runs.push(await runOnce(command));
  runs.sort((x, y) => x.seconds - y.seconds);
  return { seconds: runs[runs.length >> 1]!.seconds, peakMb: Math.max(...runs.map((run) => run.peakMb)) };
}

function runOnce([program, ...words]: readonly string[]): Promise<Measure> {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const env = { ...process.env, XDG_STATE_HOME: FOLDER };
    const child = spawn(program!, words, { stdio: ["ignore", "pipe", "ignore"], env });
    child.stdout.resume();
    let peakMb = 0;
    const timer = setInterval(() => {
      peakMb = Math.max(peakMb, peakOf(child.pid));
    }, 20);
    child.on("error", reject);
    child.on("close", () => {
      clearInterval(timer);
      resolve({ seconds: Number(process.hrtime.bigint() - start) / 1e9, peakMb });
    });
  });
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

/** The header of a classic capture of Ethernet frames. */
export function fileHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  return header;
}

/** Ends of a TCP segment: addresses and ports as numbers. */
export interface Ends {
  readonly from: number;
  readonly to: number;
  readonly fromPort: number;
  readonly toPort: number;
}

/** Writes a capture's record of a TCP frame of `length` bytes, `us` microseconds after the start, up to its ports and flags. Returns where IP begins. */
export function writeRecord(
  into: Buffer,
  at: number,
  length: number,
  us: number,
  flags: number,
  { from, to, fromPort, toPort }: Ends,
): number {
  into.writeUInt32LE(1_700_000_000 + Math.floor(us / 1e6), at);
  into.writeUInt32LE(us % 1_000_000, at + 4);
  into.writeUInt32LE(length, at + 8);
  into.writeUInt32LE(length, at + 12);
  const ip = at + 16 + 14;
  into.writeUInt16BE(0x0800, ip - 2);
  into.writeUInt8(0x45, ip);
  into.writeUInt16BE(length - 14, ip + 2);
  into.writeUInt8(64, ip + 8);
  into.writeUInt8(6, ip + 9);
  into.writeUInt32BE(from, ip + 12);
  into.writeUInt32BE(to, ip + 16);
  into.writeUInt16BE(fromPort, ip + 20);
  into.writeUInt16BE(toPort, ip + 22);
  into.writeUInt8(0x50, ip + 32);
  into.writeUInt8(flags, ip + 33);
  return ip;
}
