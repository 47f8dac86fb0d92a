import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createTcpSum, type TcpSum } from "../sums/tcp.js";
import { MAX_OF_A_KIND } from "./finding.js";
import { findTcp, TCP_THRESHOLDS } from "./tcp.js";

interface Pair extends Partial<TcpSum> {
  readonly from?: string;
  readonly to?: string;
  readonly p50Us?: number;
}

function said(...pairs: readonly Pair[]): string[] {
  const names = [...new Set(pairs.flatMap(({ from = "a", to = "b" }) => [from, to]))];
  const sums = pairs.map(({ from = "a", to = "b", p50Us = 0, ...sum }) => ({
    source: names.indexOf(from),
    destination: names.indexOf(to),
    sum: { ...createTcpSum(), handshakeUs: p50Us * (sum.handshakes ?? 0), ...sum },
  }));
  const total = createTcpSum();
  for (const { sum } of sums) {
    total.segments += sum.segments;
    total.retransmissions += sum.retransmissions;
  }
  const durations = (pair: number) => ({
    handshakeP50: pairs[pair]!.p50Us ?? null,
    handshakeP95: null,
    serverP50: null,
    tripP50: null,
  });
  return findTcp(
    { count: sums.length, pair: (number) => sums[number]!, total, durations },
    (label) => names[label]!,
  ).map(({ severity, text }) => `${severity}: ${text}`);
}

test("retransmissions: at least 10 and 1 % of the segments, a warning from 3 % on, held against the rest", () => {
  const rest = { from: "c", to: "d", segments: 10_000, retransmissions: 5 };
  assert.deepEqual(said({ segments: 500, retransmissions: 10 }, rest), [
    "notice: Between a and b 2.0 % of the segments are sent again (10 retransmissions in 500 segments), 40 times the ratio of the rest.",
  ]);
  assert.deepEqual(said({ segments: 100, retransmissions: 9 }, rest), []);
  assert.deepEqual(said({ segments: 99, retransmissions: 10 }, rest), []);
  assert.equal(said({ segments: 100, retransmissions: 10 }, rest).length, 1);
  assert.deepEqual(said({ segments: 1001, retransmissions: 10 }, rest), []);
  assert.equal(said({ segments: 1000, retransmissions: 10 }, rest).length, 1);
  assert.match(
    said({ segments: 1000, retransmissions: 30 })[0]!,
    /^warning: .* \(30 retransmissions in 1,000 segments\)\.$/,
  );
  assert.match(said({ segments: 1000, retransmissions: 29 })[0]!, /^notice/);
});

test("two retransmissions in five segments are more likely the capture's fault", () => {
  assert.deepEqual(said({ segments: 1000, retransmissions: 400 }), [
    "notice: Between a and b there are 400 retransmissions in 1,000 segments: the capture may hold packets twice.",
  ]);
  assert.match(said({ segments: 1000, retransmissions: 399 })[0]!, /^warning: .* 39\.9 % of the segments/);
});

test("refused and half-open connections are a service's, whoever asked: 5 and a tenth of all, a warning from half on", () => {
  assert.deepEqual(said({ connections: 30, refused: 3 }, { from: "c", connections: 20, refused: 2 }), [
    "notice: 5 of 50 connections to b (10.0 %) were refused.",
  ]);
  assert.deepEqual(said({ connections: 51, refused: 5 }), []);
  assert.deepEqual(said({ connections: 4, refused: 4 }), []);
  assert.deepEqual(said({ connections: 10, halfOpen: 5 }), [
    "warning: 5 of 10 connections to b (50.0 %) got no answer and stay half open.",
  ]);
  assert.match(said({ connections: 11, halfOpen: 5 })[0]!, /^notice/);
});

test("resets are those who sent them: 10 and one to five connections, refusals aside", () => {
  assert.deepEqual(said({ connections: 200, resets: 14, resetsByReply: 14, refused: 4 }), []);
  assert.deepEqual(said({ connections: 50, resets: 14, resetsByReply: 14, refused: 4 }), [
    "notice: b sent 10 resets on 50 connections, refusals not counted.",
  ]);
  assert.deepEqual(said({ connections: 51, resets: 10 }), []);
  assert.deepEqual(said({ connections: 45, resets: 9 }), []);
  assert.match(said({ connections: 50, resets: 10 })[0]!, /^notice: a sent 10 resets/);
});

test("a zero window is that of who had no room: from a tenth of a second on, a warning from five", () => {
  assert.deepEqual(
    said({ zeroWindows: 3, zeroWindowUs: 250_000, zeroWindowsByReply: 2, zeroWindowUsByReply: 200_000 }),
    ["notice: b could not keep up: it had no room for more 2 times, for 200.0 ms in all (zero window)."],
  );
  assert.deepEqual(said({ zeroWindows: 1, zeroWindowUs: 99_999 }), []);
  assert.match(said({ zeroWindows: 1, zeroWindowUs: 5e6 })[0]!, /^warning: a /);
});

test("a slow handshake: 10 of them, p50 from 10 ms and 10 times that of the median pair on, of 3 others at least", () => {
  const others = ["x", "y", "z"].map((to) => ({ to, handshakes: 10, p50Us: 1000 }));
  assert.deepEqual(said({ handshakes: 10, p50Us: 10_000 }, ...others), [
    "notice: Connections of a to b take 10.0 ms to open (p50 of 10 handshakes), 10 times the 1.0 ms of the median pair.",
  ]);
  assert.deepEqual(said({ handshakes: 10, p50Us: 9_999 }, ...others), []);
  assert.deepEqual(said({ handshakes: 9, p50Us: 10_000 }, ...others), []);
  assert.deepEqual(said({ handshakes: 10, p50Us: 10_000 }, ...others.slice(1)), []);
  assert.deepEqual(
    said({ handshakes: 10, p50Us: 11_000 }, ...others.map((of) => ({ ...of, p50Us: 1101 }))),
    [],
  );
});

test("of each kind the worst are said, the rest is counted", () => {
  const many = Array.from({ length: 9 }, (_, i) => ({
    to: `b${i}`,
    segments: 1000,
    retransmissions: 20 + i,
  }));
  const found = said(...many);
  assert.equal(found.length, MAX_OF_A_KIND);
  assert.match(found[0]!, /^notice: Between a and b8 /);
  assert.match(found.at(-1)!, / \(and 6 more pairs\)\.$/);
});

test("below every least number nothing is said, whatever the ratios", () => {
  const quiet = fc.record({
    connections: fc.nat(1000),
    segments: fc.nat(1000),
    retransmissions: fc.nat(TCP_THRESHOLDS.retransmissions - 1),
    refused: fc.nat(1),
    halfOpen: fc.nat(1),
    resets: fc.nat(2),
    resetsByReply: fc.nat(2),
    zeroWindowUs: fc.nat(20_000),
    handshakes: fc.nat(TCP_THRESHOLDS.handshakes - 1),
    p50Us: fc.nat(1e9),
  });
  fc.assert(
    fc.property(fc.array(quiet, { maxLength: 4 }), (pairs) => {
      const legal = pairs.map((pair) => ({ ...pair, resets: Math.max(pair.resets, pair.resetsByReply) }));
      assert.deepEqual(said(...legal), []);
    }),
  );
});
