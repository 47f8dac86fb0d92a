import assert from "node:assert/strict";
import { test } from "node:test";
import { join, u8, u32 } from "../../capture/file/sample.test.fixture.js";
import { HANDSHAKE, qualityOf, type Segment } from "./tcp.test.fixture.js";

const client = (seq: number, atUs: number, more: Partial<Segment> = {}): Segment => ({
  from: "client",
  flags: "A",
  seq,
  ack: 5001,
  atUs,
  ...more,
});
const server = (seq: number, atUs: number, more: Partial<Segment> = {}): Segment => ({
  from: "server",
  flags: "A",
  seq,
  ack: 1001,
  atUs,
  ...more,
});

test("the handshake is split where it was captured: up to the answer is the server's part", () => {
  const { handshakeUs, serverHalfUs } = qualityOf(HANDSHAKE);
  assert.deepEqual([handshakeUs, serverHalfUs], [150, 100]);
});

test("a SYN that is sent again: the handshake counts from the last", () => {
  const [syn, ...rest] = HANDSHAKE;
  const later = rest.map((segment) => ({ ...segment, atUs: segment.atUs + 1_000_000 }));
  const health = qualityOf([syn!, { ...syn!, atUs: 1_000_000 }, ...later]);
  assert.equal(health.handshakeUs, 150);
  assert.equal(health.orig.retransmissions, 1);
});

test("without its answer a handshake has no time", () => {
  assert.equal(qualityOf([HANDSHAKE[0]!, HANDSHAKE[2]!]).handshakeUs, null);
});

test("data sent again after a while is retransmitted; before its acknowledgement came it is not spurious", () => {
  const data = client(1001, 1000, { length: 100 });
  const { orig, reply } = qualityOf([...HANDSHAKE, data, { ...data, atUs: 300_000 }]);
  assert.deepEqual([orig.retransmissions, orig.fastRetransmissions, orig.spuriousRetransmissions], [1, 0, 0]);
  assert.deepEqual([orig.segments, orig.outOfOrder, reply.segments], [3, 0, 1]);
});

test("data sent again that was acknowledged before is spurious", () => {
  const data = client(1001, 1000, { length: 100 });
  const { orig } = qualityOf([
    ...HANDSHAKE,
    data,
    server(5001, 1100, { ack: 1101 }),
    { ...data, atUs: 300_000 },
  ]);
  assert.deepEqual([orig.retransmissions, orig.spuriousRetransmissions], [1, 1]);
});

/** The second of three segments is missing; then `duplicates` acknowledgements of it, then it comes at `atUs`. */
function lost(duplicates: number, atUs: number): readonly Segment[] {
  return [
    ...HANDSHAKE,
    client(1001, 1000, { length: 100 }),
    server(5001, 1100, { ack: 1101 }),
    client(1201, 1200, { length: 100 }),
    ...Array.from({ length: duplicates }, (_, i) => server(5001, 1300 + i, { ack: 1101 })),
    client(1101, atUs, { length: 100 }),
  ];
}

test("what fills a hole at once was out of order", () => {
  const { orig } = qualityOf(lost(0, 1300));
  assert.deepEqual([orig.outOfOrder, orig.retransmissions, orig.gaps], [1, 0, 1]);
});

test("what fills a hole after two duplicate acknowledgements is a fast retransmission, within 20 ms of the last", () => {
  const fast = qualityOf(lost(2, 21_300));
  assert.deepEqual(
    [fast.orig.fastRetransmissions, fast.orig.retransmissions, fast.reply.duplicateAcks],
    [1, 1, 2],
  );
  const late = qualityOf(lost(2, 21_301));
  assert.deepEqual([late.orig.fastRetransmissions, late.orig.retransmissions], [0, 1]);
  const one = qualityOf(lost(1, 10_000));
  assert.deepEqual(
    [one.orig.fastRetransmissions, one.orig.retransmissions, one.reply.duplicateAcks],
    [0, 1, 1],
  );
});

test("what fills a hole later than a handshake takes was sent again; where none was seen, later than 3 ms", () => {
  assert.equal(qualityOf(lost(0, 1200 + 149)).orig.outOfOrder, 1);
  assert.equal(qualityOf(lost(0, 1200 + 150)).orig.outOfOrder, 0);
  const joined = (atUs: number) => lost(0, atUs).slice(HANDSHAKE.length);
  assert.equal(qualityOf(joined(1200 + 2999)).orig.outOfOrder, 1);
  assert.equal(qualityOf(joined(1200 + 3000)).orig.outOfOrder, 0);
});

test("sequence numbers go round: a connection near 2^32 fares as any other", () => {
  const turn = (seq: number) => (seq + 0xffff_fc00) % 2 ** 32;
  const moved = lost(2, 5000).map((segment) => ({
    ...segment,
    seq: turn(segment.seq),
    ack: segment.flags === "S" ? 0 : turn(segment.ack ?? 0),
  }));
  assert.deepEqual(qualityOf(moved), qualityOf(lost(2, 5000)));
});

test("a keep-alive is no retransmission, and its answer no duplicate", () => {
  const { orig, reply } = qualityOf([
    ...HANDSHAKE,
    client(1001, 1000, { length: 10 }),
    server(5001, 1100, { ack: 1011 }),
    client(1010, 10_000_000, { length: 1 }),
    server(5001, 10_000_100, { ack: 1011 }),
    client(1010, 20_000_000),
    server(5001, 20_000_100, { ack: 1011 }),
  ]);
  assert.deepEqual([orig.keepAlives, orig.retransmissions, reply.duplicateAcks], [2, 0, 0]);
});

test("a zero window counts each time it is said, and for as long as it lasts; probes of it are nothing else", () => {
  const { reply, orig } = qualityOf([
    ...HANDSHAKE,
    client(1001, 1000, { length: 100 }),
    server(5001, 2000, { ack: 1101, window: 0 }),
    client(1101, 202_000, { length: 1 }),
    server(5001, 202_100, { ack: 1101, window: 0 }),
    server(5001, 502_000, { ack: 1101, window: 500 }),
    client(1101, 503_000, { length: 100 }),
  ]);
  assert.deepEqual([reply.zeroWindows, reply.zeroWindowUs], [2, 500_000]);
  assert.deepEqual([orig.retransmissions, orig.keepAlives, orig.outOfOrder], [0, 0, 0]);
});

test("a window is full where data reach its edge, scaled as both sides agreed", () => {
  const scale = u8(3, 3, 7, 1);
  const [syn, synAck, ack] = HANDSHAKE;
  const scaled = [{ ...syn!, options: scale }, { ...synAck!, options: scale }, ack!];
  const open = server(5001, 400, { window: 2 });
  const fill = (length: number) => client(1001, 1000, { length });
  assert.equal(qualityOf([...scaled, open, fill(256)]).orig.windowFull, 1);
  assert.equal(qualityOf([...scaled, open, fill(255)]).orig.windowFull, 0);
  assert.equal(qualityOf([{ ...syn!, options: scale }, synAck!, ack!, open, fill(2)]).orig.windowFull, 1);
});

test("a round trip is the time to the acknowledgement, on both sides of the tap; of what was sent again there is none", () => {
  const trip = [
    client(1001, 1000, { length: 10 }),
    server(5001, 1300, { ack: 1011, length: 20 }),
    client(1011, 1340, { ack: 5021 }),
  ];
  const { orig, reply } = qualityOf(trip);
  assert.deepEqual([orig.rttUs, reply.rttUs], [300, 40]);
  const again = [
    trip[0]!,
    { ...trip[0]!, atUs: 50_000 },
    ...trip.slice(1).map((s) => ({ ...s, atUs: s.atUs + 60_000 })),
  ];
  assert.deepEqual([qualityOf(again).orig.rttUs, qualityOf(again).reply.rttUs], [null, 40]);
});

test("a selective acknowledgement of what was acknowledged before says that it came twice", () => {
  const sack = join(u8(1, 1, 8, 10), new Uint8Array(8), u8(1, 1, 5, 10), u32(1001), u32(1101));
  const health = [
    ...HANDSHAKE,
    client(1001, 1000, { length: 100 }),
    server(5001, 1100, { ack: 1101, options: sack }),
  ];
  assert.equal(qualityOf(health).orig.duplicated, 1);
  const hole = join(u8(1, 1, 8, 10), new Uint8Array(8), u8(1, 1, 5, 10), u32(1201), u32(1301));
  assert.equal(
    qualityOf([...HANDSHAKE, server(5001, 1100, { ack: 1001, options: hole })]).orig.duplicated,
    0,
  );
});

test("options that run past the header, or have no length, are read no further", () => {
  for (const options of [u8(3, 200, 1, 1), u8(3, 0, 7, 7), u8(5, 1, 0, 0), u8(1, 1, 1, 3)]) {
    const [syn, ...rest] = HANDSHAKE;
    assert.equal(qualityOf([{ ...syn!, options }, ...rest]).connections, 1);
  }
});
