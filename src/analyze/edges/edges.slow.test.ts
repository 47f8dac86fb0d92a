import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asPacket,
  SEED,
  type Talk,
  talkAddress,
  talkPacket,
  talks,
} from "../../capture/file/sample.test.fixture.js";
import { Names } from "../../capture/names/names.js";
import { edgeLabel } from "../../format.js";
import { Analyzer } from "../analyzer.js";
import { buildSnapshot } from "../snapshot/build.js";
import type { Snapshot } from "../snapshot/snapshot.js";
import { flowTotal } from "../tables/table.js";
import { type Edge, EdgeBook, EXTERNAL, samplesOfEdge } from "./edge-book.js";
import { EdgeCounter } from "./edges.js";
import { OTHER_EDGE, type SeriesBook, type SeriesBounds } from "./series-book.js";

const WIDE: SeriesBounds = { maxSamples: 100_000, ttlUs: Number.POSITIVE_INFINITY };

/** Names for hosts 0 to `count` - 1, IPv4 and IPv6. */
function namesOf(count: number, nameAt = (i: number) => `host-${i}`): Names {
  const names = new Names(EXTERNAL);
  for (let i = 0; i < count; i++)
    for (const version of [4, 6] as const) names.add(nameAt(i), talkAddress(version, i));
  return names;
}

interface Run {
  readonly analyzer: Analyzer;
  readonly counter: EdgeCounter;
  readonly book: SeriesBook<Edge>;
}

function begin(bounds: SeriesBounds = WIDE, maxFlows = 100_000): Run {
  const analyzer = new Analyzer({ maxFlows, seed: SEED });
  const book = new EdgeBook(bounds).edges;
  return { analyzer, book, counter: new EdgeCounter(analyzer, book) };
}

function add({ analyzer }: Run, all: readonly Talk[]): void {
  for (const talk of all) analyzer.add(asPacket(talkPacket(talk)));
}

function snapshotOf(analyzer: Analyzer, names: Names): Snapshot {
  return buildSnapshot(analyzer, { producer: "netwatch 0", files: [], dropped: 0, names });
}

function total(edges: readonly Edge[]): { packets: number; bytes: number } {
  return {
    packets: edges.reduce((sum, { sentPackets, receivedPackets }) => sum + sentPackets + receivedPackets, 0),
    bytes: edges.reduce((sum, { sentBytes, receivedBytes }) => sum + sentBytes + receivedBytes, 0),
  };
}

/** What went from each name to each other, whoever began. */
function directions(edges: readonly Edge[]): Map<string, number> {
  const sums = new Map<string, number>();
  const put = (from: string, to: string, bytes: number) => {
    if (bytes > 0) sums.set(`${from} ${to}`, (sums.get(`${from} ${to}`) ?? 0) + bytes);
  };
  for (const { source, destination, sentBytes, receivedBytes } of edges) {
    put(source, destination, sentBytes);
    put(destination, source, receivedBytes);
  }
  return new Map([...sums].sort());
}

test("two counters of one flow table both count every packet through evictions", () => {
  const names = namesOf(6);
  const first = begin(WIDE, 100);
  const book = new EdgeBook(WIDE).edges;
  const second = new EdgeCounter(first.analyzer, book);
  const all = talks(SEED, 3000, 8);
  for (let i = 0; i < all.length; i += 50) {
    add(first, all.slice(i, i + 50));
    // Each looks at times of its own.
    if (i % 200 === 0) first.counter.update(names, i + 1);
    if (i % 300 === 0) second.update(names, i + 1);
  }
  first.counter.update(names, 1e12);
  second.update(names, 1e12);
  assert.ok(first.analyzer.flows.evicted.flows > 0);
  const { flows } = first.analyzer;
  const { evicted } = flows;
  let packets = evicted.packets + evicted.replyPackets;
  for (let flow = 0; flow < flows.count; flow++)
    packets += flows.packets(flow, false) + flows.packets(flow, true);
  assert.equal(total(first.book.list()).packets, packets);
  assert.equal(total(book.list()).packets, packets);
});

test("a live run's edges are those of a capture read whole", () => {
  const names = namesOf(6);
  const run = begin();
  add(run, talks(SEED, 3000, 8));
  run.counter.update(names, 1e12);
  const book = new EdgeBook(WIDE).edges;
  const whole = new EdgeCounter(run.analyzer, book);
  whole.countWhole(run.analyzer, names);
  const plain = (edges: readonly Edge[]) => edges.map((edge) => ({ ...edge, lastUs: 0 }));
  assert.deepEqual(plain(run.book.list()), plain(book.list()));
  assert.equal(run.counter.unresolvedBytes, whole.unresolvedBytes);
  assert.ok(whole.unresolvedBytes > 0);
});

test("however often it is looked at, every direction between two names has the bytes of the table of pairs", () => {
  const names = namesOf(8);
  const run = begin();
  const all = talks(SEED + 1, 3000, 8);
  for (let at = 0; at < all.length; at += 7) {
    add(run, all.slice(at, at + 7));
    run.counter.update(names, at);
  }
  const { pairs } = snapshotOf(run.analyzer, names).tables;
  const expected = [...pairs.rows].map((row) => [`${row.source} ${row.destination}`, row.bytes] as const);
  assert.deepEqual(directions(run.book.list()), new Map([...expected].sort()));
});

test("no counter ever goes back and no packet is lost, whatever is evicted, renamed or goes off the page", () => {
  const run = begin({ maxSamples: 400, ttlUs: 300 }, 64);
  const all = talks(SEED + 2, 6000, 12);
  const before = new Map<string, number[]>();
  for (let at = 0; at < all.length; at += 50) {
    add(run, all.slice(at, at + 50));
    run.counter.update(
      namesOf(10, (i) => `host-${(i + Math.floor(at / 1500)) % 8}`),
      at,
    );
    for (const edge of run.book.list()) {
      const key = [edge.source, edge.destination, edge.kind].join(" ");
      const { handshakes } = edge;
      const now = [
        ...[edge.sentPackets, edge.sentBytes, edge.receivedPackets, edge.receivedBytes, edge.opened],
        ...[edge.failed, edge.retransmitted, handshakes?.count ?? 0, ...(handshakes?.counts ?? [])],
      ];
      const last = before.get(key) ?? now.map(() => 0);
      assert.ok(
        now.every((value, i) => value >= last[i]!),
        key,
      );
      before.set(key, now);
    }
  }
  assert.ok(run.analyzer.flows.evicted.flows > 100);
  const sums = [...before.values()];
  const packets = sums.reduce((sum, [sent, , received]) => sum + sent! + received!, 0);
  assert.equal(packets, flowTotal(run.analyzer).packets);
});

test("a page has no more samples than it may, the rest is `~other` and counted", () => {
  const run = begin({ maxSamples: 60, ttlUs: Number.POSITIVE_INFINITY });
  add(run, talks(SEED + 3, 4000, 100));
  run.counter.update(namesOf(100), 1);
  const edges = run.book.list();
  const listed = edges.filter(({ source }) => source !== OTHER_EDGE);
  assert.ok(listed.length > 0 && listed.length <= 15);
  assert.ok(edges.length > listed.length);
  assert.ok(run.book.overflow > 1000);
  assert.deepEqual(total(edges), flowTotal(run.analyzer));
});

test("an edge without traffic leaves the page after its time, makes room, and comes back where it was", () => {
  const book = new EdgeBook({ maxSamples: samplesOfEdge("tcp"), ttlUs: 100 }).edges;
  const first = book.claim("a", "b", "tcp", 0);
  first.sentBytes = 7;
  assert.equal(book.claim("c", "d", "tcp", 50).source, OTHER_EDGE);
  book.expire(100);
  assert.equal(book.list().length, 2);
  book.expire(101);
  assert.equal(book.claim("c", "d", "tcp", 101).source, "c");
  book.expire(300);
  assert.equal(book.claim("a", "b", "tcp", 301).sentBytes, 7);
});

test("a conversation that found no room is listed once an edge has left", () => {
  const run = begin({ maxSamples: samplesOfEdge("tcp"), ttlUs: 100 });
  const talk = (source: number, destination: number): Talk => ({
    ...talks(SEED, 1)[0]!,
    version: 4,
    protocol: 6,
    laterFragment: false,
    source,
    destination,
    sourcePort: 40_000,
    destinationPort: 80,
    length: 100,
  });
  const names = namesOf(8);
  const sourcesAfter = (talked: readonly Talk[], nowUs: number) => {
    add(run, talked);
    run.counter.update(names, nowUs);
    return run.book.list().map(({ source, sentBytes }) => `${source} ${sentBytes}`);
  };
  assert.deepEqual(sourcesAfter([talk(1, 2)], 0), ["host-1 100"]);
  assert.deepEqual(sourcesAfter([talk(3, 4)], 50), ["host-1 100", "~other 100"]);
  assert.deepEqual(sourcesAfter([talk(3, 4)], 101), ["~other 200"]);
  assert.deepEqual(sourcesAfter([talk(3, 4)], 102), ["host-3 100", "~other 200"]);
  assert.equal(run.book.overflow, 1);
});

test("labels are never an address, never `~other`, never unsafe, and never longer than 128 characters", () => {
  const run = begin();
  add(run, talks(SEED, 200, 4));
  run.counter.update(null, 1);
  for (const { source, destination } of run.book.list()) {
    assert.equal(source, EXTERNAL);
    assert.equal(destination, EXTERNAL);
  }
  assert.equal(edgeLabel("~other"), "\\~other");
  assert.equal(edgeLabel("a\u001b[31m\u202eb\ud800"), "a\\x1b[31m\\u202eb\\ud800");
  assert.equal(edgeLabel("__proto__"), "__proto__");
  assert.equal([...edgeLabel("😀".repeat(500))].length, 64);
  assert.equal(edgeLabel("x".repeat(5000)).length, 128);
});

test("a name such as __proto__ or constructor is an edge like any other", () => {
  const run = begin();
  const hostile = ["__proto__", "constructor", 'a",b="c', "a\nb"];
  add(run, talks(SEED, 2000, 4));
  run.counter.update(
    namesOf(4, (i) => hostile[i]!),
    1,
  );
  const seen = new Set(run.book.list().map(({ source }) => source));
  assert.deepEqual(seen, new Set(hostile.map(edgeLabel)));
});
