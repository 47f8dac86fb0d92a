import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  asPacket,
  SEED,
  type Talk,
  talkAddress,
  talkPacket,
  talks,
} from "../capture/file/sample.test.fixture.js";
import { Names } from "../capture/names/names.js";
import { Analyzer, type AnalyzerOptions } from "./analyzer.js";
import { Layout, Shared } from "./core/layout.js";
import { EdgeBook } from "./edges/edge-book.js";
import { EdgeCounter } from "./edges/edges.js";
import type { FlowStore } from "./flow/flowstore.js";
import type { FlowObserver, Growth } from "./flow-observer.js";
import { buildSnapshot } from "./snapshot/build.js";
import { flowTotal } from "./tables/table.js";

/** A subscriber as a flow export would be: a record each time that it is told. */
class Exporter implements FlowObserver {
  readonly records: { readonly how: string; readonly port: number; readonly packets: number }[] = [];
  packets = 0;
  bytes = 0;

  grown(store: FlowStore, entry: number, growth: Readonly<Growth>): void {
    this.#record("grown", store, entry, growth);
  }

  evicted(store: FlowStore, entry: number, growth: Readonly<Growth>): void {
    this.#record("evicted", store, entry, growth);
  }

  expired(store: FlowStore, entry: number, growth: Readonly<Growth>): void {
    this.#record("expired", store, entry, growth);
  }

  count(how: string): number {
    return this.records.filter((record) => record.how === how).length;
  }

  #record(how: string, store: FlowStore, entry: number, growth: Readonly<Growth>): void {
    const packets = growth.packetsA + growth.packetsB;
    assert.ok(growth.packetsA >= 0 && growth.packetsB >= 0);
    assert.ok(packets > 0 || how !== "grown");
    this.records.push({ how, port: store.port(entry, false), packets });
    this.packets += packets;
    this.bytes += growth.bytesA + growth.bytesB;
  }
}

const SECOND = 1_000_000;

/** A packet of UDP from port 2000 to port 1000, unless told otherwise. */
function talk(timeUs: number, other: Partial<Talk> = {}): Talk {
  return {
    version: 4,
    source: 1,
    destination: 2,
    protocol: 17,
    sourcePort: 2000,
    destinationPort: 1000,
    flags: 0x10,
    icmpType: 0,
    laterFragment: false,
    length: 60,
    timeUs,
    ...other,
  };
}

function add(analyzer: Analyzer, ...all: readonly Talk[]): void {
  for (const one of all) analyzer.add(asPacket(talkPacket(one)));
}

function begin(options: AnalyzerOptions): { analyzer: Analyzer; exporter: Exporter } {
  const analyzer = new Analyzer({ seed: SEED, ...options });
  const exporter = new Exporter();
  analyzer.flows.observe(exporter);
  return { analyzer, exporter };
}

/** Packets and bytes of the flows that the table holds. */
function held({ flows }: Analyzer): { packets: number; bytes: number } {
  const sum = { packets: 0, bytes: 0 };
  for (let flow = 0; flow < flows.count; flow++)
    for (const byB of [false, true]) {
      sum.packets += flows.packets(flow, byB);
      sum.bytes += flows.bytes(flow, byB);
    }
  return sum;
}

test("a subscriber is told of every flow that leaves, and can read it", () => {
  const { analyzer, exporter } = begin({ maxFlows: 16 });
  // One that wants to know nothing is told nothing.
  analyzer.flows.observe({});
  // One that does not ask how flows grow is told what they hold when they leave.
  let whole = 0;
  analyzer.flows.observe({
    evicted: (_, __, { packetsA, packetsB }) => {
      whole += packetsA + packetsB;
    },
  });
  add(analyzer, ...talks(SEED, 3000, 8));
  const { evicted } = analyzer.flows;
  assert.ok(evicted.flows > 1);
  assert.equal(exporter.count("evicted"), evicted.flows);
  assert.equal(exporter.packets, evicted.packets + evicted.replyPackets);
  assert.equal(whole, exporter.packets);
});

test("a look tells what each flow has grown by since the last one, each observer at its own pace", () => {
  const { analyzer, exporter } = begin({});
  const other = new Exporter();
  const ofOther = analyzer.flows.observe(other);
  const ofExporter = analyzer.flows.subscriptions[1]!;
  add(analyzer, talk(1), talk(2), talk(3, { version: 6 }));
  ofExporter.look();
  ofExporter.look();
  add(analyzer, talk(4));
  ofExporter.look();
  ofOther.look();
  assert.deepEqual(
    exporter.records.map(({ packets }) => packets),
    [2, 1, 1],
  );
  assert.deepEqual(
    other.records.map(({ packets }) => packets),
    [3, 1],
  );
});

for (const version of [4, 6] as const) {
  test(`IPv${version}: a flow that goes on is reported each time its active time-out is over`, () => {
    const { analyzer, exporter } = begin({ timeouts: { activeUs: 60 * SECOND } });
    for (let second = 0; second <= 200; second++) add(analyzer, talk(second * SECOND, { version }));
    const reports = exporter.count("grown");
    assert.equal(exporter.records.length, reports);
    assert.ok(reports >= 2 && reports <= 3, String(reports));
    assert.equal(analyzer.flows.count, 1);
    // A second apart, and late by a quarter at most.
    for (const { packets } of exporter.records) assert.ok(packets >= 60 && packets <= 77, String(packets));
  });

  test(`IPv${version}: a flow without packets leaves, and what comes on its ports then is another`, () => {
    const { analyzer, exporter } = begin({ timeouts: { idleUs: 15 * SECOND } });
    add(analyzer, talk(0, { version }), talk(14 * SECOND, { version }));
    assert.equal(exporter.records.length, 0);
    add(analyzer, talk(29 * SECOND, { version }));
    assert.deepEqual(exporter.records, [{ how: "expired", port: 2000, packets: 2 }]);
    assert.equal(analyzer.flows.count, 1);
    assert.equal(analyzer.flows.startUs(0), 29 * SECOND);
    assert.deepEqual(analyzer.flows.expired, {
      flows: 1,
      packets: 2,
      bytes: 120,
      replyPackets: 0,
      replyBytes: 0,
    });
    assert.equal(analyzer.flows.evicted.flows, 0);
  });
}

test("other packets make idle flows leave, and their room is used again", () => {
  const { analyzer, exporter } = begin({ maxFlows: 64, timeouts: { idleUs: 10 * SECOND } });
  for (let i = 0; i < 10_000; i++) add(analyzer, talk(i * SECOND, { sourcePort: 1 + i }));
  // Ten are not idle; the hand is late by a quarter of the time-out at most.
  assert.ok(analyzer.flows.count <= 14, String(analyzer.flows.count));
  assert.equal(analyzer.flows.evicted.flows, 0);
  assert.equal(exporter.count("expired") + analyzer.flows.count, 10_000);
});

test("after a leap of time all that is idle leaves, a bounded part at a packet", () => {
  const { analyzer } = begin({ timeouts: { idleUs: 10 * SECOND } });
  for (let i = 0; i < 20_000; i++) add(analyzer, talk(1, { sourcePort: 1 + i }));
  const leap = 3600 * SECOND;
  add(analyzer, talk(leap, { protocol: 1 }));
  const after = analyzer.flows.count;
  assert.ok(after < 20_000 && after > 10_000, String(after));
  for (let i = 1; i < 10; i++) add(analyzer, talk(leap + i, { protocol: 1 }));
  // The hand has gone round once; what it passed by meanwhile is found in the next round.
  add(analyzer, talk(leap + 5 * SECOND, { protocol: 1 }));
  assert.equal(analyzer.flows.count, 1);
});

test("one packet of a far future time makes later ones no flows of their own", () => {
  const { analyzer } = begin({ timeouts: { idleUs: 10 * SECOND } });
  for (let i = 0; i < 100; i++) {
    add(analyzer, talk(i * SECOND));
    if (i === 50) add(analyzer, talk(1e15, { sourcePort: 3000 }));
  }
  assert.ok(analyzer.flows.expired.flows <= 1);
  assert.equal(analyzer.flows.count, 2);
});

test("a connection of a flow that is over is closed, and nothing of it is lost", () => {
  const analyzer = new Analyzer({ seed: SEED, timeouts: { idleUs: 10 * SECOND } });
  const { inspector } = analyzer;
  let connections = 0;
  // Told before the inspector: it can still read the connection.
  analyzer.flows.observe({
    expired(store, entry) {
      const connection = inspector.connectionOf(store.link(entry), 6);
      connections += inspector.tcp.words[connection * Layout.words + Shared.connections]!;
    },
  });
  const tcp = { protocol: 6, flags: 0x02 };
  add(analyzer, talk(0, tcp), talk(SECOND, tcp), talk(30 * SECOND, tcp));
  assert.equal(connections, 1);
  assert.equal(inspector.idle.connections, 1);
  assert.equal(inspector.idle.retransmissions, 1);
  assert.equal(inspector.withoutRoom.connections, 0);
  assert.equal(inspector.tcp.used, 1);
});

/** Times that go on, in disorder now and then, with leaps. */
const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: SECOND }) },
    { weight: 2, arbitrary: fc.integer({ min: -SECOND, max: 0 }) },
    { weight: 1, arbitrary: fc.integer({ min: -3600 * SECOND, max: 3600 * SECOND }) },
  ),
  { minLength: 1, maxLength: 300 },
);

test("property: what an observer is told and what is in the table add up to all packets", () => {
  const seconds = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.integer(),
      steps,
      fc.integer({ min: 1, max: 60 }),
      seconds,
      seconds,
      fc.integer({ min: 1, max: 50 }),
      (seed, deltas, maxFlows, active, idle, lookEach) => {
        const timeouts = {
          ...(active === undefined ? {} : { activeUs: active * SECOND }),
          ...(idle === undefined ? {} : { idleUs: idle * SECOND }),
        };
        const { analyzer, exporter } = begin({ maxFlows, timeouts });
        const subscription = analyzer.flows.subscriptions[0]!;
        const book = new EdgeBook({ maxSamples: 100_000, ttlUs: Number.POSITIVE_INFINITY }).edges;
        const counter = new EdgeCounter(analyzer, book);
        const names = new Names("external");
        for (let i = 0; i < 5; i++) names.add(`host-${i}`, talkAddress(4, i));
        let timeUs = 1e12;
        for (const [i, one] of talks(seed, deltas.length, 8).entries()) {
          timeUs += deltas[i]!;
          add(analyzer, { ...one, timeUs: one.timeUs < 0 ? -1 : timeUs });
          if (i % lookEach === 0) counter.update(names, i);
          if (i % (lookEach * 3) === 1) subscription.look();
          checkLinks(analyzer);
        }
        const { flows, inspector } = analyzer;
        const total = flowTotal(analyzer);
        const { departed } = flows;
        const inTable = held(analyzer);
        assert.equal(inTable.packets + departed.packets + departed.replyPackets, total.packets);
        assert.equal(inTable.bytes + departed.bytes + departed.replyBytes, total.bytes);
        assert.equal(exporter.count("evicted"), flows.evicted.flows);
        assert.equal(exporter.count("expired"), flows.expired.flows);
        if (idle === undefined) assert.equal(flows.expired.flows, 0);
        // What it was not told yet is told by a look.
        subscription.look();
        assert.deepEqual({ packets: exporter.packets, bytes: exporter.bytes }, total);
        counter.update(names, 1e12);
        const edges = book.list();
        const packets = edges.reduce((sum, edge) => sum + edge.sentPackets + edge.receivedPackets, 0);
        assert.equal(packets, total.packets);
        // Connections are of flows that there are; tables add up.
        const { tables } = buildSnapshot(analyzer, { producer: "netwatch 0", files: [], dropped: 0, names });
        const rows = [...tables.conversations.rows];
        assert.equal(
          rows.reduce((sum, row) => sum + Number(row.packets) + Number(row.reply_packets), 0),
          total.packets,
        );
        assert.ok(inspector.tcp.used <= flows.count);
      },
    ),
    { numRuns: 150 },
  );
});

/** Every flow is found where it is, and every connection is of the flow that it is linked with. */
function checkLinks({ flows, inspector }: Analyzer): void {
  let connections = 0;
  for (let flow = 0; flow < flows.count; flow++) {
    const store = flow < flows.ipv4Count ? flows.ipv4 : flows.ipv6;
    const entry = flow < flows.ipv4Count ? flow : flow - flows.ipv4Count;
    const connection = inspector.connectionOf(store.link(entry), flows.protocolKey(flow) & 0xff);
    if (connection < 0) continue;
    connections++;
    const place = inspector.tcp.words[connection * Layout.words + Shared.flow]!;
    assert.equal(place, entry * 2 + (store.version === 6 ? 1 : 0));
  }
  assert.equal(connections, inspector.tcp.used);
}

test("property: with an idle time-out flows are those of an obvious table", () => {
  fc.assert(
    fc.property(fc.integer(), steps, fc.integer({ min: 1, max: 20 }), (seed, deltas, idle) => {
      const { analyzer, exporter } = begin({ timeouts: { idleUs: idle * SECOND } });
      /** Key, and the time of the last packet. */
      const last = new Map<string, number>();
      let flows = 0;
      let timeUs = 1e12;
      for (const [i, one] of talks(seed, deltas.length, 4).entries()) {
        timeUs += Math.abs(deltas[i]!);
        const plain = { ...one, timeUs, laterFragment: false };
        const ported = one.protocol === 6 || one.protocol === 17;
        const end = (host: number, port: number) => `${host}#${ported ? port : ""}`;
        const [a, b] = [end(one.source, one.sourcePort), end(one.destination, one.destinationPort)].sort();
        const key = [one.version, one.protocol, a, b].join(" ");
        if (timeUs - (last.get(key) ?? Number.NEGATIVE_INFINITY) >= idle * SECOND) flows++;
        last.set(key, timeUs);
        add(analyzer, plain);
      }
      assert.equal(exporter.count("expired") + analyzer.flows.count, flows);
    }),
    { numRuns: 150 },
  );
});
