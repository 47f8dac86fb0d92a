/** Measures live capture against tcpdump and engine cap, one after the other on one bridge under the same generated load. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { reasonToSkip, withTestNetwork } from "../src/capture/kernel/netns.test.fixture.js";
import { type BridgeLab, createBridge } from "../src/capture/live/live.test.fixture.js";

const CLI = fileURLToPath(new URL("../src/cli.js", import.meta.url));
const ROUNDS = 2;
/** Sent before the measurement, to every reader: what is compiled while it runs is compiled then. */
const WARM_UP = 200_000;
/** What a reader is given to take the last packets in. */
const SETTLE_MS = 1500;

/** A load: ends after `packets`. */
interface Load {
  readonly name: string;
  readonly packets: number;
  /** Packets a second; none: as fast as possible. */
  readonly rate?: string;
  readonly payload: number;
}

const LOADS: readonly Load[] = [
  { name: "200 k packets/s of 102 bytes", packets: 800_000, rate: "200000pps", payload: 60 },
  { name: "as many packets of 102 bytes as the generator sends", packets: 3_000_000, payload: 60 },
  { name: "50 k packets/s of 1042 bytes", packets: 500_000, rate: "50000pps", payload: 1000 },
];

/** A program that captures on `br0`, and how to read what it says at the end. */
interface Reader {
  readonly name: string;
  readonly start: (netns: string) => ChildProcess;
}

const TCPDUMP: Reader = {
  name: "tcpdump -w /dev/null",
  start: (netns) => inside(netns, "tcpdump", ["-n", "-i", "br0", "-B", "65536", "-w", "/dev/null"]),
};
const READERS: readonly Reader[] = [
  TCPDUMP,
  {
    name: "tcpdump -n -v",
    start: (netns) => inside(netns, "tcpdump", ["-n", "-v", "-i", "br0"]),
  },
  { name: "netwatch, engine ring", start: (netns) => netwatch(netns, "ring", []) },
  {
    name: "netwatch, ring, -w /dev/null",
    start: (netns) => netwatch(netns, "ring", ["-w", "/dev/null"]),
  },
  { name: "netwatch, engine cap", start: (netns) => netwatch(netns, "cap", []) },
];

/** One reader under one load. */
interface Measure {
  readonly seen: number;
  readonly dropped: number | null;
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

/** Prints a table of ratios a load. Needs root, tcpdump and trafgen (Debian: netsniff-ng); says so where it has them not. */
export async function liveBench(print: (line: string) => void): Promise<void> {
  const reason = reasonToSkip("tcpdump", "trafgen");
  if (reason) {
    print(`Live capture is not measured: ${reason}`);
    return;
  }
  await withTestNetwork(async (network) => {
    const lab = createBridge(network);
    try {
      for (const load of LOADS) await compare(lab, load, print);
    } finally {
      lab.close();
    }
  });
}

async function compare(lab: BridgeLab, load: Load, print: (line: string) => void): Promise<void> {
  print(`\nLive, ${load.name} (CPU of the reader a packet seen, after ${WARM_UP / 1000} k to warm up)`);
  const rows: { name: string; best: Measure }[] = [];
  for (const reader of READERS) {
    const measures: Measure[] = [];
    for (let round = 0; round < ROUNDS; round++) measures.push(await measure(lab, reader, load));
    const best = measures.reduce((a, b) => (cpuOf(b) < cpuOf(a) ? b : a));
    const worst = measures.reduce((a, b) => ((b.dropped ?? 0) > (a.dropped ?? 0) ? b : a));
    rows.push({ name: reader.name, best: { ...best, dropped: worst.dropped } });
  }
  const base = cpuOf(rows.find(({ name }) => name === TCPDUMP.name)!.best);
  for (const { name, best } of rows) {
    const cells = [
      name.padEnd(30),
      `${Math.round(cpuOf(best) * 1e9)} ns`.padStart(9),
      `${(cpuOf(best) / base).toFixed(2)} x tcpdump`.padStart(16),
      `${best.dropped ?? "unknown"} dropped`.padStart(16),
      `${Math.round(best.peakMb)} MB`.padStart(8),
    ];
    print(`  ${cells.join("  ")}`);
  }
}

function cpuOf({ cpuSeconds: seconds, seen }: Measure): number {
  return seen === 0 ? Number.POSITIVE_INFINITY : seconds / seen;
}

async function measure(lab: BridgeLab, reader: Reader, load: Load): Promise<Measure> {
  const child = reader.start(lab.bridge);
  let said = "";
  child.stdout?.resume();
  child.stderr!.on("data", (piece: Buffer) => {
    said += piece.toString();
  });
  while (!said.includes("listening on")) await once(child.stderr!, "data");
  await sleep(500); // start-up is not what is measured
  await generate(lab.ends[0], { ...load, packets: WARM_UP });
  await sleep(500);
  const before = cpuSeconds(child.pid!);
  await generate(lab.ends[0], load);
  await sleep(SETTLE_MS);
  const used = cpuSeconds(child.pid!) - before;
  const peakMb = residentMb(child.pid!);
  child.kill("SIGINT");
  await once(child, "close");
  const number = (words: RegExp) => {
    const digits = words.exec(said)?.[1]?.replaceAll(",", "");
    return digits === undefined ? null : Number(digits);
  };
  return {
    seen: Math.max(0, (number(/([\d,]+) packets? captured/) ?? 0) - WARM_UP),
    dropped: number(/([\d,]+) (?:packets )?dropped by kernel/),
    cpuSeconds: used,
    peakMb,
  };
}

/** Sends a load out of `eth0`. Every packet is of one of 4096 flows; `ports` is how trafgen chooses the source's. */
export async function generate(
  netns: string,
  { packets, rate, payload }: Omit<Load, "name">,
  ports = "sp=dinc(1024, 5119), dp=9",
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-bench-"));
  const config = join(folder, "load");
  writeFileSync(
    config,
    `{ eth(da=ff:ff:ff:ff:ff:ff, sa=02:00:00:00:00:01), ipv4(saddr=10.9.0.1, daddr=10.9.0.2), udp(${ports}), fill(0x61, ${payload}) }`,
  );
  try {
    const words = [
      "--dev",
      "eth0",
      "--conf",
      config,
      "--num",
      String(packets),
      "--cpus",
      "1",
      "--no-sock-mem",
    ];
    const child = inside(netns, "trafgen", rate === undefined ? words : [...words, "--rate", rate]);
    child.stdout?.resume();
    child.stderr?.resume();
    await once(child, "close");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `ip netns exec` becomes the program: the process is the one that is measured. */
function inside(netns: string, program: string, args: readonly string[]): ChildProcess {
  return spawn("ip", ["netns", "exec", netns, program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

export function netwatch(netns: string, engine: string, more: readonly string[]): ChildProcess {
  const words = ["capture", "-i", "br0", "--netns", netns, "-n", "--engine", engine, ...more];
  return spawn(process.execPath, [CLI, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** User and system time of a process, all its threads included, in nanoseconds (proc(5), schedstat). */
export function cpuSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, n) => sum + n, 0) / 1e9;
}

/** Without the ring, which the kernel holds. */
export function residentMb(pid: number): number {
  const line = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) / 1024;
}
