import assert from "node:assert/strict";
import { test } from "node:test";
import { analyze, HANDSHAKE, qualityOf, type Segment } from "./tcp.test.fixture.js";

const seg = (
  from: "client" | "server",
  flags: string,
  seq: number,
  ack: number,
  more: Partial<Segment> = {},
): Segment => ({
  from,
  flags,
  seq,
  ack,
  atUs: 1000,
  ...more,
});
const [SYN, SYN_ACK, ACK] = HANDSHAKE as readonly [Segment, Segment, Segment];
const DATA = seg("client", "A", 1001, 5001, { length: 10 });
const FIN = seg("client", "FA", 1001, 5001);
const SERVER_FIN = seg("server", "FA", 5001, 1001);
const RESET = seg("client", "R", 1001, 0);
const SERVER_RESET = seg("server", "RA", 5001, 1001);

test("how far a connection came, in Zeek's letters", () => {
  const cases: readonly (readonly [string, readonly Segment[]])[] = [
    ["S0", [SYN]],
    ["REJ", [SYN, seg("server", "RA", 0, 1001)]],
    ["S1", [SYN, SYN_ACK]],
    ["S1", [...HANDSHAKE, DATA]],
    ["SF", [...HANDSHAKE, FIN, SERVER_FIN]],
    ["S2", [...HANDSHAKE, FIN]],
    ["S3", [...HANDSHAKE, SERVER_FIN]],
    ["RSTO", [...HANDSHAKE, DATA, { ...RESET, seq: 1011 }]],
    ["RSTR", [...HANDSHAKE, DATA, SERVER_RESET]],
    ["RSTOS0", [seg("client", "A", 1001, 5001), RESET]],
    ["RSTRH", [SYN_ACK, SERVER_RESET].map((s) => ({ ...s }))],
    ["SH", [SYN, seg("client", "F", 1001, 0)]],
    ["SHR", [SYN_ACK, SERVER_FIN]],
    ["OTH", [DATA]],
    ["OTH", [DATA, seg("server", "A", 5001, 1011)]],
  ];
  for (const [state, segments] of cases)
    assert.equal(qualityOf(segments).state, state, segments.map(({ flags }) => flags).join(" "));
});

test("what was captured of a connection, in Wireshark's bits", () => {
  assert.equal(qualityOf([SYN]).completeness, 1);
  assert.equal(qualityOf(HANDSHAKE).completeness, 7);
  assert.equal(qualityOf([...HANDSHAKE, DATA]).completeness, 15);
  assert.equal(qualityOf([...HANDSHAKE, DATA, FIN, SERVER_FIN]).completeness, 31);
  assert.equal(qualityOf([...HANDSHAKE, DATA, SERVER_RESET]).completeness, 47);
  assert.equal(qualityOf([DATA]).completeness, 0, "of the first segment only a SYN counts");
  assert.equal(qualityOf([ACK, DATA]).completeness, 8);
});

test("another SYN on the same ports is another connection; how the first ended is remembered", () => {
  const again = (by: number): Segment[] =>
    HANDSHAKE.map((s) => ({ ...s, seq: s.seq + (s.from === "client" ? by : 7), ack: 0 }));
  const health = qualityOf([SYN, seg("server", "RA", 0, 1001), ...again(5000)]);
  assert.deepEqual([health.connections, health.refused, health.orig.retransmissions], [2, 1, 0]);
  const silent = qualityOf([SYN, { ...SYN, seq: 77 }, { ...SYN, seq: 99 }]);
  assert.deepEqual([silent.connections, silent.unanswered], [3, 3]);
});

test("a connection that began before the capture has no known initial state, and who began it is guessed by the ports", () => {
  const analyzer = analyze([DATA]);
  assert.equal(analyzer.flows.read(0).orientation, "port");
  assert.equal(qualityOf([DATA]).handshakeUs, null);
});
