import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { LabError } from "../lab-error.js";
import type { Plan, Profile } from "../topology.js";

export const STATE_DIR = "/run/netwatch-lab";
const LOCK_NAME = "\0netwatch-lab";

export interface ProcessRecord {
  pid: number;
  /** Field 22 of /proc/PID/stat: tells a reused pid from the one that was started. */
  startTicks: string;
}

/** The parts of the lab. Each is recorded before it is made, so that an incomplete lab can be repaired or removed. */
export interface LabState {
  version: 1;
  profile: Profile;
  policies: boolean;
  nodes: number;
  rotateSeconds: number;
  /** The operator's file for events; absent: in the state folder. */
  events?: string;
  namespaces: string[];
  links: string[];
  processes: Record<string, ProcessRecord>;
}

export function readState(): LabState | undefined {
  const file = `${STATE_DIR}/state.json`;
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as LabState;
  } catch {
    throw new LabError(`${file} is damaged; what the lab made can no longer be told from the rest`);
  }
}

export function writeState(state: LabState): void {
  mkdirSync(STATE_DIR, { recursive: true, mode: 0o711 });
  chmodSync(STATE_DIR, 0o711);
  writeWhole(`${STATE_DIR}/state.json`, JSON.stringify(state, null, 1), 0o600);
}

export function readPlan(): Plan {
  try {
    return JSON.parse(readFileSync(`${STATE_DIR}/plan.json`, "utf8")) as Plan;
  } catch {
    throw new LabError("the lab is not up: run 'netwatch lab up' first");
  }
}

/** The old file or the new one, never half of either. */
export function writeWhole(file: string, text: string, mode: number): void {
  const part = `${file}.${process.pid}.part`;
  const fd = openSync(part, "w", mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(part, file);
}

export function removeState(): void {
  rmSync(STATE_DIR, { recursive: true, force: true, maxRetries: 5 });
}

/** Runs `work` while no other lab command changes the machine. The kernel drops the lock with the process. */
export async function withLock<T>(work: () => Promise<T>, waitMs = 120_000): Promise<T> {
  const lock = await takeLock(waitMs);
  try {
    return await work();
  } finally {
    await new Promise((resolve) => lock.close(resolve));
  }
}

async function takeLock(waitMs: number): Promise<Server> {
  for (let waited = 0; ; waited += 200) {
    const server = createServer((socket) => socket.destroy());
    const taken = await new Promise<boolean>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) =>
        error.code === "EADDRINUSE" ? resolve(false) : reject(error),
      );
      server.listen(LOCK_NAME, () => resolve(true));
    });
    if (taken) return server;
    if (waited >= waitMs) throw new LabError("another lab command is still at work; try again later");
    await sleep(200);
  }
}
