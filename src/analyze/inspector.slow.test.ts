import assert from "node:assert/strict";
import { test } from "node:test";
import { asPacket, B4 } from "../capture/file/sample.test.fixture.js";
import { Analyzer } from "./analyzer.js";
import { buildSnapshot } from "./snapshot/build.js";
import type { Snapshot } from "./snapshot/snapshot.js";
import { analyze, frameOf, HANDSHAKE, type Segment } from "./tcp/tcp.test.fixture.js";

function snapshotOf(analyzer: Analyzer): Snapshot {
  return buildSnapshot(analyzer, { producer: "netwatch test", files: [], dropped: null, names: null });
}

/** A handshake of the client's port, and one segment of it that is sent twice. */
function troubled(clientPort: number): Segment[] {
  const data: Segment = { from: "client", flags: "A", seq: 1001, ack: 5001, length: 10, atUs: 1000 };
  return [...HANDSHAKE, data, { ...data, atUs: 400_000 }].map((segment) => ({ ...segment, clientPort }));
}

/** In a frame of Ethernet and IPv4. */
const [SOURCE_LAST, SOURCE_PORT] = [29, 34];
const FIRST_PORT = 2000;

/** As many connections as this one, each of another client port and ten microseconds later: frames once made, changed in place. */
function* manyLike(frames: readonly Analyzed[], count: number): Iterable<Analyzed> {
  const places = frames.map(({ bytes }) => (bytes[SOURCE_LAST] === B4[3] ? SOURCE_PORT + 2 : SOURCE_PORT));
  for (let i = 0; i < count; i++)
    for (const [at, { timeUs, bytes }] of frames.entries()) {
      const port = FIRST_PORT + i;
      bytes[places[at]!] = port >> 8;
      bytes[places[at]! + 1] = port;
      yield { timeUs: timeUs + i * 10, bytes: bytes.slice() };
    }
}

test("connections of a pair are one row, its counts their sum, its handshake their median", () => {
  const slow = troubled(50_001).map((segment) => ({ ...segment, atUs: segment.atUs * 3 }));
  const { tcp } = snapshotOf(analyze([...troubled(50_000), ...slow, ...troubled(50_002)])).tables;
  const [row, ...others] = [...tcp.rows];
  assert.equal(others.length, 0);
  assert.deepEqual(
    [row!.source, row!.destination, row!.connections, row!.retransmissions, row!.segments],
    ["10.1.1.1", "10.1.1.2", 3, 3, 12],
  );
  assert.deepEqual([row!.handshake_p50_ms, row!.handshake_p95_ms, row!.server_p50_ms], [0.15, 0.45, 0.1]);
  assert.deepEqual([row!.retransmission_ratio, row!.reply_retransmissions], [0.25, 0]);
});

test("connections without room are summed: in the row `other`, in the ledger, and no total changes", () => {
  const analyzer = new Analyzer({ maxConnections: 65_536 });
  const [syn] = HANDSHAKE;
  const frames = [frameOf(syn!)];
  for (const frame of manyLike(frames, 60_000)) analyzer.add(asPacket(frame));
  // A second client, where the ports of the first are used up.
  const others = frames.map((frame) => ({ ...frame, timeUs: frame.timeUs + 600_000 }));
  others[0]!.bytes[SOURCE_LAST] = 9;
  for (const frame of manyLike(others, 10_000)) analyzer.add(asPacket(frame));
  const { tables, ledger } = snapshotOf(analyzer);
  const rows = [...tables.tcp.rows];
  assert.equal(rows.at(-1)!.source, "other");
  assert.equal(rows.at(-1)!.connections, ledger.inspection!.connections);
  assert.ok(ledger.inspection!.connections > 0);
  assert.equal(tables.tcp.total.connections, 70_000);
  assert.equal(
    rows.reduce((sum, row) => sum + Number(row.connections), 0),
    70_000,
  );
  analyzer.add(asPacket(frameOf({ ...syn!, clientPort: FIRST_PORT, flags: "A", seq: 1, atUs: 800_000 })));
  const goneOn = snapshotOf(analyzer).tables.tcp;
  assert.equal(goneOn.total.connections, 70_001, "one that continues is counted again, as the schema says");
});

test("when flows are evicted, the connections of those that stay are still theirs", () => {
  const analyzer = new Analyzer({ maxFlows: 64 });
  for (const segment of troubled(50_000)) analyzer.add(asPacket(frameOf(segment)));
  for (let i = 0; i < 1000; i++)
    analyzer.add(asPacket(frameOf({ ...HANDSHAKE[0]!, clientPort: 1000 + i, atUs: 500_000 + i })));
  const { tcp, conversations } = snapshotOf(analyzer).tables;
  assert.equal([...conversations.rows].find((row) => row.source_port === 50_000)!.retransmissions, 1);
  assert.equal(tcp.total.connections, 1001);
  assert.equal(tcp.total.retransmissions, 1);
});

test("a reset, and a connection that is forgotten, give back what their streams hold", () => {
  const head: Segment = { from: "client", flags: "A", seq: 1001, ack: 5001, length: 3, atUs: 1000 };
  const get = frameOf(head);
  get.bytes.set(Buffer.from("GET"), get.bytes.length - 3);
  const analyzer = analyze(HANDSHAKE);
  const before = analyzer.inspector.roomBytes;
  analyzer.add(asPacket(get));
  assert.ok(analyzer.inspector.roomBytes < before);
  analyzer.add(asPacket(frameOf({ ...head, flags: "R", length: 0, seq: 1004, atUs: 2000 })));
  assert.equal(analyzer.inspector.roomBytes, before);
});

test("a segment of which the capture holds the header alone is counted whole", () => {
  const data = frameOf({ from: "client", flags: "A", seq: 1001, ack: 5001, length: 500, atUs: 1000 });
  const analyzer = analyze(HANDSHAKE);
  analyzer.add(asPacket({ ...data, bytes: data.bytes.subarray(0, 54), length: data.bytes.length }));
  analyzer.add(
    asPacket(frameOf({ from: "client", flags: "A", seq: 1501, ack: 5001, length: 5, atUs: 1100 })),
  );
  const [row] = [...snapshotOf(analyzer).tables.tcp.rows];
  assert.deepEqual([row!.segments, row!.gaps, row!.retransmissions], [4, 0, 0]);
});

/** A segment of the client or the server that carries this text. */
function saying(segment: Omit<Segment, "length" | "flags">, text: string): Analyzed {
  const frame = frameOf({ ...segment, flags: "A", length: text.length });
  frame.bytes.set(Buffer.from(text, "latin1"), frame.bytes.length - text.length);
  return frame;
}
type Analyzed = ReturnType<typeof frameOf>;

const GET = "GET /x HTTP/1.1\r\n\r\n";
const OK = "HTTP/1.1 204 No\r\n\r\n";

/** A connection with one request, and perhaps its answer and its end. */
function asking(clientPort: number, atUs: number, isWhole: boolean): Analyzed[] {
  const open = HANDSHAKE.map((segment) => frameOf({ ...segment, clientPort, atUs }));
  const ask = saying({ from: "client", seq: 1001, ack: 5001, atUs: atUs + 1, clientPort }, GET);
  if (!isWhole) return [...open, ask];
  const [seq, ack] = [1001 + GET.length, 5001 + OK.length];
  return [
    ...open,
    ask,
    saying({ from: "server", seq: 5001, ack: seq, atUs: atUs + 2, clientPort }, OK),
    frameOf({ from: "client", flags: "FA", seq, ack, length: 0, atUs: atUs + 3, clientPort }),
    frameOf({ from: "server", flags: "FA", seq: ack, ack: seq + 1, length: 0, atUs: atUs + 4, clientPort }),
    frameOf({
      from: "client",
      flags: "A",
      seq: seq + 1,
      ack: ack + 1,
      length: 0,
      atUs: atUs + 5,
      clientPort,
    }),
  ];
}

test("connections that have ended leave room for others: more than are followed at once are followed in turn", () => {
  const analyzer = new Analyzer();
  for (const frame of manyLike(asking(FIRST_PORT, 0, true), 33_000)) analyzer.add(asPacket(frame));
  const { tables, ledger } = snapshotOf(analyzer);
  const [row] = [...tables.http!.rows];
  assert.deepEqual([row!.requests, row!.status_2xx, row!.unanswered], [33_000, 33_000, 0]);
  assert.deepEqual([ledger.inspection!.unfollowed, ledger.inspection!.missed], [0, undefined]);
});

test("connections beyond those followed at once are counted as not followed", () => {
  const analyzer = new Analyzer();
  for (const frame of manyLike(asking(FIRST_PORT, 0, false), 33_000)) analyzer.add(asPacket(frame));
  const { ledger } = snapshotOf(analyzer);
  const unfollowed = 33_000 - 32_768;
  assert.equal(ledger.inspection!.unfollowed, unfollowed);
  assert.deepEqual(ledger.inspection!.missed, [
    { application: "tcp", reason: "connection without room", count: unfollowed },
  ]);
});

test("waiting requests of an evicted connection count as unknown, not as unanswered", () => {
  const analyzer = new Analyzer({ maxFlows: 64 });
  for (let i = 0; i < 200; i++)
    for (const frame of asking(2000 + i, i * 10, false)) analyzer.add(asPacket(frame));
  const { tables, ledger } = snapshotOf(analyzer);
  const [row] = [...tables.http!.rows];
  assert.equal(row!.requests, 200);
  const [missed] = ledger.inspection!.missed!;
  assert.deepEqual([missed!.application, missed!.reason], ["http", "connection without room"]);
  assert.ok(missed!.count > 0);
  assert.deepEqual([row!.unseen, row!.unanswered], [missed!.count, 200 - missed!.count]);
  assert.equal(row!.errors, null);
});
