import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import type { Damage } from "../packet.js";
import {
  asRead,
  ethernet,
  hasNanoseconds,
  inPieces,
  ipv4,
  join,
  PCAP_KINDS,
  pcapFile,
  pcapHeader,
  pcapRecord,
  type ReadPacket,
  readCapture,
  type SamplePacket,
  SEED,
  tcp,
  text,
} from "./sample.test.fixture.js";

const GOOD = ethernet(ipv4(tcp(40_000, 6379, 0x18, text("*1\r\n$4\r\nPING\r\n"))));
const START_US = 1_700_000_000_000_000;
const ONE: SamplePacket = { timeUs: START_US, bytes: GOOD };
const TWO: SamplePacket = {
  timeUs: START_US + 999_999,
  nanos: 999,
  bytes: GOOD.subarray(0, 60),
  length: 1500,
};
const HEADER = 24;
const RECORD = 16 + GOOD.length;

for (const kind of PCAP_KINDS) {
  for (const little of [true, false]) {
    test(`pcap ${kind}, ${little ? "little" : "big"} endian: times, lengths and bytes are read`, async () => {
      const { packets, report } = await readCapture(
        inPieces(pcapFile([ONE, TWO], { kind, little, linkType: 113 })),
      );
      const nanos = hasNanoseconds(kind) ? 999 : 0;
      assert.deepEqual(packets, [asRead(ONE, 113), asRead({ ...TWO, nanos }, 113)]);
      assert.deepEqual(report, { damages: [], damageCount: 0, names: [], dropped: null });
    });
  }
}

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** How many of GOOD survive, and what is said. */
  readonly packets: number;
  readonly damage: Damage | null;
}

const fatal = (offset: number, reason: string): Damage => ({ offset, reason, fatal: true });
const head = pcapHeader();
const good = pcapRecord(ONE);
const FOREIGN = "not a capture file (neither pcap nor pcapng)";

const CASES: readonly Case[] = [
  { name: "0 bytes", bytes: new Uint8Array(0), packets: 0, damage: fatal(0, "the file is empty") },
  { name: "3 bytes", bytes: head.subarray(0, 3), packets: 0, damage: fatal(0, FOREIGN) },
  {
    name: "23 of 24 header bytes",
    bytes: head.subarray(0, 23),
    packets: 0,
    damage: fatal(0, "file header cut short: 23 of 24 bytes"),
  },
  { name: "a header and no packet", bytes: head, packets: 0, damage: null },
  {
    name: "a cut record header",
    bytes: join(head, good, good.subarray(0, 9)),
    packets: 1,
    damage: fatal(HEADER + RECORD, "cut short in a record header: 9 of 16 bytes"),
  },
  {
    name: "a cut record header of 24 bytes",
    bytes: join(
      pcapHeader({ kind: "modified" }),
      pcapRecord(ONE, { kind: "modified" }),
      pcapRecord(ONE, { kind: "modified" }).subarray(0, 23),
    ),
    packets: 1,
    damage: fatal(HEADER + RECORD + 8, "cut short in a record header: 23 of 24 bytes"),
  },
  {
    name: "a cut packet",
    bytes: join(head, good, good.subarray(0, 40)),
    packets: 1,
    damage: fatal(HEADER + RECORD, `cut short in a packet: 24 of ${GOOD.length} bytes`),
  },
  {
    name: "a captured length of 2^32 - 1",
    bytes: join(head, good, pcapRecord(ONE, {}, { caplen: 0xffff_ffff })),
    packets: 1,
    damage: fatal(HEADER + RECORD, "record claims 4294967295 captured bytes, more than the format allows"),
  },
  {
    name: "a captured length one over the bound",
    bytes: join(head, good, pcapRecord(ONE, {}, { caplen: 262_145 })),
    packets: 1,
    damage: fatal(HEADER + RECORD, "record claims 262145 captured bytes, more than the format allows"),
  },
  {
    name: "a captured length at the bound, in a small file",
    bytes: join(head, good, pcapRecord(ONE, {}, { caplen: 262_144 })),
    packets: 1,
    damage: fatal(HEADER + RECORD, `cut short in a packet: ${GOOD.length} of 262144 bytes`),
  },
  {
    name: "a captured length of 256 MiB in a small file, with a link type that may have large packets",
    bytes: join(pcapHeader({ linkType: 249 }), good, pcapRecord(ONE, {}, { caplen: 1 << 28 }), GOOD),
    packets: 1,
    damage: fatal(HEADER + RECORD, "record claims 268435456 captured bytes, more than the format allows"),
  },
  {
    name: "a captured length of 128 MiB in a small file, with a link type that may have large packets",
    bytes: join(pcapHeader({ linkType: 249 }), good, pcapRecord(ONE, {}, { caplen: 1 << 27 })),
    packets: 1,
    damage: fatal(HEADER + RECORD, `cut short in a packet: ${GOOD.length} of 134217728 bytes`),
  },
  { name: "text", bytes: text("this is not a capture\n".repeat(50)), packets: 0, damage: fatal(0, FOREIGN) },
  { name: "an ELF file", bytes: text("\x7fELF\x02\x01\x01"), packets: 0, damage: fatal(0, FOREIGN) },
];

for (const { name, bytes, packets, damage } of CASES) {
  test(`pcap with ${name}: the good part is given, the damage is said with its offset`, async () => {
    const reading = await readCapture(inPieces(bytes));
    assert.deepEqual(
      reading.packets.map((packet) => packet.hex),
      new Array(packets).fill(Buffer.from(GOOD).toString("hex")),
    );
    assert.deepEqual(reading.report.damages, damage ? [damage] : []);
    assert.equal(reading.report.damageCount, damage ? 1 : 0);
  });
}

/** The one packet of a capture that has no damage. */
async function onlyPacket(bytes: Uint8Array): Promise<ReadPacket> {
  const { packets, report } = await readCapture(inPieces(bytes));
  assert.deepEqual(report.damages, []);
  assert.equal(packets.length, 1);
  return packets[0]!;
}

test("pcap: odd but harmless fields are taken as they are", async () => {
  const shorter = await onlyPacket(pcapFile([{ ...ONE, length: 10 }]));
  assert.deepEqual([shorter.caplen, shorter.length], [GOOD.length, 10]);
  const huge = await onlyPacket(pcapFile([{ ...ONE, length: 0xffff_ffff }]));
  assert.equal(huge.length, 4_294_967_295);
  for (const snaplen of [0, 10])
    assert.deepEqual(await onlyPacket(pcapFile([ONE], { snaplen })), asRead(ONE));
  assert.equal((await onlyPacket(pcapFile([{ ...ONE, bytes: new Uint8Array(0) }]))).caplen, 0);
});

test("pcap: the version in the header does not matter", async () => {
  const bytes = pcapFile([ONE]);
  bytes.set([9, 0, 9, 0], 4);
  assert.deepEqual(await onlyPacket(bytes), asRead(ONE));
});

test("pcap: FCS bits in the link-type word are not part of the link type", async () => {
  assert.equal((await onlyPacket(pcapFile([ONE], { linkType: 0x5000_0001 }))).linkType, 1);
  assert.equal((await onlyPacket(pcapFile([ONE], { linkType: 9999 }))).linkType, 9999);
});

test("pcap: a fraction of more than a second and the last second of 2106 give a sane time", async () => {
  const time = async (seconds: number, fraction: number, kind: "micro" | "nano") => {
    const form = { kind, little: false };
    const packet = await onlyPacket(join(pcapHeader(form), pcapRecord(ONE, form, { seconds, fraction })));
    return [packet.timeUs, packet.nanos];
  };
  assert.deepEqual(await time(1, 999_999_999, "micro"), [1_000_999_999, 0]);
  assert.deepEqual(await time(0xffff_ffff, 0xffff_ffff, "micro"), [4_294_967_295_000_000 + 4_294_967_295, 0]);
  assert.deepEqual(await time(1_700_000_000, 999_999_999, "nano"), [1_700_000_000_999_999, 999]);
  assert.deepEqual(await time(1, 0xffff_ffff, "nano"), [1_000_000 + 4_294_967, 295]);
});

const arbitraryPacket: fc.Arbitrary<SamplePacket> = fc.record({
  timeUs: fc.nat({ max: 4_294_967_295_999_999 }),
  nanos: fc.nat({ max: 999 }),
  bytes: fc.uint8Array({ maxLength: 200 }),
  length: fc.nat({ max: 0xffff_ffff }),
});

test("property: packets survive a round trip through every kind of pcap, byte order and link type", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitraryPacket, { maxLength: 20 }),
      fc.constantFrom(...PCAP_KINDS),
      fc.boolean(),
      fc.nat({ max: 65_535 }),
      async (packets, kind, little, linkType) => {
        const { packets: read, report } = await readCapture(
          inPieces(pcapFile(packets, { kind, little, linkType })),
        );
        const expected = packets.map((p) => asRead(hasNanoseconds(kind) ? p : { ...p, nanos: 0 }, linkType));
        assert.deepEqual(read, expected);
        assert.equal(report.damageCount, 0);
      },
    ),
    { seed: SEED, numRuns: 100 },
  );
});

test("a pcap cut anywhere gives the whole packets before the cut and says so, except between records", async () => {
  const whole = pcapFile([ONE, TWO, ONE], { kind: "ixia", little: false });
  const ends = [28, 28 + RECORD, 28 + RECORD + 76, 28 + 2 * RECORD + 76];
  assert.equal(ends[3], whole.length);
  for (let cut = 0; cut <= whole.length; cut++) {
    const { packets, report } = await readCapture(inPieces(whole.subarray(0, cut)));
    assert.equal(packets.length, Math.max(0, ends.filter((end) => end <= cut).length - 1), `cut at ${cut}`);
    const between = ends.includes(cut);
    assert.equal(report.damageCount, between ? 0 : 1, `cut at ${cut}`);
    const offset = ends.filter((end) => end <= cut).at(-1) ?? 0;
    if (!between) assert.equal(report.damages[0]!.offset, offset, `cut at ${cut}`);
  }
});

/** pcap-parser (npm): another reader of classic microsecond captures. */
interface IndependentParser {
  on(event: "packet", listener: (packet: IndependentPacket) => void): void;
  on(event: "globalHeader", listener: (header: { linkLayerType: number }) => void): void;
  on(event: "end", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}
interface IndependentPacket {
  readonly header: {
    readonly timestampSeconds: number;
    readonly timestampMicroseconds: number;
    readonly capturedLength: number;
    readonly originalLength: number;
  };
  readonly data: Buffer;
}
const independent = createRequire(import.meta.url)("pcap-parser") as {
  parse(stream: Readable): IndependentParser;
};

/** The packets as pcap-parser reads them. */
async function readIndependently(bytes: Uint8Array): Promise<ReadPacket[]> {
  const stream = new PassThrough();
  const parser = independent.parse(stream);
  const packets: ReadPacket[] = [];
  let linkType = -1;
  parser.on("globalHeader", (header) => {
    linkType = header.linkLayerType;
  });
  parser.on("packet", ({ header, data }) => {
    packets.push({
      timeUs: header.timestampSeconds * 1e6 + header.timestampMicroseconds,
      nanos: 0,
      caplen: header.capturedLength,
      length: header.originalLength,
      linkType,
      hex: data.toString("hex"),
    });
  });
  const ended = new Promise<void>((resolve, reject) => {
    parser.on("end", resolve);
    parser.on("error", reject);
  });
  Readable.from([Buffer.from(bytes)]).pipe(stream);
  await ended;
  return packets;
}

test("pcap-parser reads the same packets from every classic microsecond capture", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitraryPacket, { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      async (packets, little) => {
        const file = pcapFile(packets, { little });
        const { packets: read } = await readCapture(inPieces(file));
        assert.equal(read.length, packets.length);
        assert.deepEqual(read, await readIndependently(file));
      },
    ),
    { seed: SEED, numRuns: 50 },
  );
});

const FIXTURES = new URL("../../../../fixtures/", import.meta.url);
for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith(".pcap"))) {
  test(`pcap-parser reads the same packets from fixtures/${name}`, async () => {
    const file = readFileSync(new URL(name, FIXTURES));
    assert.deepEqual((await readCapture(inPieces(file))).packets, await readIndependently(file));
  });
}

test("old versions with the original length first are read as libpcap reads them; today's are believed as they stand", async () => {
  const cases: [major: number, minor: number, first: number, second: number, length: number | null][] = [
    [2, 4, GOOD.length, 1500, 1500],
    [2, 4, GOOD.length, 10, 10],
    [2, 3, GOOD.length, 1500, 1500],
    [2, 3, 1500, GOOD.length, 1500],
    [2, 2, 1500, GOOD.length, 1500],
    [543, 0, 1500, GOOD.length, 1500],
    [9, 9, GOOD.length, 1500, 1500],
  ];
  for (const [major, minor, first, second, length] of cases) {
    const bytes = pcapFile([ONE]);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    view.setUint16(4, major, true);
    view.setUint16(6, minor, true);
    view.setUint32(HEADER + 8, first, true);
    view.setUint32(HEADER + 12, second, true);
    const { packets, report } = await readCapture(inPieces(bytes));
    assert.equal(report.damageCount, 0, `version ${major}.${minor}`);
    assert.deepEqual(packets, [{ ...asRead(ONE), length }], `version ${major}.${minor}`);
  }
});
