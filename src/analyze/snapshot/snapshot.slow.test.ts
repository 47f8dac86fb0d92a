import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { z } from "zod";
import { CaptureReader, readPackets } from "../../capture/file/file.js";
import {
  asPacket,
  inPieces,
  PCAP_KINDS,
  type PcapngForm,
  pcapFile,
  pcapngFile,
  type SamplePacket,
  SEED,
  talkPacket,
  talks,
} from "../../capture/file/sample.test.fixture.js";
import { type Names, parseNames } from "../../capture/names/names.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import { Analyzer, type AnalyzerOptions } from "../analyzer.js";
import { buildSnapshot, type SnapshotContext } from "./build.js";
import { limitSnapshot } from "./limit.js";
import { parseSnapshot } from "./read-snapshot.js";
import { type Snapshot, snapshotSchema } from "./snapshot.js";

const CONTEXT: SnapshotContext = { producer: "netwatch test", files: [], dropped: null, names: null };

const toJson = (snapshot: Snapshot, indent = false) => [...renderSnapshotJson(snapshot, indent)].join("");

/** The Snapshot of captures read as one, as JSON. */
async function jsonOf(captures: readonly Uint8Array[], sizes?: readonly number[]): Promise<string> {
  const readers = await Promise.all(
    captures.map((bytes) => CaptureReader.open("sample", inPieces(bytes, sizes))),
  );
  const analyzer = new Analyzer();
  await readPackets(
    readers,
    (packet) => analyzer.add(packet),
    () => analyzer.flush(),
  );
  for (const { report } of readers) assert.equal(report.damageCount, 0);
  return toJson(buildSnapshot(analyzer, CONTEXT));
}

/** Traffic that has a time and its own nanoseconds. */
function samples(roll: number, count: number, withNanos: boolean): SamplePacket[] {
  return talks(roll, count)
    .filter((one) => one.timeUs >= 0)
    .map((one, i) => ({ ...talkPacket(one), nanos: withNanos ? (i * 37) % 1000 : 0 }));
}

/** The packets in every format there is. */
function inEveryFormat(packets: readonly SamplePacket[]): Uint8Array[] {
  const orders = [true, false];
  const forms: PcapngForm[] = orders.flatMap((little) =>
    ([6, 9] as const).flatMap((resolution) => orders.map((old) => ({ little, resolution, old }))),
  );
  const plain = [
    ...PCAP_KINDS.flatMap((kind) => orders.map((little) => pcapFile(packets, { kind, little }))),
    ...forms.map((form) => pcapngFile(packets, form)),
  ];
  return [...plain, gzipSync(plain[0]!), gzipSync(plain.at(-1)!)];
}

test("property: whole microseconds in any format, gzip or not, in any pieces, give one Snapshot, byte for byte", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat({ max: 60 }), async (roll, count) => {
      const files = inEveryFormat(samples(roll, count, false));
      const expected = await jsonOf([files[0]!]);
      for (const file of files) assert.equal(await jsonOf([file], [count + 1, 7]), expected);
    }),
    { seed: SEED, numRuns: 4 },
  );
});

test("property: nanoseconds change the window and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 60 }), async (roll, count) => {
      const [first, ...others] = inEveryFormat(samples(roll, count, true));
      const { window: _, ...expected } = JSON.parse(await jsonOf([first!]));
      for (const file of others) {
        const { window, ...rest } = JSON.parse(await jsonOf([file]));
        assert.equal(JSON.stringify(rest), JSON.stringify(expected));
        assert.ok(window.duration >= 0);
      }
    }),
    { seed: SEED, numRuns: 4 },
  );
});

test("property: a capture cut in two in time is read as one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat({ max: 100 }), async (roll, cut) => {
      const packets = samples(roll, 100, false).toSorted((x, y) => x.timeUs - y.timeUs);
      const whole = await jsonOf([pcapFile(packets)]);
      const parts = [pcapFile(packets.slice(0, cut)), pcapngFile(packets.slice(cut), { resolution: 9 })];
      assert.equal(await jsonOf(parts), whole);
      assert.equal(await jsonOf(parts.toReversed().reverse(), [100]), whole);
    }),
    { seed: SEED, numRuns: 8 },
  );
});

test("the window goes from the earliest to the latest time, to the nanosecond, in any order of packets", () => {
  const window = (...times: readonly (readonly [us: number, nanos: number])[]) => {
    const analyzer = new Analyzer();
    for (const [timeUs, nanos] of times) analyzer.add(asPacket({ timeUs, nanos, bytes: new Uint8Array(0) }));
    return buildSnapshot(analyzer, CONTEXT).window;
  };
  assert.deepEqual(window(), { start: null, end: null, duration: 0 });
  assert.deepEqual(window([-1, 0]), { start: null, end: null, duration: 0 });
  const expected = {
    start: "1970-01-01T00:00:01.000000003Z",
    end: "1970-01-01T00:00:02.000000004Z",
    duration: 1.000000001,
  };
  const times = [
    [1_000_000, 3],
    [2_000_000, 4],
    [1_000_000, 5],
    [-1, 0],
    [2_000_000, 1],
  ] as const;
  assert.deepEqual(window(...times), expected);
  assert.deepEqual(window(...times.toReversed()), expected);
  assert.equal(window([5, 0]).duration, 0);
});

function built(count: number, options: AnalyzerOptions, context: Partial<SnapshotContext> = {}): Snapshot {
  const analyzer = new Analyzer(options);
  for (const one of talks(count, count)) analyzer.add(asPacket(talkPacket(one)));
  analyzer.add(asPacket({ timeUs: 2 ** 53 - 1, bytes: new Uint8Array(3) }, 101));
  analyzer.add(asPacket({ timeUs: 0, bytes: Uint8Array.of(0x45), length: 100 }, 101));
  return buildSnapshot(analyzer, { ...CONTEXT, ...context });
}

const names: Names = parseNames(
  '{"__proto__": "10.1.1.1", "\\u001b[2J\\u009b\\u202e": "10.1.1.2", "\\"\\\\": "fd00::1"}',
);
const damaged = { name: "x.pcap\u001b", packets: 3, damage: { offset: 99, reason: "cut short", count: 2 } };

const SNAPSHOTS: readonly (readonly [string, () => Snapshot])[] = [
  ["of nothing", () => buildSnapshot(new Analyzer(), CONTEXT)],
  ["of two odd packets", () => built(0, {})],
  ["of traffic", () => built(200, {})],
  ["of a flood", () => built(500, { maxFlows: 3 })],
  ["with hostile names", () => built(100, {}, { names })],
  ["with damage and drops", () => built(100, {}, { files: [damaged], dropped: 7 })],
  ["with few rows", () => limitSnapshot(built(200, { maxFlows: 50 }, { names }), 2)],
];

const validate = new Ajv2020({ strict: false }).compile(z.toJSONSchema(snapshotSchema));

for (const [name, build] of SNAPSHOTS) {
  test(`the Snapshot ${name} is what its schema says, and is read back as it was`, () => {
    for (const indent of [false, true]) {
      const json = toJson(build(), indent);
      const value = JSON.parse(json);
      assert.ok(validate(value), JSON.stringify(validate.errors));
      const read = parseSnapshot(json);
      assert.equal(toJson(read, indent), json);
      assert.doesNotMatch(json, /NaN|Infinity|undefined|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    }
  });
}

test("the two forms of a Snapshot's JSON say the same; one is a single line", () => {
  const snapshot = built(100, {}, { names });
  const line = toJson(snapshot, false);
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), JSON.parse(toJson(snapshot, true)));
});

test("the ledger says what the numbers miss", () => {
  const { ledger, totals } = built(0, {}, { files: [damaged], dropped: 7 });
  assert.deepEqual(totals, { packets: 2, bytes: 103 });
  assert.deepEqual(ledger, {
    files: [damaged],
    interfaces: null,
    packets: 2,
    captured_bytes: 4,
    truncated: 1,
    malformed: [{ reason: "ip-header-short", packets: 1 }],
    non_ip: 2,
    timeless: 0,
    dropped: 7,
    evicted: { conversations: 0, packets: 0, bytes: 0 },
    inspection: { connections: 0, unfollowed: 0, gaps: 0, operations: 0 },
    unresolved_bytes: null,
    rounded: false,
    complete: false,
  });
});

test("a Snapshot is complete where no drop and no damage is known", () => {
  const complete = (context: Partial<SnapshotContext>) => built(1, {}, context).ledger.complete;
  assert.ok(complete({}));
  assert.ok(complete({ dropped: 0, files: [{ ...damaged, damage: null }] }));
  assert.ok(!complete({ dropped: 1 }));
  assert.ok(!complete({ files: [{ ...damaged, damage: null }, damaged] }));
});

test("malformed packets are counted by reason and are OTHER; each reason at most once", () => {
  const analyzer = new Analyzer();
  for (const first of [0x45, 0x42, 0x55, 0x42])
    analyzer.add(asPacket({ timeUs: 0, bytes: new Uint8Array(20).fill(first, 0, 1) }, 228));
  analyzer.add(asPacket({ timeUs: 0, bytes: new Uint8Array(5) }, 228));
  analyzer.add(
    asPacket({ timeUs: 0, bytes: Uint8Array.from({ length: 20 }, (_, i) => [0x45, 0, 0, 19][i] ?? 0) }, 228),
  );
  const { ledger, tables } = buildSnapshot(analyzer, CONTEXT);
  assert.deepEqual(ledger.malformed, [
    { reason: "ip-header-short", packets: 1 },
    { reason: "ip-version", packets: 1 },
    { reason: "ip-header-length", packets: 2 },
    { reason: "ip-total-length", packets: 1 },
  ]);
  assert.deepEqual(
    [...tables.protocols.rows].map((row) => [row.protocol, row.packets]),
    [
      ["OTHER", 5],
      ["HOPOPT", 1],
    ],
  );
});

test("byte counts beyond 2^53 say that they are rounded", () => {
  const analyzer = new Analyzer();
  analyzer.add(asPacket({ timeUs: 0, bytes: new Uint8Array(0), length: Number.MAX_SAFE_INTEGER }));
  assert.ok(!buildSnapshot(analyzer, CONTEXT).ledger.rounded);
  analyzer.add(asPacket({ timeUs: 0, bytes: new Uint8Array(0), length: 1 }));
  const snapshot = buildSnapshot(analyzer, CONTEXT);
  assert.ok(snapshot.ledger.rounded);
  assert.ok(snapshot.findings.some(({ code, severity }) => code === "rounded" && severity === "warning"));
});

test("the series has the classes that occur, and adds up to the packets that have a time", () => {
  const all = talks(8, 300);
  const analyzer = new Analyzer();
  for (const one of all) analyzer.add(asPacket(talkPacket(one)));
  const { series, ledger } = buildSnapshot(analyzer, CONTEXT);
  assert.deepEqual(
    series.classes.map((line) => line.name),
    ["TCP", "UDP", "ICMP", "other IP"],
  );
  const timed = all.filter((one) => one.timeUs >= 0);
  const sum = (of: "packets" | "bytes") =>
    series.classes.flatMap((line) => line[of]).reduce((x, y) => x + y, 0);
  assert.equal(ledger.timeless, all.length - timed.length);
  assert.equal(sum("packets"), timed.length);
  assert.equal(
    sum("bytes"),
    timed.reduce((bytes, one) => bytes + one.length, 0),
  );
});
