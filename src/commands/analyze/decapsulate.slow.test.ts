import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import {
  join as bytesOf,
  ethernet,
  ipv4,
  pcapFile,
  tcp,
  u8,
  u16,
  u32,
  udp,
} from "../../capture/file/sample.test.fixture.js";
import { report } from "../report.js";
import { metrics } from "../serve/metrics.js";
import { createFakeTerminal, type FakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { topology } from "../topology.js";
import { replay } from "../tui/tui-replay.js";
import { analyze } from "./analyze.js";

const INNER = ipv4(tcp(40_000, 6379), { source: u8(172, 16, 0, 1), destination: u8(172, 16, 0, 2) });
const VXLAN = bytesOf(u8(8, 0, 0, 0), u32(42 << 8), ethernet(INNER));
const FRAMES = [
  ethernet(ipv4(udp(50_000, 4789, VXLAN), { protocol: 17 })),
  ethernet(ipv4(bytesOf(u16(0), u16(0x8847), INNER), { protocol: 47 })),
];
const SIGNAL = new AbortController().signal;

function captureIn(terminal: FakeTerminal): string {
  const file = join(terminal.folder, "tunnels.pcap");
  writeFileSync(file, pcapFile(FRAMES.map((bytes, i) => ({ bytes, timeUs: 1e15 + i }))));
  return file;
}

test("each command that counts packets knows --decapsulate", () => {
  for (const command of ["analyze", "report", "capture", "tui", "serve", "metrics", "topology"]) {
    const words = [join(ROOT, "dist/src/cli.js"), command, "--help"];
    const { stdout } = spawnSync(process.execPath, words, { encoding: "utf8" });
    assert.match(stdout, /--decapsulate/, command);
  }
});

test("a summary says what was entered, and what was not and why; without the option what is inside", async () => {
  const terminal = createFakeTerminal([], 200);
  const file = captureIn(terminal);
  await analyze([file], { output: "table", numeric: true, decapsulate: true }, "netwatch 0", terminal);
  const open = terminal.out();
  assert.match(open, /1 packet counts by the addresses inside its tunnel \(1 vxlan\)\./);
  assert.match(open, /1 packet is in a tunnel \(1 gre: unknown protocol inside\)/);
  assert.match(open, /172\.16\.0\.1 +172\.16\.0\.2/);
  await analyze([file], { output: "table", numeric: true }, "netwatch 0", terminal);
  const closed = terminal.out().slice(open.length);
  assert.match(closed, /2 packets are in tunnels \(1 gre, 1 vxlan\)/);
  assert.doesNotMatch(closed, /172\.16/);
  terminal.dispose();
});

test("metrics, topology and a replay enter tunnels where they are told to", async () => {
  for (const decapsulate of [true, false]) {
    const terminal = createFakeTerminal();
    const file = captureIn(terminal);
    const names = join(terminal.folder, "names.json");
    writeFileSync(names, JSON.stringify({ inside: ["172.16.0.1", "172.16.0.2"] }));
    const isInside = (text: string) => assert.equal(text.includes('"inside"'), decapsulate, text);
    await metrics([file], { names, decapsulate }, "netwatch 0", terminal);
    isInside(terminal.out());
    await topology({ read: [file], names, output: "json", decapsulate }, "netwatch 0", terminal);
    isInside(terminal.out());
    const seen: string[] = [];
    const view = {
      show: ({ tables }: Snapshot) => void seen.push(JSON.stringify([...tables.pairs.rows])),
      onEvent: () => {},
      showHealth: () => {},
    };
    const options = {
      read: [file],
      names,
      speed: 1e6,
      interval: 0.1,
      healthInterval: 10,
      signal: SIGNAL,
    };
    await replay({ ...options, decapsulate }, view, "netwatch 0", terminal);
    isInside(seen.at(-1)!);
    terminal.dispose();
  }
});

test("a filter sees the outer headers", async () => {
  const terminal = createFakeTerminal();
  const file = captureIn(terminal);
  const options = { output: "csv", table: "protocols", decapsulate: true } as const;
  await analyze([file], { ...options, filter: "udp port 4789" }, "netwatch 0", terminal);
  assert.match(terminal.out(), /^TCP,1,/m);
  const before = terminal.out().length;
  await analyze([file], { ...options, filter: "tcp port 6379" }, "netwatch 0", terminal);
  assert.doesNotMatch(terminal.out().slice(before), /^TCP/m);
  terminal.dispose();
});

test("what was seen last was seen with tunnels entered, or cannot be shown so", async () => {
  const terminal = createFakeTerminal();
  const file = captureIn(terminal);
  const pdf = join(terminal.folder, "out.pdf");
  const fromKept = () => report(pdf, { decapsulate: true, date: new Date(0) }, "netwatch 0", terminal);
  await analyze([file], { output: "table" }, "netwatch 0", terminal);
  await assert.rejects(fromKept, /made without --decapsulate/);
  await analyze([file], { output: "table", decapsulate: true }, "netwatch 0", terminal);
  assert.equal(await fromKept(), 0);
  terminal.dispose();
});
