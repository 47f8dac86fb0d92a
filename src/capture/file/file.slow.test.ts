import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { type ByteSource, fromStream } from "./bytes.js";
import { CaptureReader, readPackets } from "./file.js";
import {
  asPacket,
  block,
  copyPacket,
  enhancedPacket,
  inPieces,
  interfaceBlock,
  join,
  nameRecord,
  nameResolution,
  pcapFile,
  pcapngFile,
  type ReadPacket,
  readCapture,
  type SamplePacket,
  SEED,
  section,
  simplePacket,
  statistics,
  text,
  u8,
} from "./sample.test.fixture.js";

const arbitraryPacket: fc.Arbitrary<SamplePacket> = fc.record({
  timeUs: fc.nat({ max: 4_294_967_295_999_999 }),
  nanos: fc.nat({ max: 999 }),
  bytes: fc.uint8Array({ maxLength: 120 }),
});
const arbitraryPackets = fc.array(arbitraryPacket, { minLength: 1, maxLength: 12 });

/** A pcapng with a bit of everything. */
function rich(packets: readonly SamplePacket[], little: boolean): Uint8Array {
  return join(
    section(little),
    interfaceBlock({ linkType: 1 }, little),
    nameResolution([nameRecord(1, join(u8(10, 0, 0, 1), text("web\0")), little)], little),
    ...packets.flatMap(({ timeUs, bytes }, i) => [
      enhancedPacket(bytes, { ticks: BigInt(timeUs), interfaceId: i % 5 === 4 ? 1 : 0 }, little),
      block(0xbad, bytes, little),
      statistics(0, { ifdrop: BigInt(i) }, little),
    ]),
    pcapngFile(packets, { little: !little, resolution: 9 }),
    simplePacket(u8(1, 2, 3, 4), 4, !little),
  );
}

/** Captures of every format. */
const arbitraryCapture: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    arbitraryPackets,
    fc.boolean(),
    fc.constantFrom("micro", "nano", "modified", "ixia", "pcapng", "rich") as fc.Arbitrary<
      "micro" | "nano" | "modified" | "ixia" | "pcapng" | "rich"
    >,
  )
  .map(([packets, little, format]) => {
    if (format === "pcapng") return pcapngFile(packets, { little });
    return format === "rich" ? rich(packets, little) : pcapFile(packets, { kind: format, little });
  });

/** Captures with some bytes changed, some cut out, some repeated, and bytes that never were a capture. */
const arbitraryDamaged: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => join(pcapFile([]), bytes)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => join(section(), interfaceBlock(), bytes)),
  fc
    .tuple(
      arbitraryCapture,
      fc.array(fc.tuple(fc.nat({ max: 5000 }), fc.constantFrom(0, 1, 4, 0x7f, 0x80, 0xff)), { maxLength: 4 }),
      fc.nat({ max: 5000 }),
      fc.nat({ max: 60 }),
    )
    .map(([capture, changes, cut, length]) => {
      const bytes = capture.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const from = cut % bytes.length;
      return join(bytes.subarray(0, from), bytes.subarray(from + length));
    }),
);

const arbitrarySizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 500 })), {
  minLength: 1,
  maxLength: 10,
});

test("property: chunking changes nothing: same packets, names, drops and damages, at once or later, gzip or not", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(arbitraryCapture, arbitraryDamaged),
      arbitrarySizes,
      fc.boolean(),
      async (bytes, sizes, later) => {
        const whole = await readCapture(inPieces(bytes));
        assert.deepEqual(await readCapture(inPieces(bytes, sizes, later)), whole);
        assert.deepEqual(await readCapture(streamOf(bytes, sizes)), whole);
        if (bytes[0] !== 0x1f)
          assert.deepEqual(await readCapture(inPieces(gzipSync(bytes), sizes, later)), whole);
      },
    ),
    { seed: SEED, numRuns: 200 },
  );
});

function streamOf(bytes: Uint8Array, sizes: readonly number[]): ByteSource {
  async function* stream() {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length]!;
      yield bytes.slice(at, at + size);
      at += size;
    }
  }
  return fromStream(stream());
}

test("property: chunking changes nothing in damaged gzip either", async () => {
  await fc.assert(
    fc.asyncProperty(
      arbitraryCapture,
      fc.nat({ max: 5000 }),
      fc.nat({ max: 255 }),
      arbitrarySizes,
      async (capture, at, value, sizes) => {
        const bytes = Uint8Array.from(gzipSync(capture));
        bytes[at % bytes.length] = value;
        const whole = await readCapture(inPieces(bytes));
        assert.deepEqual(await readCapture(inPieces(bytes, sizes)), whole);
      },
    ),
    { seed: SEED, numRuns: 100 },
  );
});

test("property: no bytes crash a reader or hang it, and every packet lies whole in the bytes it was read from", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryDamaged, arbitrarySizes, async (bytes, sizes) => {
      const { packets, report } = await readCapture(inPieces(bytes, sizes));
      const hex = Buffer.from(bytes).toString("hex");
      for (const packet of packets) {
        assert.equal(packet.hex.length, packet.caplen * 2);
        assert.ok(hex.includes(packet.hex));
        assert.ok(Number.isSafeInteger(packet.timeUs) && packet.timeUs >= -1);
        assert.ok(packet.nanos >= 0 && packet.nanos <= 999);
      }
      assert.ok(report.damageCount >= report.damages.length);
      for (const { offset } of report.damages) assert.ok(offset >= 0 && offset <= bytes.length);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test("a source that fails while it is read ends the capture with its message and offset", async () => {
  const bytes = pcapFile([{ timeUs: 1, bytes: u8(1, 2, 3) }]);
  const source = inPieces(bytes);
  const failing: ByteSource = {
    ...source,
    read: (into) => {
      const n = source.read(into);
      if (n === 0) throw new Error("EIO: i/o error, read");
      return n;
    },
  };
  const { packets, report } = await readCapture(failing);
  assert.equal(packets.length, 1);
  assert.deepEqual(report.damages, [{ offset: bytes.length, reason: "EIO: i/o error, read", fatal: true }]);
});

test("a source that fails at once is closed, and its error is the caller's", async () => {
  let closed = false;
  const failing: ByteSource = {
    failure: null,
    taken: 0,
    read: () => Promise.reject(new Error("EIO")),
    close() {
      closed = true;
    },
  };
  await assert.rejects(CaptureReader.open("x", failing), { message: "EIO" });
  assert.ok(closed);
});

test("a reader counts the packets it has given and knows how much it has taken", async () => {
  const bytes = pcapFile([
    { timeUs: 1, bytes: u8(1) },
    { timeUs: 2, bytes: u8(2) },
  ]);
  const reader = await CaptureReader.open("a name", inPieces(bytes));
  assert.equal(reader.packets, 0);
  await readPackets(
    [reader],
    () => {},
    () => {},
  );
  assert.equal(reader.name, "a name");
  assert.equal(reader.packets, 2);
  assert.equal(reader.bytesTaken, bytes.length);
});

// Merging. A packet of capture c that is the i-th of it carries [c, i] as its bytes. A time of -1 is none.

type Times = readonly (readonly number[])[];

function captureOf(times: readonly number[], c: number): Uint8Array {
  const packets = times.map((time, i) =>
    time < 0 ? simplePacket(u8(c, i, 0, 0)) : enhancedPacket(u8(c, i), { ticks: BigInt(time) }),
  );
  return join(section(), interfaceBlock(), ...packets);
}

/** What readPackets gives, as "capture/index". */
async function merge(times: Times, sizes: readonly number[] = [64]): Promise<string[]> {
  const open = (capture: readonly number[], c: number) =>
    CaptureReader.open(String(c), inPieces(captureOf(capture, c), sizes));
  const readers = await Promise.all(times.map(open));
  const merged: string[] = [];
  await readPackets(
    readers,
    (packet) => {
      const { hex } = copyPacket(packet);
      merged.push(`${Number.parseInt(hex.slice(0, 2), 16)}/${Number.parseInt(hex.slice(2, 4), 16)}`);
    },
    () => {},
  );
  return merged;
}

const listed = (times: Times) =>
  times.flatMap((capture, c) => capture.map((time, i) => ({ time, what: `${c}/${i}` })));

const arbitraryTimes = fc.array(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 15 }), {
  maxLength: 5,
});

test("property: captures in order merge as a stable sort by time; ties go in the order of the captures", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryTimes, arbitrarySizes, async (unsorted, sizes) => {
      const times = unsorted.map((capture) => capture.toSorted((x, y) => x - y));
      const expected = listed(times).toSorted((x, y) => x.time - y.time);
      assert.deepEqual(
        await merge(times, sizes),
        expected.map(({ what }) => what),
      );
    }),
    { seed: SEED, numRuns: 150 },
  );
});

/** Again and again the earliest of the captures' next packets, the first capture's where several are. */
function mergeByHand(times: Times): string[] {
  const at = times.map(() => 0);
  const merged: string[] = [];
  for (;;) {
    let first = -1;
    for (let c = 0; c < times.length; c++) {
      if (at[c]! >= times[c]!.length) continue;
      if (first < 0 || times[c]![at[c]!]! < times[first]![at[first]!]!) first = c;
    }
    if (first < 0) return merged;
    merged.push(`${first}/${at[first]!++}`);
  }
}

test("property: packets out of order, or without a time, keep their place in their own capture", async () => {
  const times = fc.array(fc.array(fc.integer({ min: -1, max: 12 }), { maxLength: 15 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(times, arbitrarySizes, async (captures, sizes) => {
      const merged = await merge(captures, sizes);
      assert.deepEqual(merged, mergeByHand(captures));
      captures.forEach((capture, c) => {
        const own = merged.filter((what) => what.startsWith(`${c}/`));
        assert.deepEqual(
          own,
          capture.map((_, i) => `${c}/${i}`),
        );
      });
    }),
    { seed: SEED, numRuns: 150 },
  );
});

test("merging: one late packet holds back what follows it in its own capture alone", async () => {
  assert.deepEqual(
    await merge([
      [5, 1, 6],
      [2, 5, 7],
    ]),
    ["1/0", "0/0", "0/1", "1/1", "0/2", "1/2"],
  );
  assert.deepEqual(
    await merge([
      [3, -1],
      [4, 3],
    ]),
    ["0/0", "0/1", "1/0", "1/1"],
  );
  assert.deepEqual(await merge([]), []);
});

test("merging: a damaged or empty capture among others costs only what it lost", async () => {
  const capture = captureOf([1, 3], 0);
  const sources = [capture.subarray(0, -1), new Uint8Array(0), captureOf([2, 4], 2)];
  const readers = await Promise.all(
    sources.map((bytes, c) => CaptureReader.open(String(c), inPieces(bytes))),
  );
  const seen: ReadPacket[] = [];
  await readPackets(
    readers,
    (packet) => seen.push(copyPacket(packet)),
    () => {},
  );
  assert.deepEqual(
    seen.map((packet) => packet.timeUs),
    [1, 2, 4],
  );
  assert.deepEqual(
    readers.map((reader) => [reader.packets, reader.report.damageCount]),
    [
      [1, 1],
      [0, 1],
      [2, 0],
    ],
  );
});

test("a sample's cursor and its reading agree", () => {
  const bytes = join(u8(9, 9), u8(1, 2, 3)).subarray(2);
  assert.deepEqual(copyPacket(asPacket({ timeUs: 7, nanos: 8, bytes, length: 10 }, 101)), {
    timeUs: 7,
    nanos: 8,
    caplen: 3,
    length: 10,
    linkType: 101,
    hex: "010203",
  });
});
