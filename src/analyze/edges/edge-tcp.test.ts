import assert from "node:assert/strict";
import { test } from "node:test";
import { asPacket, talkPacket } from "../../capture/file/sample.test.fixture.js";
import { Names } from "../../capture/names/names.js";
import { parseAddress } from "../../net.js";
import { Analyzer } from "../analyzer.js";
import { type Edge, EdgeBook } from "./edge-book.js";
import { EdgeCounter } from "./edges.js";

const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;
const RST_ACK = 0x14;
const T0 = 1e15;

function begin(maxFlows = 1000) {
  const analyzer = new Analyzer({ maxFlows });
  const book = new EdgeBook({ maxSamples: 1000, ttlUs: Number.POSITIVE_INFINITY }).edges;
  const counter = new EdgeCounter(analyzer, book);
  const names = new Names(null);
  names.add("a", parseAddress("10.1.1.1")!);
  names.add("b", parseAddress("10.1.1.2")!);
  /** One packet of client port `port` to port 80, or back. */
  const send = (port: number, flags: number, atUs: number, isReply = false) => {
    const [source, destination] = isReply ? [2, 1] : [1, 2];
    const [sourcePort, destinationPort] = isReply ? [80, port] : [port, 80];
    const rest = { version: 4, protocol: 6, icmpType: 0, laterFragment: false, length: 54 } as const;
    const ends = { source, destination, sourcePort, destinationPort };
    const packet = talkPacket({ ...rest, ...ends, flags, timeUs: T0 + atUs });
    analyzer.add(asPacket({ ...packet, bytes: packet.bytes.subarray(0, 54), length: 54 }));
  };
  /** The edge from a to b, looked at so late. */
  const look = (atUs: number): Edge => {
    counter.update(names, T0 + atUs);
    return book.list().find(({ source, destination }) => source === "a" && destination === "b")!;
  };
  return { analyzer, send, look };
}

test("a refused connection has failed at once, one not answered after three seconds, and neither twice", () => {
  const { send, look } = begin();
  send(1000, SYN, 0);
  send(1000, RST_ACK, 10, true);
  send(2000, SYN, 0);
  assert.equal(look(100).failed, 1);
  assert.equal(look(2_999_999).failed, 1);
  assert.equal(look(3_000_000).failed, 2);
  assert.equal(look(9e9).failed, 2);
});

test("what is answered in time has not failed; what is answered too late has, and stays so", () => {
  const { send, look } = begin();
  send(1000, SYN, 0);
  send(2000, SYN, 0);
  look(100);
  send(1000, SYN_ACK, 1_000_000, true);
  assert.equal(look(5_000_000).failed, 1);
  send(2000, SYN_ACK, 6_000_000, true);
  assert.equal(look(7_000_000).failed, 1);
});

test("each handshake is counted once, however often it is looked at, in every bucket above it", () => {
  const { send, look } = begin();
  for (const [port, us] of [
    [1000, 400],
    [2000, 90_000],
  ] as const) {
    send(port, SYN, 0);
    send(port, SYN_ACK, us / 2, true);
    look(us);
    send(port, ACK, us);
    look(us + 1);
    send(port, ACK, us + 2);
  }
  const { handshakes } = look(1e6);
  assert.equal(handshakes!.count, 2);
  assert.ok(Math.abs(handshakes!.sum - 0.0904) < 1e-9);
  assert.deepEqual([...handshakes!.counts], [0, 1, 1, 1, 1, 2, 2, 2]);
});

test("segments sent again are counted, and not again when flows are evicted", () => {
  const { analyzer, send, look } = begin(8);
  send(1000, SYN, 0);
  send(1000, SYN, 1_000_000);
  assert.equal(look(1_000_001).retransmitted, 1);
  for (let i = 0; i < 30; i++) send(2000 + i, SYN, 1_100_000);
  assert.ok(analyzer.flows.evicted.flows > 0);
  send(1000, SYN, 3_000_000);
  send(1000, SYN, 7_000_000);
  assert.equal(look(7_000_001).retransmitted, 3);
});
