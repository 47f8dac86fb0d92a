/** What the monitor costs at each look: a Snapshot of 10 k conversations made, held against the one before, and painted. */
import { performance } from "node:perf_hooks";
import { PassThrough, Writable } from "node:stream";
import { Analyzer } from "../analyze/analyzer.js";
import { buildSnapshot } from "../analyze/build.js";
import { limitSnapshot } from "../analyze/limit.js";
import { Names } from "../capture/names.js";
import { createPacket, type Packet } from "../capture/packet.js";
import { growTree } from "../report/topology-tree.js";
import { App } from "./app.js";
import { UNICODE } from "./glyphs.js";
import { emptyModel } from "./model.js";
import { openScreen } from "./screen.js";
import { SCREENS } from "./state.js";

const CONVERSATIONS = 10_000;
const LOOKS = 60;
/** Hosts that talk to each other. */
const HOSTS = 60;
const FRAME = 80;

/** Prints CPU a look and what part of a core that is at one look a second, and how long a key takes. */
export async function tuiBench(print: (line: string) => void): Promise<void> {
  const analyzer = new Analyzer({ seed: 1 });
  const packet = createFrame();
  const names = new Names(null);
  for (let host = 0; host < HOSTS; host++) names.add(`service-${host}`, new Uint8Array([10, 0, 0, host]));
  feed(analyzer, packet, 0);
  let written = 0;
  const output = Object.assign(
    new Writable({
      write(chunk: Buffer, _, done) {
        written += chunk.length;
        done();
      },
    }),
    { isTTY: true, columns: 200, rows: 50 },
  ) as unknown as NodeJS.WriteStream;
  const input = new PassThrough() as unknown as NodeJS.ReadStream;
  const screen = openScreen({
    input,
    output,
    terminal: "xterm-256color",
    color: true,
    onKey: () => {},
    onResize: () => {},
  });
  const app = new App(emptyModel("bench", "live"), {
    size: () => screen.size(),
    color: true,
    glyphs: UNICODE,
    paint: (lines) => screen.paint(lines),
  });
  const look = (second: number) => {
    feed(analyzer, packet, second);
    const began = process.cpuUsage();
    const snapshot = limitSnapshot(
      buildSnapshot(analyzer, { producer: "bench", files: [], dropped: 0, names }),
      1000,
    );
    app.onSnapshot(snapshot, growTree(snapshot.tables.pairs), 1);
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000;
  };
  for (let i = 1; i <= 20; i++) look(i);
  let cpu = 0;
  for (let i = 0; i < LOOKS; i++) {
    app.onKey(String((i % SCREENS.length) + 1));
    cpu += look(21 + i);
  }
  const keys: number[] = [];
  for (let i = 0; i < 500; i++) {
    const began = performance.now();
    app.onKey("s/j6g2pp"[i % 8]!);
    keys.push(performance.now() - began);
    if (i % 8 === 1) app.onKey("escape");
  }
  screen.close();
  keys.sort((a, b) => a - b);
  const perLook = cpu / LOOKS;
  print(`\n## The monitor\n`);
  print(
    `${CONVERSATIONS} conversations, 200x50: ${perLook.toFixed(1)} ms of CPU a look, ${(perLook / 10).toFixed(1)} % of a core at one a second`,
  );
  print(
    `a key: ${keys[250]!.toFixed(1)} ms in the middle, ${keys[495]!.toFixed(1)} ms at p99; ${Math.round(written / 1024)} KiB painted in all`,
  );
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
function feed(analyzer: Analyzer, packet: Packet, second: number): void {
  const { view } = packet;
  for (let i = 0; i < CONVERSATIONS; i++) {
    view.setUint32(26, 0x0a00_0000 + (i % HOSTS));
    view.setUint32(30, 0x0a00_0000 + ((i * 7 + 1) % HOSTS));
    view.setUint16(34, 20_000 + i);
    view.setUint16(36, 8000 + (i % 5));
    packet.timeUs = 1_700_000_000_000_000 + second * 1e6 + i * 50;
    analyzer.add(packet);
  }
}
