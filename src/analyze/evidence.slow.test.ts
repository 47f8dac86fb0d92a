import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ConntrackFacts } from "../capture/conntrack/conntrack-facts.js";
import { ConntrackTable } from "../capture/conntrack/conntrack-table.js";
import { parseConntrackText } from "../capture/conntrack/conntrack-text.js";
import type { ConntrackNamespace } from "../capture/conntrack/tracker.js";
import { asPacket, talkPacket, talks } from "../capture/file/sample.test.fixture.js";
import { formatAddress, parseCidr } from "../net.js";
import { renderSnapshotJson } from "../report/data/json.js";
import { Analyzer } from "./analyzer.js";
import { type CaptureFacts, Evidence } from "./evidence.js";
import { buildSnapshot } from "./snapshot/build.js";
import { limitSnapshot } from "./snapshot/limit.js";
import { parseSnapshot } from "./snapshot/read-snapshot.js";
import type { Snapshot } from "./snapshot/snapshot.js";

const START = 1_000_000_000;
const TIMEOUTS = new Map([
  ["tcp_timeout_established", 432_000],
  ["tcp_timeout_unacknowledged", 300],
  ["tcp_timeout_time_wait", 120],
  ["tcp_timeout_close", 10],
  ["udp_timeout", 30],
  ["udp_timeout_stream", 120],
]);
const FACTS: ConntrackFacts = {
  count: 1,
  limit: 1000,
  accounting: true,
  bridgeIpv4: true,
  bridgeIpv6: true,
  failures: null,
  timeouts: TIMEOUTS,
};
const CAPTURE: CaptureFacts = {
  netns: null,
  bridge: true,
  networks: [parseCidr("10.1.1.0/24")!, parseCidr("fd00::/64")!],
  ownAddresses: new Set(["10.1.1.254"]),
  startUs: START,
  endUs: START + 10e6,
  pollUs: START + 10e6,
  gap: false,
};

function namespace(text: string, fields: Partial<ConntrackNamespace> = {}): ConntrackNamespace {
  const entries = new ConntrackTable();
  assert.equal(parseConntrackText(text, entries).odd, 0);
  return {
    netns: null,
    entries,
    facts: FACTS,
    sockets: null,
    resyncs: 0,
    failures: 0,
    odd: 0,
    problem: null,
    ...fields,
  };
}

interface Packet {
  readonly source: number;
  readonly destination: number;
  readonly port?: number;
  readonly protocol?: number;
  readonly timeUs?: number;
  readonly version?: 4 | 6;
  readonly fragment?: boolean;
}

function wire(packets: readonly Packet[]): Analyzer {
  const analyzer = new Analyzer();
  for (const {
    source,
    destination,
    port = 80,
    protocol = 6,
    timeUs = START + 5e6,
    version = 4,
    fragment = false,
  } of packets)
    analyzer.add(
      asPacket(
        talkPacket({
          version,
          source,
          destination,
          protocol,
          sourcePort: 40_000,
          destinationPort: port,
          flags: 2,
          icmpType: 8,
          laterFragment: fragment,
          length: 100,
          timeUs,
        }),
      ),
    );
  return analyzer;
}

function entry(
  source: string,
  destination: string,
  left: string,
  replySource = destination,
  port = 80,
  serverPort = port,
): string {
  const tuple = (from: string, to: string, ports: string) => `src=${from} dst=${to} ${ports}`;
  return `tcp 6 ${left} ${tuple(source, destination, `sport=40000 dport=${port}`)} packets=3 bytes=300 ${tuple(replySource, source, `sport=${serverPort} dport=40000`)} packets=2 bytes=200 [ASSURED] mark=0\n`;
}

const FRESH = "431995 ESTABLISHED";
const OTHER_ENTRY = entry("10.1.1.9", "10.1.1.8", FRESH);

function judgeOne(
  packet: Packet,
  namespaces: readonly ConntrackNamespace[],
  facts: Partial<CaptureFacts> = {},
) {
  const analyzer = wire([packet]);
  const judgement = new Evidence(analyzer.flows, namespaces, { ...CAPTURE, ...facts }).judge(0);
  return judgement && [judgement.verdict, judgement.cause];
}

test("a conversation on the wire, and why connection tracking does not know it", () => {
  const packet = { source: 1, destination: 2 };
  const off = { ...FACTS, bridgeIpv4: false };
  const tracked = namespace(OTHER_ENTRY);
  const matching = namespace(entry("10.1.1.1", "10.1.1.2", FRESH));
  assert.deepEqual(judgeOne(packet, [matching]), ["both", null]);
  assert.deepEqual(judgeOne(packet, [tracked, { ...matching, netns: "elsewhere" }]), ["both", null]);
  assert.deepEqual(judgeOne(packet, [tracked]), ["wire-only", "untracked"]);
  assert.deepEqual(judgeOne(packet, [namespace("")]), ["wire-only", "no-tracking"]);
  assert.deepEqual(judgeOne(packet, [namespace(OTHER_ENTRY, { facts: off })]), ["wire-only", "same-bridge"]);
  assert.deepEqual(judgeOne({ source: 1, destination: 254 }, [namespace(OTHER_ENTRY, { facts: off })]), [
    "wire-only",
    "untracked",
  ]);
  assert.deepEqual(
    judgeOne(packet, [namespace(OTHER_ENTRY, { facts: off })], { networks: [parseCidr("10.2.0.0/16")!] }),
    ["wire-only", "untracked"],
  );
  assert.deepEqual(judgeOne(packet, [{ ...tracked, netns: "a" }]), ["wire-only", "other-namespace"]);
  assert.deepEqual(judgeOne({ ...packet, timeUs: START }, [tracked], { pollUs: START + 20e6 }), [
    "wire-only",
    "between-polls",
  ]);
  assert.deepEqual(judgeOne({ ...packet, timeUs: START + 11e6 }, [tracked]), ["wire-only", "between-polls"]);
  assert.equal(judgeOne({ ...packet, fragment: true }, [tracked]), null);
  assert.deepEqual(
    judgeOne({ ...packet, version: 6 }, [namespace(OTHER_ENTRY, { facts: { ...FACTS, bridgeIpv6: null } })]),
    ["wire-only", "same-bridge"],
  );
});

test("a tracked connection that no packet was seen of, and why", () => {
  const cause = (text: string, facts: Partial<CaptureFacts> = {}, netns: string | null = null) => {
    const analyzer = wire([]);
    return new Evidence(analyzer.flows, [namespace(text, { netns })], { ...CAPTURE, ...facts }).unseenCause(
      0,
    );
  };
  assert.equal(cause(OTHER_ENTRY), "unexplained");
  assert.equal(cause(OTHER_ENTRY, { gap: true }), "capture-gap");
  assert.equal(cause(OTHER_ENTRY, {}, "b"), "other-namespace");
  assert.equal(cause(entry("10.1.1.9", "10.1.1.8", "431900 ESTABLISHED"), { gap: true }), "began-before");
  assert.equal(cause(entry("10.1.1.9", "10.1.1.8", "100 TIME_WAIT")), "began-before");
  assert.equal(
    cause(entry("10.1.1.9", "10.1.1.8", "295 ESTABLISHED")),
    "unexplained",
    "300 s where data is unacknowledged",
  );
  assert.equal(
    cause(entry("10.1.1.9", "10.1.1.8", "119 TIME_WAIT"), { endUs: START + 5e6 }),
    "after-capture",
  );
  assert.equal(cause(entry("10.7.1.9", "10.7.1.8", FRESH)), "other-interface");
  assert.equal(cause(OTHER_ENTRY, { networks: [] }), "other-interface");
});

test("both legs of a translated connection are one connection, and its conversations name what was asked", () => {
  const dnat = entry("10.1.1.1", "10.1.1.254", FRESH, "10.1.1.2", 8080, 80);
  const analyzer = wire([
    { source: 1, destination: 254, port: 8080 },
    { source: 1, destination: 2, port: 80 },
    { source: 3, destination: 4, port: 80 },
  ]);
  const snapshot = buildSnapshot(analyzer, {
    producer: "netwatch test",
    files: [],
    dropped: null,
    names: null,
    conntrack: { namespaces: [namespace(dnat)], capture: CAPTURE },
  });
  const joined = [...snapshot.conntrack!.connections.rows];
  assert.equal(joined.length, 2);
  const {
    verdict,
    nat,
    source,
    destination,
    destination_port,
    server,
    server_port,
    legs,
    packets,
    tracked_bytes,
  } = joined[0]!;
  assert.deepEqual(
    [verdict, nat, source, destination, destination_port, server, server_port, legs, packets, tracked_bytes],
    ["both", "DNAT", "10.1.1.1", "10.1.1.254", 8080, "10.1.1.2", 80, 2, 2, 500],
  );
  assert.deepEqual([joined[1]!.verdict, joined[1]!.cause, joined[1]!.legs], ["wire-only", "untracked", 1]);
  const rows = [...snapshot.tables.conversations.rows];
  assert.deepEqual(rows.map((row) => row.nat_destination).sort(), [
    "10.1.1.254:8080",
    "10.1.1.254:8080",
    null,
  ]);
  assert.deepEqual(
    rows.map((row) => row.nat_server).filter((text) => text !== null),
    ["10.1.1.2:80", "10.1.1.2:80"],
  );
  assert.deepEqual(
    snapshot.conntrack!.evidence.map(({ verdict, count }) => [verdict, count]),
    [
      ["both", 2],
      ["wire-only", 1],
    ],
  );
  for (const one of [snapshot, limitSnapshot(snapshot, 1)])
    assert.deepEqual(jsonOf(parseSnapshot(jsonOf(one))), jsonOf(one));
});

function jsonOf(snapshot: Snapshot): string {
  return [...renderSnapshotJson(snapshot, false)].join("");
}

test("whatever the traffic, every conversation that is tracked is found, and every total stays", () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat({ max: 80 }), fc.integer({ min: 1, max: 3 }), (roll, count, skip) => {
      const analyzer = new Analyzer();
      for (const talk of talks(roll, count)) analyzer.add(asPacket(talkPacket(talk)));
      const { flows } = analyzer;
      let text = "";
      const expected = new Set<number>();
      for (let flow = 0; flow < flows.count; flow++) {
        const { protocol, sourcePort, destinationPort, version } = flows.read(flow);
        if (flow % skip !== 0 || (protocol !== 6 && protocol !== 17) || sourcePort === null) continue;
        const [a, b] = [
          flows.addressText(flow, flows.isBegunByB(flow)),
          flows.addressText(flow, !flows.isBegunByB(flow)),
        ];
        text += `ipv${version} 2 x ${protocol} 20 src=${a} dst=${b} sport=${sourcePort} dport=${destinationPort} src=${b} dst=${a} sport=${destinationPort} dport=${sourcePort}\n`;
        expected.add(flow);
      }
      const evidence = new Evidence(flows, [namespace(text)], CAPTURE);
      for (let flow = 0; flow < flows.count; flow++)
        assert.equal(evidence.judge(flow)?.verdict === "both", expected.has(flow), `flow ${flow}`);
      for (let i = 0; i < evidence.entries; i++) assert.equal(evidence.unseenCause(i), null);
    }),
  );
});

test("without connection tracking a Snapshot says nothing of it", () => {
  const context = { producer: "netwatch test", files: [], dropped: null, names: null };
  const snapshot = buildSnapshot(wire([{ source: 1, destination: 2 }]), context);
  assert.equal("conntrack" in snapshot, false);
  assert.equal(
    snapshot.tables.conversations.columns.some(({ name }) => name === "verdict"),
    false,
  );
  assert.equal(formatAddress(parseCidr("10.1.1.0/24")!.network), "10.1.1.0");
});
