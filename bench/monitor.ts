/** The monitor's cost per refresh: a Snapshot of 10 k conversations built, compared with the previous one, and painted. */
import { performance } from "node:perf_hooks";
import { PassThrough, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Analyzer } from "../src/analyze/analyzer.js";
import { buildSnapshot, type ConntrackContext } from "../src/analyze/snapshot/build.js";
import type { HealthReport } from "../src/analyze/snapshot/snapshot.js";
import { ConntrackTable } from "../src/capture/conntrack/conntrack-table.js";
import { parseConntrackText } from "../src/capture/conntrack/conntrack-text.js";
import { Names } from "../src/capture/names/names.js";
import { createPacket, type Packet } from "../src/capture/packet.js";
import { MonitorFeed } from "../src/commands/tui/tui-feed.js";
import { App } from "../src/tui/app.js";
import { UNICODE } from "../src/tui/chrome/glyphs.js";
import { emptyModel } from "../src/tui/model.js";
import { openScreen, type Screen } from "../src/tui/screen.js";
import { SCREEN_KEYS, SCREENS } from "../src/tui/state.js";

const CONVERSATIONS = 10_000;
const WARM_UP = 20;
const LOOKS = 60;
const KEYS = 500;
/** Refreshes in an hour at one per second; conversations in total, and active ones per refresh. */
const HOUR = 3600;
const HOUR_CONVERSATIONS = 2000;
const HOUR_TALKING = 200;
/** Hosts that talk to each other. */
const HOSTS = 60;
const FRAME = 80;

/** Prints CPU a look and what part of a core that is at one look a second, and how long a key takes. */
export async function monitorBench(print: (line: string) => void): Promise<void> {
  const sink = createSink();
  const { app, screen } = openMonitor(sink.output);
  const loadAt = (second: number) => ({ count: CONVERSATIONS, from: 0, second });
  const perLook = await measureLooks(app, createLook(new MonitorFeed(app), loadAt));
  const tracked = await measureLooks(app, createLook(new MonitorFeed(app), loadAt, trackAll()));
  const keys = measureKeys(app);
  screen.close();
  print(`\n## The monitor\n`);
  print(
    `${CONVERSATIONS} conversations, 200x50: ${perLook.toFixed(1)} ms of CPU a look, ${(perLook / 10).toFixed(1)} % of a core at one a second`,
  );
  print(
    `  with the evidence of connection tracking, all of them tracked: ${tracked.toFixed(1)} ms, ${(tracked / 10).toFixed(1)} %`,
  );
  const at = (q: number) => keys[Math.floor(keys.length * q)]!.toFixed(1);
  print(
    `a key: ${at(0.5)} ms in the middle, ${at(0.99)} ms at p99; ${Math.round(sink.bytes() / 1024)} KiB painted`,
  );
}

/** CPU milliseconds a look, each on another screen. */
async function measureLooks(app: App, look: Look): Promise<number> {
  for (let i = 1; i <= WARM_UP; i++) await look(i);
  let cpuMs = 0;
  for (let i = 0; i < LOOKS; i++) {
    app.onKey(SCREEN_KEYS[i % SCREENS.length]!);
    cpuMs += await look(WARM_UP + 1 + i);
    // The output is written in the next turn of the event loop.
    await setImmediate();
  }
  return cpuMs / LOOKS;
}

/** The kernel's connection tracking of the conversations. */
function trackAll(): ConntrackContext {
  const entries = new ConntrackTable();
  const lines = Array.from({ length: CONVERSATIONS }, (_, i) => {
    const [from, to] = [`10.0.0.${i % HOSTS}`, `10.0.0.${(i * 7 + 1) % HOSTS}`];
    const [port, served] = [20_000 + i, 8000 + (i % 5)];
    return `tcp 6 300 ESTABLISHED src=${from} dst=${to} sport=${port} dport=${served} packets=5 bytes=400 src=${to} dst=${from} sport=${served} dport=${port} packets=5 bytes=400 [ASSURED] mark=0 use=1\n`;
  });
  parseConntrackText(lines.join(""), entries);
  const facts = null;
  const counts = { resyncs: 0, failures: 0, odd: 0, problem: null };
  const [startUs, endUs] = [1_700_000_000_000_000, 1_700_000_100_000_000];
  return {
    namespaces: [{ netns: null, entries, facts, sockets: null, ...counts }],
    capture: {
      ...{ netns: null, bridge: true, networks: [], ownAddresses: new Set<string>() },
      ...{ startUs, endUs, pollUs: endUs, gap: false },
    },
  };
}

/** Prints the memory after an hour of refreshes, at a tenth of it and at its end: the heap after garbage collection. */
export async function monitorHourBench(print: (line: string) => void): Promise<void> {
  const { app, screen } = openMonitor(createSink().output);
  const feed = new MonitorFeed(app);
  const look = createLook(feed, (second) => ({
    count: HOUR_TALKING,
    from: (second * HOUR_TALKING) % HOUR_CONVERSATIONS,
    second,
  }));
  const states = ["up", "down"] as const;
  const heaps: string[] = [];
  for (let second = 1; second <= HOUR; second++) {
    await look(second);
    if (second % 10 === 0) feed.showHealth(reportOf(states[(second / 10) % 2]!, second));
    app.onKey("1234567890asSjb\tnp "[second % 18]!);
    await setImmediate();
    if (second === HOUR / 10 || second === HOUR) heaps.push(`${heapMb().toFixed(1)} MB at ${second} s`);
  }
  screen.close();
  print(`an hour of looks at ${HOUR_CONVERSATIONS} conversations, a key each: heap ${heaps.join(", ")}`);
}

function reportOf(state: "up" | "down", second: number): HealthReport {
  const time = new Date(1_700_000_000_000 + second * 1000).toISOString();
  const timing = {
    latency_seconds: 0.001,
    own_delay_seconds: 0,
    p50_seconds: 0.001,
    p95_seconds: 0.001,
    changed: time,
  };
  const history = Array.from({ length: 60 }, () => state);
  const targets = Array.from({ length: 16 }, (_, i) => ({
    ...{ service: `service-${i}`, address: `10.0.0.${i}`, port: 80, check: "http", state, reason: null },
    ...timing,
    availability: 0.5,
    history,
  }));
  return { format: "netwatch-health", version: 1, time, targets };
}

/** Megabytes of objects that are still in use. */
function heapMb(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed / 1e6;
}

/** A terminal that discards its output. */
function createSink(): { readonly output: NodeJS.WriteStream; bytes(): number } {
  let written = 0;
  const writable = new Writable({
    write(chunk: Buffer, _, done) {
      written += chunk.length;
      done();
    },
  });
  const output = Object.assign(writable, { isTTY: true, columns: 200, rows: 50 });
  return { output: output as unknown as NodeJS.WriteStream, bytes: () => written };
}

function openMonitor(output: NodeJS.WriteStream): { readonly app: App; readonly screen: Screen } {
  const input = new PassThrough() as unknown as NodeJS.ReadStream;
  const screen = openScreen({
    input,
    output,
    terminal: "xterm-256color",
    color: true,
    onKey: () => {},
    onMouse: () => {},
    onResize: () => {},
  });
  const app = new App(emptyModel("bench", "live"), {
    size: () => screen.size(),
    color: true,
    glyphs: UNICODE,
    paint: (lines) => screen.paint(lines),
  });
  return { app, screen };
}

/** The conversations that have a packet at a look: so many, by their number. */
interface Load {
  readonly count: number;
  readonly from: number;
  readonly second: number;
}

/** Takes the packets of a second, then shows the Snapshot. Gives the CPU milliseconds of what is shown. */
type Look = (second: number) => Promise<number>;

function createLook(feed: MonitorFeed, loadAt: (second: number) => Load, conntrack?: ConntrackContext): Look {
  const analyzer = new Analyzer({ seed: 1 });
  const packet = createFrame();
  const names = new Names(null);
  for (let host = 0; host < HOSTS; host++) names.add(`service-${host}`, new Uint8Array([10, 0, 0, host]));
  return async (second) => {
    talk(analyzer, packet, loadAt(second));
    const began = process.cpuUsage();
    const context = { producer: "bench", files: [], dropped: 0, names, ...(conntrack ? { conntrack } : {}) };
    await feed.show(buildSnapshot(analyzer, context), 1);
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000;
  };
}

/** Milliseconds from a key to its painted effect, in order. */
function measureKeys(app: App): number[] {
  const keys: number[] = [];
  for (let i = 0; i < KEYS; i++) {
    const began = performance.now();
    app.onKey("sSj6g2pp"[i % 8]!);
    keys.push(performance.now() - began);
  }
  return keys.sort((a, b) => a - b);
}

/** An Ethernet frame with an IPv4 and a TCP header (RFC 791, RFC 9293). */
function createFrame(): Packet {
  const view = new DataView(new ArrayBuffer(FRAME));
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, FRAME - 14);
  view.setUint8(23, 6);
  view.setUint8(46, 0x50);
  view.setUint8(47, 0x10);
  return { ...createPacket(), view, caplen: FRAME, length: FRAME, linkType: 1 };
}

/** One packet of every conversation. */
function talk(analyzer: Analyzer, packet: Packet, { count, from, second }: Load): void {
  const { view } = packet;
  for (let i = from; i < from + count; i++) {
    view.setUint32(26, 0x0a00_0000 + (i % HOSTS));
    view.setUint32(30, 0x0a00_0000 + ((i * 7 + 1) % HOSTS));
    view.setUint16(34, 20_000 + (i % 40_000));
    view.setUint16(36, 8000 + (i % 5));
    packet.timeUs = 1_700_000_000_000_000 + second * 1e6 + (i - from) * 50;
    analyzer.add(packet);
  }
}
