import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { gunzip, isGzip } from "./gzip.js";
import {
  asRead,
  drain,
  inPieces,
  join,
  pcapFile,
  readCapture,
  type SamplePacket,
  text,
  u8,
} from "./sample.test.fixture.js";

/** Bytes that do not compress, the same every time. */
function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state >> 16;
  });
}

const PACKETS: readonly SamplePacket[] = Array.from({ length: 1000 }, (_, i) => ({
  timeUs: i * 1000,
  bytes: noise(60 + (i % 7), i),
}));
const CAPTURE = pcapFile(PACKETS);
const READ = PACKETS.map((packet) => asRead(packet));

test("gzip is known by its first two bytes", () => {
  assert.ok(isGzip(gzipSync(text("x"))));
  assert.ok(!isGzip(u8(0x1f)) && !isGzip(u8(0x1f, 0x8c)) && !isGzip(u8(0x50, 0x8b)) && !isGzip(u8()));
});

test("gzip of one member and of several gives what was compressed", async () => {
  const several = join(
    ...[0, 10_000, 10_001, CAPTURE.length - 1].map((from, i, all) =>
      gzipSync(CAPTURE.subarray(from, all[i + 1] ?? CAPTURE.length)),
    ),
    gzipSync(u8()),
  );
  for (const compressed of [gzipSync(CAPTURE), several]) {
    for (const room of [1, 4096, 100_000]) {
      const source = gunzip(inPieces(compressed, [3, 1000]));
      assert.ok(Buffer.from(CAPTURE).equals(await drain(source, room)));
      assert.equal(source.failure, null);
      assert.equal(source.taken, compressed.length);
    }
  }
});

test("a gzip member that ends with a piece of input is followed by the next", async () => {
  // Stored, not compressed: the length of the member follows from that of its content.
  const stored = (bytes: Uint8Array) => gzipSync(bytes, { level: 0 });
  const overhead = stored(noise(1000)).length - 1000;
  for (const length of [4095, 4096, 4097]) {
    const first = noise(length - overhead);
    assert.equal(stored(first).length, length);
    const given = await drain(gunzip(inPieces(join(stored(first), stored(noise(50))))));
    assert.deepEqual(given, join(first, noise(50)));
  }
});

test("zeros behind a gzip member, as tapes and copies leave them, are passed over", async () => {
  for (const zeros of [1, 512, 100_000]) {
    const padded = join(gzipSync(CAPTURE), new Uint8Array(zeros));
    const { packets, report } = await readCapture(inPieces(padded));
    assert.deepEqual(packets, READ);
    assert.equal(report.damageCount, 0);
  }
});

test("gzip cut short gives the packets before the cut, and the damage with its offset in what was compressed", async () => {
  const compressed = gzipSync(CAPTURE);
  for (const cut of [5000, 9000, compressed.length - 1]) {
    const { packets, report } = await readCapture(inPieces(compressed.subarray(0, cut)));
    assert.ok(packets.length > 0);
    assert.deepEqual(packets, READ.slice(0, packets.length));
    const offset = 24 + PACKETS.slice(0, packets.length).reduce((sum, p) => sum + 16 + p.bytes.length, 0);
    assert.deepEqual(report.damages, [{ offset, reason: "gzip: unexpected end of file", fatal: true }]);
  }
});

test("gzip damaged in the middle gives packets from before the damage, as many from a pipe as from a file", async () => {
  const compressed = gzipSync(CAPTURE, { level: 0 });
  const half = compressed.length >> 1;
  compressed[compressed.length - 8]! ^= 0xff; // the checksum
  const checksum = await readCapture(inPieces(compressed));
  assert.match(checksum.report.damages[0]!.reason, /^gzip: incorrect data check/);
  compressed.fill(0xff, half, half + 35_000); // the header of a stored block is in here
  const readings = await Promise.all(
    [[1], [7, 4095], [4096], [1_000_000]].map((sizes) => readCapture(inPieces(compressed, sizes))),
  );
  const [first, ...others] = readings;
  for (const other of others) assert.deepEqual(other, first);
  assert.ok(first!.packets.length > 0 && first!.packets.length < PACKETS.length);
});

test("what gzip holds need not be a capture", async () => {
  const damages = async (bytes: Uint8Array) => (await readCapture(inPieces(bytes))).report.damages;
  assert.deepEqual(await damages(gzipSync(text("some text"))), [
    { offset: 0, reason: "not a capture file (neither pcap nor pcapng)", fatal: true },
  ]);
  assert.deepEqual(await damages(gzipSync(u8())), [{ offset: 0, reason: "the file is empty", fatal: true }]);
  for (const cut of [2, 10, 30]) {
    assert.deepEqual(await damages(gzipSync(CAPTURE).subarray(0, cut)), [
      { offset: 0, reason: "gzip: unexpected end of file", fatal: true },
    ]);
  }
});

test("a gzip bomb is read packet by packet", async () => {
  const zeros: SamplePacket = { timeUs: 5, bytes: new Uint8Array(65_000) };
  const bomb = gzipSync(pcapFile(new Array<SamplePacket>(200).fill(zeros)));
  assert.ok(bomb.length < 20_000);
  const { packets, report } = await readCapture(inPieces(bomb));
  assert.equal(packets.length, 200);
  assert.ok(packets.every((packet) => packet.caplen === 65_000 && packet.timeUs === 5));
  assert.equal(report.damageCount, 0);
});

test("nothing is lost to a wrong trailer or to foreign bytes behind it, and what is wrong is said", async () => {
  const wrong = (from: number) => {
    const bytes = gzipSync(CAPTURE);
    bytes[bytes.length + from]! ^= 0xff;
    return bytes;
  };
  const cases: [Uint8Array, string][] = [
    [wrong(-8), "gzip: incorrect data check"],
    [wrong(-4), "gzip: incorrect length check"],
    [gzipSync(CAPTURE).subarray(0, -1), "gzip: unexpected end of file"],
    [join(gzipSync(CAPTURE), text("xyz")), "gzip: what follows is not gzip"],
    [join(gzipSync(CAPTURE), new Uint8Array(5000), u8(7)), "gzip: what follows is not gzip"],
  ];
  for (const [bytes, reason] of cases) {
    const { packets, report } = await readCapture(inPieces(bytes));
    assert.deepEqual(packets, READ, reason);
    assert.deepEqual(report.damages, [{ offset: CAPTURE.length, reason, fatal: true }]);
  }
});

test("a header with every option is passed over; one of another method is refused", async () => {
  const plain = gzipSync(CAPTURE);
  const head = plain.slice(0, 10);
  head[3] = 2 | 4 | 8 | 16;
  const options = [u8(3, 0, 1, 2, 3), text("name\0"), text("a comment\0"), u8(0, 0)];
  const { packets, report } = await readCapture(inPieces(join(head, ...options, plain.subarray(10)), [1]));
  assert.deepEqual(packets, READ);
  assert.equal(report.damageCount, 0);
  plain[2] = 9;
  const refused = await readCapture(inPieces(plain));
  assert.deepEqual(refused.report.damages, [
    { offset: 0, reason: "gzip: unknown compression method", fatal: true },
  ]);
});
