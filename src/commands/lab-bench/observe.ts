/** Captures a round with netwatch in a separate process, because this process must stay root. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Wire } from "../../analyze/benchmark/benchmark.js";
import { median } from "../../analyze/benchmark/statistics.js";
import type { Row, Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { lastSnapshotPath } from "../../engine/recording/state-folder.js";
import { readSnapshot } from "../analyze/last-snapshot.js";
import type { BenchTarget } from "./target.js";

const CLI = fileURLToPath(new URL("../../cli.js", import.meta.url));
/** The capture ends after this time, even if this process has ended. */
const LONGEST_SECONDS = 900;
const START_MS = 120_000;
const MAX_HOPS = 12;

/** Captures on the bridges during `work`. Throws an Error of one line if the capture fails. */
export async function observe<T>(
  bridges: readonly string[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly snapshot: Snapshot }> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-bench-"));
  // Without SUDO_USER it saves its last Snapshot in the folder given here, not in the caller's home.
  const env: NodeJS.ProcessEnv = { ...process.env, XDG_STATE_HOME: folder };
  for (const name of ["SUDO_UID", "SUDO_GID", "SUDO_USER"]) delete env[name];
  const words = ["capture", ...bridges.flatMap((bridge) => ["-i", bridge]), "-n", "--no-conntrack"];
  const stop = ["-a", `duration:${LONGEST_SECONDS}`, "-o", "csv", "--table", "protocols"];
  const child = spawn(process.execPath, [CLI, ...words, ...stop], {
    stdio: ["ignore", "ignore", "pipe"],
    env,
    // This process handles Ctrl-C and ends the capture.
    detached: true,
  });
  const ended = once(child, "close");
  try {
    await untilListening(child.stderr, ended);
    const result = await work();
    child.kill("SIGINT");
    await ended;
    return { result, snapshot: await readSnapshot(lastSnapshotPath(env)) };
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

async function untilListening(stderr: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<void> {
  let said = "";
  const listening = new Promise<boolean>((resolve) => {
    stderr.on("data", (piece: Buffer) => {
      if (said.length < 4096) said += piece.toString();
      if (said.includes("listening on")) resolve(true);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), START_MS);
  });
  const listens = await Promise.race([listening, late, ended.then(() => false)]);
  clearTimeout(timer);
  if (listens) return;
  const words = said.trim().split("\n").at(-1) ?? "";
  throw new Error(words.replace(/^netwatch: /, "") || `it did not listen within ${START_MS / 1000} s`);
}

/** Figures per request from the Snapshot of a round. */
export function readWire(
  snapshot: Snapshot,
  target: Pick<BenchTarget, "services" | "entrance">,
  round: { readonly requests: number; readonly requestsPerSecond: number },
): Wire {
  const { requests } = round;
  const hops = readHops(snapshot.tables.pairs, target.services);
  const { packets, bytes } = snapshot.totals;
  const door = hops.find((hop) => isDoor(hop.client, hop.server, target.entrance));
  return {
    requests,
    requests_per_second: round.requestsPerSecond,
    packets,
    bytes,
    dropped: snapshot.ledger.dropped,
    bytes_per_request: bytes / requests,
    packets_per_request: packets / requests,
    entrance_bytes_per_request: (door?.bytes ?? 0) / requests,
    handshake_p50_seconds: readHandshake(snapshot, target),
    hops: hops.slice(0, MAX_HOPS).map((hop) => ({
      client: hop.client,
      server: hop.server,
      packets_per_request: hop.packets / requests,
      bytes_per_request: hop.bytes / requests,
    })),
  };
}

interface Hop {
  client: string;
  server: string;
  packets: number;
  bytes: number;
  /** Conversations begun by `client` minus those begun by `server`. */
  begun: number;
}

/** Pairs of addresses as pairs of services, both directions in one, most bytes first. */
function readHops(pairs: Table, services: ReadonlyMap<string, string>): Hop[] {
  const hops = new Map<string, Hop>();
  for (const { source, destination, packets, bytes, conversations } of pairs.rows) {
    const [from, to] = [nameOf(source, services), nameOf(destination, services)];
    const [client, server] = from < to ? [from, to] : [to, from];
    const key = `${client} ${server}`;
    const hop = hops.get(key) ?? { client, server, packets: 0, bytes: 0, begun: 0 };
    hop.packets += Number(packets);
    hop.bytes += Number(bytes);
    hop.begun += Number(conversations) * (from === client ? 1 : -1);
    hops.set(key, hop);
  }
  for (const hop of hops.values()) if (hop.begun < 0) [hop.client, hop.server] = [hop.server, hop.client];
  return [...hops.values()].sort((a, b) => b.bytes - a.bytes || (a.client < b.client ? -1 : 1));
}

function nameOf(address: Row[string] | undefined, services: ReadonlyMap<string, string>): string {
  return services.get(String(address)) ?? String(address);
}

function isDoor(one: string, other: string, entrance: string): boolean {
  return (one === "client" && other === entrance) || (other === "client" && one === entrance);
}

/** The median handshake between the load and the entrance; null if none was complete. */
function readHandshake(
  { tables }: Snapshot,
  { services, entrance }: Pick<BenchTarget, "services" | "entrance">,
): number | null {
  const times: number[] = [];
  for (const { source, destination, handshake_p50_ms } of tables.tcp.rows)
    if (
      typeof handshake_p50_ms === "number" &&
      isDoor(nameOf(source, services), nameOf(destination, services), entrance)
    )
      times.push(handshake_p50_ms / 1000);
  return times.length === 0 ? null : median(times);
}
