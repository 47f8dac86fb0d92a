import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { pcapFile, SEED } from "../../capture/file/sample.test.fixture.js";
import { createQuality, type EndQuality, readQuality } from "./quality.js";
import { analyze, frameOf, type Segment } from "./tcp.test.fixture.js";

/** What both count, under tshark's names. */
const FIELDS = {
  "tcp.analysis.retransmission": (side: EndQuality) => side.retransmissions,
  "tcp.analysis.fast_retransmission": (side: EndQuality) => side.fastRetransmissions,
  "tcp.analysis.spurious_retransmission": (side: EndQuality) => side.spuriousRetransmissions,
  "tcp.analysis.out_of_order": (side: EndQuality) => side.outOfOrder,
  "tcp.analysis.duplicate_ack": (side: EndQuality) => side.duplicateAcks,
  "tcp.analysis.zero_window": (side: EndQuality) => side.zeroWindows,
  "tcp.analysis.window_full": (side: EndQuality) => side.windowFull,
  "tcp.analysis.keep_alive": (side: EndQuality) => side.keepAlives,
  "tcp.analysis.lost_segment": (side: EndQuality) => side.gaps,
} as const;
const NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
const isThere = spawnSync("tshark", ["--version"]).status === 0;

/** What happens next in a made-up conversation. */
const step = fc.record({
  from: fc.constantFrom("client", "server"),
  what: fc.constantFrom(
    "data",
    "data",
    "data",
    "ack",
    "ack",
    "again",
    "skip",
    "keepalive",
    "zero",
    "probe",
    "fin",
  ),
  length: fc.integer({ min: 1, max: 1400 }),
  /** Microseconds until it. */
  afterUs: fc.constantFrom(1, 40, 400, 2900, 5000, 25_000, 300_000),
  isCaptured: fc.constantFrom(true, true, true, true, true, true, false),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The segments of a conversation that takes these steps: sequence numbers near their end, some segments not captured. */
function conversation(steps: readonly Step[], clientPort: number, hasHandshake: boolean): Segment[] {
  const next = { client: 0xffff_f000, server: 77 };
  const sent: Record<"client" | "server", Segment[]> = { client: [], server: [] };
  const segments: Segment[] = [];
  let atUs = clientPort;
  const add = (
    from: "client" | "server",
    flags: string,
    seq: number,
    more: Partial<Segment> = {},
  ): Segment => {
    const ack = from === "client" ? next.server : next.client;
    const segment = {
      from,
      flags,
      seq: seq >>> 0,
      ack: flags === "S" ? 0 : ack >>> 0,
      atUs,
      clientPort,
      ...more,
    };
    segments.push(segment);
    return segment;
  };
  if (hasHandshake) {
    add("client", "S", next.client++);
    atUs += 120;
    add("server", "SA", next.server++);
    atUs += 60;
    add("client", "A", next.client);
  }
  for (const { from, what, length, afterUs, isCaptured } of steps) {
    atUs += afterUs;
    const seq = next[from];
    if (what === "data" || what === "skip") {
      const segment = add(from, "A", seq, { length });
      sent[from].push(segment);
      next[from] = (seq + length) >>> 0;
      if (what === "skip" || !isCaptured) segments.pop();
    } else if (what === "again" && sent[from].length > 0) {
      const { seq: old, length: size } = sent[from][length % sent[from].length]!;
      add(from, "A", old, { length: size ?? 0 });
    } else if (what === "keepalive") add(from, "A", seq - 1, { length: length % 2 });
    else if (what === "probe") add(from, "A", seq, { length: 1 });
    else if (what === "zero") add(from, "A", seq, { window: 0 });
    else if (what === "fin" && length < 100) add(from, "FA", next[from]++);
    else if (isCaptured) add(from, "A", seq);
  }
  return segments;
}

test("property: made-up conversations are judged as tshark judges them", {
  skip: isThere ? false : "tshark is not installed",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-tshark-"));
  try {
    const conversations = fc.sample(fc.tuple(fc.array(step, { minLength: 3, maxLength: 60 }), fc.boolean()), {
      seed: SEED,
      numRuns: 400,
    });
    const segments = conversations.flatMap(([steps, hasHandshake], i) =>
      conversation(steps, 20_000 + i, hasHandshake),
    );
    const file = join(folder, "made-up.pcap");
    writeFileSync(file, pcapFile(segments.map(frameOf)));
    const words = [
      "-n",
      "-r",
      file,
      "-T",
      "fields",
      "-e",
      "tcp.port",
      ...NAMES.flatMap((name) => ["-e", name]),
    ];
    const { stdout } = spawnSync("tshark", words, { encoding: "utf8", maxBuffer: 1 << 28 });
    const expected = new Map<number, number[]>();
    for (const line of stdout.split("\n").filter((line) => line !== "")) {
      const [ports, ...cells] = line.split("\t");
      const port = Math.max(...ports!.split(",").map(Number));
      const counts = expected.get(port) ?? NAMES.map(() => 0);
      expected.set(
        port,
        counts.map((count, i) => count + (cells[i] === "" ? 0 : 1)),
      );
    }
    const { flows, inspector } = analyze(segments);
    const found = new Map<number, number[]>();
    for (let flow = 0; flow < flows.count; flow++) {
      const connection = inspector.connectionOf(flows.link(flow), flows.protocolKey(flow));
      const { orig, reply } = readQuality(createQuality(), inspector.tcp, connection, flows.isBegunByB(flow));
      const port = Math.max(flows.port(flow, false), flows.port(flow, true));
      found.set(
        port,
        NAMES.map((name) => FIELDS[name](orig) + FIELDS[name](reply)),
      );
    }
    const sums = NAMES.map((_, i) => [...expected.values()].reduce((sum, counts) => sum + counts[i]!, 0));
    assert.ok(
      sums.every((sum) => sum > 0),
      `each kind comes up: ${sums}`,
    );
    const differing = [...expected].filter(([port, counts]) => String(counts) !== String(found.get(port)));
    assert.deepEqual(
      differing.map(([port, counts]) => ({ port, counts, found: found.get(port) })),
      [],
    );
    assert.equal(found.size, expected.size);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
