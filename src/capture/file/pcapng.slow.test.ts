import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Damage, MAX_TIME_US } from "../packet.js";
import {
  asRead,
  block,
  enhancedPacket,
  ethernet,
  inPieces,
  interfaceBlock,
  ipv4,
  join,
  nameRecord,
  nameResolution,
  oldPacket,
  option,
  pcapngFile,
  readCapture,
  type SamplePacket,
  SEED,
  section,
  simplePacket,
  statistics,
  tcp,
  text,
  u8,
  u16,
  u32,
} from "./sample.test.fixture.js";

const GOOD = ethernet(ipv4(tcp(40_000, 6379, 0x18, text("*1\r\n$4\r\nPING\r\n"))));
const HEX = Buffer.from(GOOD).toString("hex");
const TICKS = 1_700_000_000_000_000n;
const US = 1_700_000_000_000_000;
const GOOD_PACKET = enhancedPacket(GOOD, { ticks: TICKS });
const BEGINNING = join(section(), interfaceBlock());
const NONE = new Uint8Array(0);

const order = (little: boolean) => (little ? "little" : "big");

for (const little of [true, false]) {
  test(`pcapng, ${order(little)} endian: enhanced, old and simple packet blocks are read`, async () => {
    const fields = { ticks: TICKS, length: 1500, options: option(1, text("a comment"), little) };
    const file = join(
      section(little),
      interfaceBlock({ linkType: 276 }, little),
      enhancedPacket(GOOD, fields, little),
      oldPacket(GOOD, fields, little),
      simplePacket(GOOD, GOOD.length, little),
    );
    const { packets, report } = await readCapture(inPieces(file));
    const timed = asRead({ timeUs: US, bytes: GOOD, length: 1500 }, 276);
    assert.deepEqual(packets, [timed, timed, asRead({ timeUs: -1, bytes: GOOD }, 276)]);
    assert.equal(report.damageCount, 0);
  });
}

test("pcapng: a section may change the byte order; its interfaces start again at 0", async () => {
  const file = join(
    BEGINNING,
    GOOD_PACKET,
    section(false),
    interfaceBlock({ linkType: 101, resolution: 9 }, false),
    enhancedPacket(GOOD, { ticks: 1_000_000_007n }, false),
    section(true),
    GOOD_PACKET,
  );
  const { packets, report } = await readCapture(inPieces(file));
  assert.deepEqual(packets, [
    asRead({ timeUs: US, bytes: GOOD }),
    asRead({ timeUs: 1_000_000, nanos: 7, bytes: GOOD }, 101),
  ]);
  assert.deepEqual(
    report.damages.map((damage) => damage.reason),
    ["packet of interface 0, which the section does not describe"],
  );
});

test("pcapng: every packet has the link type and the clock of its own interface", async () => {
  const file = join(
    section(),
    interfaceBlock({ linkType: 1 }),
    interfaceBlock({ linkType: 113, resolution: 3 }),
    interfaceBlock({ linkType: 0, resolution: 9, offset: 10n }),
    ...[2, 0, 1, 2].map((interfaceId) => enhancedPacket(GOOD, { interfaceId, ticks: 5_000_001n })),
    oldPacket(GOOD, { interfaceId: 1, ticks: 7n }),
  );
  const { packets } = await readCapture(inPieces(file));
  assert.deepEqual(
    packets.map(({ linkType, timeUs, nanos }) => [linkType, timeUs, nanos]),
    [
      [0, 10_005_000, 1],
      [1, 5_000_001, 0],
      [113, 5_000_001_000, 0],
      [0, 10_005_000, 1],
      [113, 7000, 0],
    ],
  );
});

interface Clock {
  readonly name: string;
  readonly resolution?: number;
  readonly offset?: bigint;
  readonly ticks: bigint;
  readonly timeUs: number;
  readonly nanos?: number;
}

const MOST = 0xffff_ffff_ffff_ffffn;
const CLOCKS: readonly Clock[] = [
  { name: "none given: microseconds", ticks: TICKS + 1n, timeUs: US + 1 },
  { name: "10^0", resolution: 0, ticks: 1_700_000_000n, timeUs: US },
  { name: "10^-3", resolution: 3, ticks: 1_700_000_000_123n, timeUs: US + 123_000 },
  { name: "10^-6", resolution: 6, ticks: TICKS + 123_456n, timeUs: US + 123_456 },
  { name: "10^-9", resolution: 9, ticks: TICKS * 1000n + 123_456_789n, timeUs: US + 123_456, nanos: 789 },
  { name: "10^-12", resolution: 12, ticks: 1_000_000_123_456_789_012n, timeUs: 1_000_000_123_456 },
  { name: "2^0", resolution: 0x80, ticks: 7n, timeUs: 7_000_000 },
  { name: "2^-10", resolution: 0x8a, ticks: 1_700_000_000n * 1024n + 1n, timeUs: US + 976 },
  { name: "2^-32", resolution: 0xa0, ticks: (1_700_000_000n << 32n) | 0xffff_ffffn, timeUs: US + 999_999 },
  { name: "10^-127", resolution: 127, ticks: MOST, timeUs: 0 },
  { name: "2^-127", resolution: 255, ticks: MOST, timeUs: 0 },
  { name: "a later offset", offset: 1_700_000_000n, ticks: 5n, timeUs: US + 5 },
  { name: "an earlier offset", offset: -100n, ticks: TICKS, timeUs: US - 100_000_000 },
  { name: "an offset before 1970: held at 1970", offset: -1_700_000_001n, ticks: TICKS, timeUs: 0 },
  { name: "the earliest offset there is", offset: -(1n << 63n), ticks: MOST, timeUs: 0 },
  { name: "the latest offset there is", offset: (1n << 63n) - 1n, ticks: 0n, timeUs: MAX_TIME_US },
  { name: "2^64 - 1 microseconds: held at the last exact one", ticks: MOST, timeUs: MAX_TIME_US },
  { name: "2^64 - 1 seconds", resolution: 0, ticks: MOST, timeUs: MAX_TIME_US },
];

for (const { name, resolution, offset, ticks, timeUs, nanos = 0 } of CLOCKS) {
  test(`pcapng clock ${name}`, async () => {
    for (const little of [true, false]) {
      const fields = {
        ...(resolution === undefined ? {} : { resolution }),
        ...(offset === undefined ? {} : { offset }),
      };
      const file = join(
        section(little),
        interfaceBlock(fields, little),
        enhancedPacket(GOOD, { ticks }, little),
      );
      const { packets } = await readCapture(inPieces(file));
      assert.deepEqual(packets, [asRead({ timeUs, nanos, bytes: GOOD })]);
    }
  });
}

test("property: any clock gives whole microseconds, rounded down, as big integers do", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.constantFrom(6, 9), fc.nat({ max: 255 })),
      fc.oneof(fc.bigInt({ min: 0n, max: 1n << 53n }), fc.bigInt({ min: 0n, max: MOST })),
      fc.oneof(fc.constant(0n), fc.bigInt({ min: -(1n << 32n), max: 1n << 32n })),
      async (resolution, ticks, offset) => {
        const perSecond = resolution & 0x80 ? 1n << BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
        const ticksUs = (ticks * 1_000_000n) / perSecond;
        fc.pre(ticksUs <= BigInt(MAX_TIME_US));
        const us = ticksUs + offset * 1_000_000n;
        const expected = us < 0n ? 0 : us > MAX_TIME_US ? MAX_TIME_US : Number(us);
        const file = join(section(), interfaceBlock({ resolution, offset }), enhancedPacket(GOOD, { ticks }));
        const { packets } = await readCapture(inPieces(file));
        assert.equal(packets[0]!.timeUs, expected);
        assert.equal(packets[0]!.nanos, resolution === 9 ? Number(ticks % 1000n) : 0);
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
});

test("pcapng: a simple packet is as long as the snaplen and its block let it be", async () => {
  const read = async (snaplen: number, length: number) => {
    const file = join(section(), interfaceBlock({ snaplen }), simplePacket(GOOD, length));
    const packet = (await readCapture(inPieces(file))).packets[0]!;
    return [packet.caplen, packet.length];
  };
  assert.equal(GOOD.length % 4, 0);
  assert.deepEqual(await read(0, 68), [68, 68]);
  assert.deepEqual(await read(0, 66), [66, 66]);
  assert.deepEqual(await read(0, 9000), [68, 9000]);
  assert.deepEqual(await read(60, 9000), [60, 9000]);
  assert.deepEqual(await read(96, 0xffff_ffff), [68, 0xffff_ffff]);
});

test("pcapng names: IPv4 and IPv6, the first of several names, with or without NUL", async () => {
  const names = async (little: boolean, ...records: readonly Uint8Array[]) => {
    const file = join(section(little), nameResolution(records, little));
    const { report } = await readCapture(inPieces(file));
    assert.equal(report.damageCount, 0);
    return report.names;
  };
  const ip6 = u8(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9);
  for (const little of [true, false]) {
    assert.deepEqual(
      await names(
        little,
        nameRecord(1, join(u8(10, 0, 0, 1), text("web\0alias\0")), little),
        nameRecord(2, join(ip6, text("dätabase\0")), little),
        nameRecord(1, join(u8(10, 0, 0, 2), text("bare")), little),
        nameRecord(1, join(u8(10, 0, 0, 3), text("\0second\0")), little),
        nameRecord(3, text("a hardware address"), little),
        nameRecord(1, u8(10, 0, 0), little),
        nameRecord(1, join(u8(10, 0, 0, 4), text(`${"x".repeat(300)}\0`)), little),
        nameRecord(1, join(u8(10, 0, 0, 5), u8(0xff, 0x41, 0)), little),
      ),
      [
        { address: "10.0.0.1", name: "web" },
        { address: "fd00::9", name: "dätabase" },
        { address: "10.0.0.2", name: "bare" },
        { address: "10.0.0.4", name: "x".repeat(255) },
        { address: "10.0.0.5", name: "\ufffdA" },
      ],
    );
  }
});

test("pcapng names: what stands behind the end record is not read; no more than 65,536 names are kept", async () => {
  const record = nameRecord(1, join(u8(10, 0, 0, 1), text("web\0")));
  const ended = block(4, join(u32(0), record));
  assert.deepEqual((await readCapture(inPieces(join(section(), ended)))).report.names, []);
  const blocks = Buffer.alloc(nameResolution([record]).length * 65_540, nameResolution([record]));
  const { report } = await readCapture(inPieces(join(section(), blocks)));
  assert.equal(report.names.length, 65_536);
  assert.equal(report.damageCount, 0);
});

test("pcapng statistics: drops are summed over interfaces and sections; a later block replaces an earlier", async () => {
  const dropped = async (...blocks: readonly Uint8Array[]) =>
    (await readCapture(inPieces(join(section(), interfaceBlock(), interfaceBlock(), ...blocks)))).report
      .dropped;
  assert.equal(await dropped(), null);
  assert.equal(await dropped(statistics(0, {})), null);
  assert.equal(await dropped(statistics(0, { ifdrop: 0n })), 0);
  assert.equal(await dropped(statistics(0, { ifdrop: 3n, osdrop: 4n })), 7);
  assert.equal(await dropped(statistics(0, { ifdrop: 3n }), statistics(1, { osdrop: 4n })), 7);
  assert.equal(await dropped(statistics(0, { ifdrop: 3n }), statistics(0, { ifdrop: 5n })), 5);
  assert.equal(await dropped(statistics(0, { ifdrop: 3n }), statistics(0, {})), 3);
  assert.equal(await dropped(statistics(2, { ifdrop: 3n })), null);
  const next = join(section(false), interfaceBlock({}, false), statistics(0, { ifdrop: 10n }, false));
  assert.equal(await dropped(statistics(0, { ifdrop: 3n }), next), 13);
});

for (const [name, size] of [
  ["small", 40],
  ["larger than the input buffer", 200_000],
  ["larger than a block that must be held whole may be", 17 * 1024 * 1024],
] as const) {
  test(`pcapng: unknown, reserved and custom blocks are skipped, ${name} ones too`, async () => {
    const body = new Uint8Array(size).fill(6);
    const blocks = [0x8000_0001, 0xbad, 0xbad0_0bad, 0].map((type) => block(type, body));
    const { packets, report } = await readCapture(
      inPieces(join(BEGINNING, ...blocks, GOOD_PACKET), [50_000]),
    );
    assert.deepEqual(packets, [asRead({ timeUs: US, bytes: GOOD })]);
    assert.equal(report.damageCount, 0);
  });
}

test("pcapng: a packet larger than the input buffer is read whole", async () => {
  const bytes = new Uint8Array(1_000_000).map((_, i) => i % 251);
  const file = pcapngFile([
    { timeUs: US, bytes },
    { timeUs: US, bytes: GOOD },
  ]);
  const { packets } = await readCapture(inPieces(file, [70_000]));
  assert.deepEqual(
    packets.map((packet) => packet.hex === Buffer.from(bytes).toString("hex") || packet.hex === HEX),
    [true, true],
  );
});

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly packets: number;
  readonly damages: readonly Damage[];
}
const fatal = (offset: number, reason: string): Damage => ({ offset, reason, fatal: true });
const warning = (offset: number, reason: string): Damage => ({ offset, reason, fatal: false });
const rest = new Uint8Array(64);
/** Where the first block after section and interface begins, and the one after a good packet. */
const AT = 48;
const NEXT = AT + 100;

const CASES: readonly Case[] = [
  {
    name: "a block length of 0",
    bytes: join(BEGINNING, u32(6, true), u32(0), rest),
    packets: 0,
    damages: [fatal(AT, "block claims an impossible length of 0 B")],
  },
  {
    name: "a block length under 12",
    bytes: join(BEGINNING, GOOD_PACKET, u32(6, true), u32(8, true), rest),
    packets: 1,
    damages: [fatal(NEXT, "block claims an impossible length of 8 B")],
  },
  {
    name: "a block length that is no multiple of 4",
    bytes: join(BEGINNING, block(6, new Uint8Array(24), true, { length: 37 }), rest),
    packets: 0,
    damages: [fatal(AT, "block claims an impossible length of 37 B")],
  },
  {
    name: "an impossible length of a block that is skipped",
    bytes: join(BEGINNING, u32(0xbad, true), u32(0), rest),
    packets: 0,
    damages: [fatal(AT, "block claims an impossible length of 0 B")],
  },
  {
    name: "a packet block of 4 GiB",
    bytes: join(BEGINNING, u32(6, true), u32(0xffff_fffc, true), rest),
    packets: 0,
    damages: [fatal(AT, "block claims 4294967292 bytes, more than 16777216")],
  },
  {
    name: "an unknown block of 4 GiB",
    bytes: join(BEGINNING, GOOD_PACKET, u32(0xbad, true), u32(0xffff_fffc, true), rest),
    packets: 1,
    damages: [fatal(NEXT + 72, "cut short in a block: 0 of 12 bytes")],
  },
  {
    name: "a second length that differs from the first",
    bytes: join(BEGINNING, GOOD_PACKET.subarray(0, -4), u32(99, true), GOOD_PACKET),
    packets: 2,
    damages: [warning(AT, "block lengths at its start and end differ")],
  },
  {
    name: "a packet of an interface that is not there",
    bytes: join(BEGINNING, enhancedPacket(GOOD, { interfaceId: 7 }), GOOD_PACKET),
    packets: 1,
    damages: [warning(AT, "packet of interface 7, which the section does not describe")],
  },
  {
    name: "an old packet of an interface that is not there",
    bytes: join(BEGINNING, oldPacket(GOOD, { interfaceId: 1 }), GOOD_PACKET),
    packets: 1,
    damages: [warning(AT, "packet of interface 1, which the section does not describe")],
  },
  {
    name: "a packet before any interface",
    bytes: join(section(), GOOD_PACKET),
    packets: 0,
    damages: [warning(28, "packet of interface 0, which the section does not describe")],
  },
  {
    name: "a simple packet before any interface",
    bytes: join(section(), simplePacket(GOOD)),
    packets: 0,
    damages: [warning(28, "simple packet in a section without an interface")],
  },
  {
    name: "a captured length beyond the block",
    bytes: join(BEGINNING, enhancedPacket(GOOD, { caplen: 60_000 }), GOOD_PACKET),
    packets: 1,
    damages: [warning(AT, "packet claims 60000 captured bytes in a block with room for 68")],
  },
  {
    name: "a captured length one byte beyond the block",
    bytes: join(BEGINNING, enhancedPacket(GOOD, { caplen: 69 }), GOOD_PACKET),
    packets: 1,
    damages: [warning(AT, "packet claims 69 captured bytes in a block with room for 68")],
  },
  {
    name: "an option beyond its block",
    bytes: join(
      section(),
      block(1, join(u16(1, true), u16(0), u32(0), u16(2, true), u16(60_000, true), text("eth"))),
      GOOD_PACKET,
    ),
    packets: 1,
    damages: [warning(28, "option past the end of its block")],
  },
  {
    name: "a name record beyond its block",
    bytes: join(BEGINNING, block(4, join(u16(1, true), u16(9, true), u8(10, 0, 0, 1))), GOOD_PACKET),
    packets: 1,
    damages: [warning(AT, "name record past the end of its block")],
  },
  {
    name: "blocks too short for what they are",
    bytes: join(
      BEGINNING,
      block(6, new Uint8Array(16)),
      block(2, new Uint8Array(16)),
      block(3, NONE),
      block(1, new Uint8Array(4)),
      block(5, new Uint8Array(8)),
      GOOD_PACKET,
    ),
    packets: 1,
    damages: [
      warning(AT, "packet block too short"),
      warning(AT + 28, "packet block too short"),
      warning(AT + 56, "packet block too short"),
      warning(AT + 68, "interface block too short"),
      warning(AT + 84, "statistics block too short"),
    ],
  },
  {
    name: "a wrong byte-order magic",
    bytes: join(u32(0x0a0d_0d0a), u32(28, true), u32(0xdead_beef, true), new Uint8Array(12), u32(28, true)),
    packets: 0,
    damages: [fatal(0, "section header with a wrong byte-order magic")],
  },
  {
    name: "a second section with a wrong byte-order magic",
    bytes: join(BEGINNING, GOOD_PACKET, block(0x0a0d_0d0a, new Uint8Array(16)), GOOD_PACKET),
    packets: 1,
    damages: [fatal(NEXT, "section header with a wrong byte-order magic")],
  },
  {
    name: "a section header that is too short",
    bytes: join(block(0x0a0d_0d0a, join(u32(0x1a2b_3c4d, true), u32(1, true))), GOOD_PACKET),
    packets: 0,
    damages: [fatal(0, "section header too short")],
  },
  {
    name: "a later major version",
    bytes: join(section(true, NONE, 2), interfaceBlock(), GOOD_PACKET),
    packets: 0,
    damages: [fatal(0, "pcapng version 2 is not known")],
  },
  {
    name: "a cut in the first bytes of a block",
    bytes: join(BEGINNING, GOOD_PACKET, GOOD_PACKET.subarray(0, 11)),
    packets: 1,
    damages: [fatal(NEXT, "cut short in a block: 11 of 12 bytes")],
  },
  {
    name: "a cut in a block",
    bytes: join(BEGINNING, GOOD_PACKET, GOOD_PACKET.subarray(0, 99)),
    packets: 1,
    damages: [fatal(NEXT, "cut short in a block")],
  },
  {
    name: "only the magic number",
    bytes: u32(0x0a0d_0d0a),
    packets: 0,
    damages: [fatal(0, "cut short in a block: 4 of 12 bytes")],
  },
];

for (const { name, bytes, packets, damages } of CASES) {
  test(`pcapng with ${name}: the good part is given, the damage is said with its offset`, async () => {
    const reading = await readCapture(inPieces(bytes));
    assert.deepEqual(
      reading.packets.map((packet) => packet.hex),
      new Array(packets).fill(HEX),
    );
    assert.deepEqual(reading.report.damages, damages);
    assert.equal(reading.report.damageCount, damages.length);
  });
}

test("pcapng: of many damages the first 8 are kept and all are counted", async () => {
  const bad = enhancedPacket(GOOD, { interfaceId: 1 });
  const { report } = await readCapture(inPieces(join(BEGINNING, ...new Array<Uint8Array>(20).fill(bad))));
  assert.deepEqual(
    report.damages.map((damage) => damage.offset),
    [0, 1, 2, 3, 4, 5, 6, 7].map((i) => AT + i * 100),
  );
  assert.equal(report.damageCount, 20);
});

test("pcapng: options of every kind, escape codes in them included, change nothing", async () => {
  const options = (...codes: readonly number[]) =>
    join(...codes.map((code) => option(code, text("\x1b]0;pwn\x07\r\n=cmd"))), option(0, NONE));
  const file = join(
    section(true, options(2, 3, 4)),
    block(1, join(u16(1, true), u16(0), u32(0), options(2, 3, 9, 12, 14))),
    enhancedPacket(GOOD, { ticks: TICKS, options: options(1, 2, 2988) }),
  );
  const { packets, report } = await readCapture(inPieces(file));
  assert.deepEqual(packets, [asRead({ timeUs: US, bytes: GOOD })]);
  assert.deepEqual(report, { damages: [], damageCount: 0, names: [], dropped: null });
});

test("pcapng: an option after the end mark is not read", async () => {
  const options = join(option(0, NONE), option(9, u8(9)));
  const file = join(
    section(),
    block(1, join(u16(1, true), u16(0), u32(0), options)),
    enhancedPacket(GOOD, { ticks: TICKS }),
  );
  assert.equal((await readCapture(inPieces(file))).packets[0]!.timeUs, US);
});

test("pcapng: 70,000 interfaces are held, and no more than 2^20", async () => {
  const many = (n: number) => Buffer.alloc(20 * n, interfaceBlock());
  const last = enhancedPacket(GOOD, { interfaceId: 69_999 });
  const held = await readCapture(inPieces(join(section(), many(70_000), last)));
  assert.equal(held.packets.length, 1);
  assert.equal(held.report.damageCount, 0);
  const most = 1 << 20;
  const over = await readCapture(inPieces(join(section(), many(most + 1), last)));
  assert.deepEqual(over.report.damages, [fatal(28 + 20 * most, "more than 1048576 interfaces")]);
});

const arbitraryPacket: fc.Arbitrary<SamplePacket> = fc.record({
  timeUs: fc.nat({ max: 4_294_967_295_999_999 }),
  nanos: fc.nat({ max: 999 }),
  bytes: fc.uint8Array({ maxLength: 200 }),
  length: fc.nat({ max: 0xffff_ffff }),
});

test("property: packets survive a round trip through every form of pcapng", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitraryPacket, { maxLength: 20 }),
      fc.record({
        little: fc.boolean(),
        old: fc.boolean(),
        resolution: fc.constantFrom<6 | 9>(6, 9),
        linkType: fc.nat({ max: 65_535 }),
      }),
      async (packets, form) => {
        const { packets: read, report } = await readCapture(inPieces(pcapngFile(packets, form)));
        const exact = (p: SamplePacket) => (form.resolution === 9 ? p : { ...p, nanos: 0 });
        assert.deepEqual(
          read,
          packets.map((p) => asRead(exact(p), form.linkType)),
        );
        assert.equal(report.damageCount, 0);
      },
    ),
    { seed: SEED, numRuns: 100 },
  );
});

test("a pcapng cut anywhere gives the whole packets before the cut and says so, except between blocks", async () => {
  const unknown = block(0xbad, new Uint8Array(24));
  const pieces = [section(), interfaceBlock(), GOOD_PACKET, unknown, simplePacket(GOOD)];
  const whole = join(...pieces);
  const ends = pieces.map((_, i) => join(...pieces.slice(0, i + 1)).length);
  for (let cut = 1; cut <= whole.length; cut++) {
    const { packets, report } = await readCapture(inPieces(whole.subarray(0, cut)));
    assert.equal(packets.length, (cut >= ends[2]! ? 1 : 0) + (cut >= ends[4]! ? 1 : 0), `cut at ${cut}`);
    assert.equal(report.damageCount, ends.includes(cut) ? 0 : 1, `cut at ${cut}`);
  }
});
