/** Measures a scrape of a full page while packets come in, beside node_exporter on the same machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonToSkip, type TestNetwork, withTestNetwork } from "../src/capture/kernel/netns.test.fixture.js";
import { createBridge } from "../src/capture/live/live.test.fixture.js";
import { Daemon, Exporter, freePort, sumOf } from "../src/commands/serve/serve.test.fixture.js";
import { until } from "../src/until.test.fixture.js";

const RATE = 100_000;
const SECONDS = 20;
const WARM_UP = 100;
const SCRAPES = 500;
/** Four samples each: with all else some 2,000 series. */
const EDGES = 490;
const MAX_SERIES = "2600";
const NODE_EXPORTER = "/usr/bin/prometheus-node-exporter";

/** Prints the times. Needs root and trafgen (Debian: netsniff-ng); says so where it has them not. */
export async function scrapeBench(print: (line: string) => void): Promise<void> {
  const reason = reasonToSkip("trafgen");
  if (reason) {
    print(`Scrapes are not measured: ${reason}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "netwatch-bench-"));
  try {
    await withTestNetwork((network) => measure(network, folder, print));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(network: TestNetwork, folder: string, print: (line: string) => void): Promise<void> {
  const lab = createBridge(network);
  const named = Array.from({ length: EDGES }, (_, i) => [`host-${i}`, `10.9.${1 + (i >> 8)}.${i & 255}`]);
  writeFileSync(join(folder, "names.json"), JSON.stringify(Object.fromEntries(named)));
  const words = ["-i", "br0", "--netns", lab.bridge, "--names", "names.json", "--max-series", MAX_SERIES];
  const exporter = await Exporter.start(folder, words);
  const load = startLoad(lab.ends[0], folder);
  const peer = await startPeer(folder);
  try {
    await scrapeTimes(`${exporter.url}/metrics`, WARM_UP); // what is compiled while it runs is compiled then
    const idle = await exporter.page();
    const times = await scrapeTimes(`${exporter.url}/metrics`);
    const page = await exporter.page();
    const packets = (of: typeof page) => sumOf(of, "netwatch_capture_packets_total");
    const seconds = sumOf(page, "process_cpu_seconds_total") - sumOf(idle, "process_cpu_seconds_total");
    print(
      `\nA scrape of ${page.length} series while ${RATE / 1000} k packets/s come in (${packets(page) - packets(idle)} meanwhile,`,
    );
    print(
      `  ${sumOf(page, "netwatch_capture_dropped_packets_total")} dropped, ${seconds.toFixed(1)} s of processor)`,
    );
    print(`  ${"netwatch serve".padEnd(20)}  ${describe(times)}`);
    if (peer !== null) {
      const text = await (await fetch(peer.url)).text();
      const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
      const others = await scrapeTimes(peer.url);
      const ratio = percentile(times, 0.99) / page.length / (percentile(others, 0.99) / series);
      print(`  ${`node_exporter (${series})`.padEnd(20)}  ${describe(others)}`);
      print(`  a series at p99: ${ratio.toFixed(2)} x node_exporter`);
    }
  } finally {
    load.kill();
    await once(load, "close");
    await exporter.stop();
    await peer?.daemon.stop();
    lab.close();
  }
}

/** From EDGES sources in turn, to an address that has no name. */
function startLoad(netns: string, folder: string): ChildProcess {
  const frames = Array.from({ length: EDGES }, (_, i) => {
    const source = `10.9.${1 + (i >> 8)}.${i & 255}`;
    return `{ eth(da=ff:ff:ff:ff:ff:ff, sa=02:00:00:00:00:01), ipv4(saddr=${source}, daddr=10.9.0.2), udp(sp=4000, dp=9), fill(0x61, 60) }`;
  });
  writeFileSync(join(folder, "load"), frames.join("\n"));
  const count = String(RATE * SECONDS);
  const words = [
    "--dev",
    "eth0",
    "--conf",
    join(folder, "load"),
    "--num",
    count,
    "--cpus",
    "1",
    "--no-sock-mem",
  ];
  return spawn("ip", ["netns", "exec", netns, "trafgen", ...words, "--rate", `${RATE}pps`], {
    stdio: "ignore",
  });
}

async function startPeer(folder: string): Promise<{ daemon: Daemon; url: string } | null> {
  if (!existsSync(NODE_EXPORTER)) return null;
  const port = await freePort();
  const daemon = new Daemon(
    NODE_EXPORTER,
    [`--web.listen-address=127.0.0.1:${port}`, "--log.level=error"],
    folder,
  );
  const url = `http://127.0.0.1:${port}/metrics`;
  await until(() =>
    fetch(url)
      .then((answer) => answer.ok)
      .catch(() => false),
  );
  return { daemon, url };
}

/** Seconds, smallest first. */
async function scrapeTimes(url: string, scrapes = SCRAPES): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < scrapes; i++) {
    const started = performance.now();
    await (await fetch(url, { headers: { "accept-encoding": "gzip" } })).text();
    times.push((performance.now() - started) / 1000);
    await sleep(5);
  }
  return times.sort((a, b) => a - b);
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

function describe(times: readonly number[]): string {
  const ms = (part: number) => `${(percentile(times, part) * 1000).toFixed(1)} ms`.padStart(9);
  return `p50 ${ms(0.5)}  p99 ${ms(0.99)}`;
}
