import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  asPacket,
  dice,
  ethernet,
  ipv4,
  ipv6,
  SEED,
  type Talk,
  talkAddress,
  talkPacket,
  talks,
  tcp,
  u32,
  udp,
} from "../../capture/file/sample.test.fixture.js";
import { formatAddress, formatIpv4, formatIpv6 } from "../../net.js";
import { Analyzer, type AnalyzerOptions } from "../analyzer.js";
import type { Flow } from "./flows.js";
import type { Orientation } from "./orientation.js";

function analyze(all: readonly Talk[], options: AnalyzerOptions = {}): Analyzer {
  const analyzer = new Analyzer(options);
  for (const talk of all) analyzer.add(asPacket(talkPacket(talk)));
  return analyzer;
}

/** A flow as one line, counts as big integers. */
interface Line {
  readonly key: string;
  readonly source: string;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly replyPackets: bigint;
  readonly replyBytes: bigint;
  readonly startUs: number | null;
  readonly endUs: number | null;
  readonly orientation: Orientation;
}

const endOf = (address: string, port: number | null) => `${address}#${port ?? "-"}`;
const keyOf = (version: number, protocol: number, x: string, y: string) =>
  [version, protocol, ...[x, y].sort()].join(" ");

function addressOf({ version }: Flow, words: Int32Array): string {
  return version === 4 ? formatIpv4(words[0]!) : formatIpv6(words[0]!, words[1]!, words[2]!, words[3]!);
}

/** What the table holds. */
function linesOf({ flows }: Analyzer): Line[] {
  return Array.from({ length: flows.count }, (_, i) => {
    const flow = flows.read(i);
    const source = endOf(addressOf(flow, flow.source), flow.sourcePort);
    const destination = endOf(addressOf(flow, flow.destination), flow.destinationPort);
    return {
      key: keyOf(flow.version, flow.protocol, source, destination),
      source,
      packets: BigInt(flow.packets),
      bytes: BigInt(flow.bytes),
      replyPackets: BigInt(flow.replyPackets),
      replyBytes: BigInt(flow.replyBytes),
      startUs: flow.startUs,
      endUs: flow.endUs,
      orientation: flow.orientation,
    };
  }).sort(byKey);
}

const byKey = (x: Line, y: Line) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0);

/** One conversation as the oracle counts it; sides by the text of their end. */
interface Conversation {
  readonly ends: readonly [string, string];
  readonly ports: readonly [number, number];
  readonly protocol: number;
  readonly first: 0 | 1;
  readonly packets: [bigint, bigint];
  readonly bytes: [bigint, bigint];
  readonly began: Set<0 | 1>;
  readonly times: number[];
}

/** The same by a Map keyed by text: slow and obvious. */
function oracle(all: readonly Talk[]): Line[] {
  const conversations = new Map<string, Conversation>();
  for (const talk of all) {
    const { version, protocol } = talk;
    const ported = (protocol === 6 || protocol === 17) && !talk.laterFragment;
    const end = (last: number, port: number) =>
      endOf(formatAddress(talkAddress(version, last)), ported ? port : null);
    const source = end(talk.source, talk.sourcePort);
    const destination = end(talk.destination, talk.destinationPort);
    const key = keyOf(version, protocol, source, destination);
    let conversation = conversations.get(key);
    const ends: readonly [string, string] = conversation?.ends ?? [source, destination];
    const side = source === ends[0] ? 0 : 1;
    if (!conversation) {
      conversation = {
        ends,
        ports: ported ? [talk.sourcePort, talk.destinationPort] : [0, 0],
        protocol,
        first: 0,
        packets: [0n, 0n],
        bytes: [0n, 0n],
        began: new Set(),
        times: [],
      };
      conversations.set(key, conversation);
    }
    conversation.packets[side]++;
    conversation.bytes[side] += BigInt(talk.length);
    if (talk.timeUs >= 0) conversation.times.push(talk.timeUs);
    if (protocol === 6 && ported && talk.flags & 2)
      conversation.began.add(talk.flags & 16 ? flip(side) : side);
    const request = protocol === 1 ? 8 : protocol === 58 ? 128 : -1;
    if (talk.icmpType === request && !talk.laterFragment) conversation.began.add(side);
  }
  return [...conversations].map(([key, conversation]) => lineOf(key, conversation)).sort(byKey);
}

const flip = (side: 0 | 1): 0 | 1 => (side === 0 ? 1 : 0);

function lineOf(
  key: string,
  { ends, ports, protocol, first, packets, bytes, began, times }: Conversation,
): Line {
  const [only] = began.size === 1 ? [...began] : [];
  const higher = ports[0] === ports[1] ? null : ports[0] > ports[1] ? 0 : 1;
  const orig = only ?? (began.size === 0 ? (higher ?? first) : first);
  const shown = protocol === 6 ? "handshake" : "request";
  return {
    key,
    source: ends[orig],
    packets: packets[orig],
    bytes: bytes[orig],
    replyPackets: packets[flip(orig)],
    replyBytes: bytes[flip(orig)],
    startUs: times.length > 0 ? Math.min(...times) : null,
    endUs: times.length > 0 ? Math.max(...times) : null,
    orientation: began.size > 0 ? shown : higher === null ? "first" : "port",
  };
}

/** Both ends the same: which direction a packet goes cannot be told. */
const hasTwoEnds = (talk: Talk) =>
  talk.source !== talk.destination ||
  (talk.sourcePort !== talk.destinationPort &&
    (talk.protocol === 6 || talk.protocol === 17) &&
    !talk.laterFragment);

test("property: the table holds what a Map keyed by text holds, whatever the seed", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 400 }), fc.integer(), (roll, count, seed) => {
      const all = talks(roll, count).filter(hasTwoEnds);
      assert.deepEqual(linesOf(analyze(all, { seed })), oracle(all));
    }),
    { seed: SEED, numRuns: 40 },
  );
});

test("property: a conversation of an end with itself has all its packets and bytes in one row", () => {
  fc.assert(
    fc.property(fc.integer(), (roll) => {
      const all = talks(roll, 50, 1).filter((talk) => !hasTwoEnds(talk));
      const sum = (line: Line) => [line.key, line.packets + line.replyPackets, line.bytes + line.replyBytes];
      assert.deepEqual(linesOf(analyze(all)).map(sum), oracle(all).map(sum));
    }),
    { seed: SEED, numRuns: 15 },
  );
});

/** One TCP packet between the last bytes of two addresses. */
function talk(fields: Partial<Talk> = {}): Talk {
  const ends = { version: 4, source: 1, destination: 2, sourcePort: 40_000, destinationPort: 80 } as const;
  const rest = { protocol: 6, flags: 0x10, icmpType: 0, laterFragment: false, length: 100, timeUs: 5 };
  return { ...ends, ...rest, ...fields };
}
const back = { source: 2, destination: 1, sourcePort: 80, destinationPort: 40_000 };

const ORIENTATIONS: readonly {
  readonly name: string;
  readonly talks: readonly Talk[];
  readonly source: string;
  readonly by: Orientation;
}[] = [
  { name: "a SYN", talks: [talk({ ...back, flags: 2 })], source: "10.1.1.2#80", by: "handshake" },
  { name: "a SYN-ACK", talks: [talk({ flags: 0x12 })], source: "10.1.1.2#80", by: "handshake" },
  {
    name: "a SYN later on",
    talks: [talk(), talk({ ...back, flags: 2 })],
    source: "10.1.1.2#80",
    by: "handshake",
  },
  {
    name: "SYNs of both: the first packet",
    talks: [talk({ ...back, flags: 2 }), talk({ flags: 2 })],
    source: "10.1.1.2#80",
    by: "handshake",
  },
  { name: "no handshake: the higher port", talks: [talk(back)], source: "10.1.1.1#40000", by: "port" },
  {
    name: "equal ports: the first packet",
    talks: [talk({ ...back, destinationPort: 80 }), talk({ sourcePort: 80 })],
    source: "10.1.1.2#80",
    by: "first",
  },
  {
    name: "UDP has no handshake, whatever its bytes",
    talks: [talk({ ...back, protocol: 17, flags: 2 })],
    source: "10.1.1.1#40000",
    by: "port",
  },
  {
    name: "an echo request",
    talks: [talk({ ...back, protocol: 1, icmpType: 0 }), talk({ protocol: 1, icmpType: 8 })],
    source: "10.1.1.1#-",
    by: "request",
  },
  {
    name: "other ICMP: the first packet",
    talks: [talk({ ...back, protocol: 1, icmpType: 3 })],
    source: "10.1.1.2#-",
    by: "first",
  },
];

for (const { name, talks: all, source, by } of ORIENTATIONS) {
  test(`who began a conversation: ${name}`, () => {
    const [line, ...others] = linesOf(analyze(all));
    assert.deepEqual([line!.source, line!.orientation, others], [source, by, []]);
  });
}

test("an ICMPv6 echo request shows who began; an ICMP type 8 in IPv6's protocol does not", () => {
  const request = talk({ version: 6, protocol: 58, icmpType: 128, ...back });
  assert.deepEqual(
    linesOf(analyze([talk({ version: 6, protocol: 58, icmpType: 8 }), request])).map((line) => [
      line.source,
      line.orientation,
    ]),
    [["fd00::2#-", "request"]],
  );
});

test("a multicast or broadcast address never answers: the first packet's sender began, with any port", () => {
  const frames = [
    [239, 255, 255, 250],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
  ].map((group) => ethernet(ipv4(udp(53, 40_000), { protocol: 17, destination: Uint8Array.from(group) })));
  const six = {
    nextHeader: 17,
    destination: Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  };
  frames.push(ethernet(ipv6(udp(53, 40_000), six), 0x86dd));
  for (const bytes of frames) {
    const analyzer = new Analyzer();
    analyzer.add(asPacket({ timeUs: 0, bytes }));
    const flow = analyzer.flows.read(0);
    assert.deepEqual([flow.sourcePort, flow.orientation], [53, "first"]);
  }
  for (const first of [223, 240]) {
    const analyzer = new Analyzer();
    const destination = Uint8Array.of(first, 255, 255, 255);
    const bytes = ethernet(ipv4(udp(53, 40_000), { protocol: 17, destination }));
    analyzer.add(asPacket({ timeUs: 0, bytes }));
    const flow = analyzer.flows.read(0);
    assert.deepEqual([flow.sourcePort, flow.orientation], [40_000, "port"]);
  }
});

test("ports 0 are ports: a packet without any is another conversation", () => {
  const zero = talk({ sourcePort: 0, destinationPort: 0 });
  const lines = linesOf(analyze([zero, { ...zero, laterFragment: true }]));
  assert.deepEqual(
    lines.map((line) => line.key),
    ["4 6 10.1.1.1#- 10.1.1.2#-", "4 6 10.1.1.1#0 10.1.1.2#0"],
  );
});

test("IPv4-mapped IPv6 addresses are not IPv4 addresses", () => {
  const analyzer = analyze([talk()]);
  const mapped = (last: number) =>
    Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 1, last]);
  const frame = ethernet(ipv6(tcp(40_000, 80), { source: mapped(1), destination: mapped(2) }), 0x86dd);
  analyzer.add(asPacket({ timeUs: 0, bytes: frame }));
  assert.equal(analyzer.flows.count, 2);
});

test("the table grows over many doublings and loses nothing", () => {
  const analyzer = new Analyzer({ seed: 42 });
  const frames = [4, 6].map((version) =>
    version === 4 ? ethernet(ipv4(tcp(1, 2))) : ethernet(ipv6(tcp(1, 2)), 0x86dd),
  );
  const expected = new Map<string, bigint>();
  const roll = dice(7);
  for (let i = 0; i < 40_000; i++) {
    const n = roll(15_000);
    const version = n % 3 === 0 ? 6 : 4;
    const frame = frames[version === 4 ? 0 : 1]!;
    frame.set(u32(n), 26); // the source is at 26 in IPv4, at 22 to 37 in IPv6
    analyzer.add(asPacket({ timeUs: i, bytes: frame, length: n + 60 }));
    const address = formatAddress(frame.subarray(version === 4 ? 26 : 22, version === 4 ? 30 : 38));
    expected.set(address, (expected.get(address) ?? 0n) + BigInt(n + 60));
  }
  const { flows } = analyzer;
  assert.equal(flows.count, expected.size);
  assert.ok(flows.count > 8192);
  for (let i = 0; i < flows.count; i++) {
    const flow = flows.read(i);
    const ends = [addressOf(flow, flow.source), addressOf(flow, flow.destination)];
    const address = ends.find((end) => expected.has(end))!;
    assert.equal(BigInt(flow.bytes + flow.replyBytes), expected.get(address));
    expected.delete(address);
  }
  assert.equal(expected.size, 0);
});

test("property: a full table keeps its bound and the totals stay exact, 1 conversation included", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 40 }), fc.integer(), (roll, maxFlows, seed) => {
      const all = talks(roll, 300);
      const analyzer = new Analyzer({ maxFlows, seed });
      for (const one of all) {
        analyzer.add(asPacket(talkPacket(one)));
        assert.ok(analyzer.flows.count <= maxFlows);
      }
      const { evicted } = analyzer.flows;
      const lines = linesOf(analyzer);
      const sum = (of: (line: Line) => bigint) => lines.reduce((total, line) => total + of(line), 0n);
      const packets = sum((line) => line.packets + line.replyPackets);
      const bytes = sum((line) => line.bytes + line.replyBytes);
      assert.equal(packets + BigInt(evicted.packets + evicted.replyPackets), BigInt(all.length));
      assert.equal(
        bytes + BigInt(evicted.bytes + evicted.replyBytes),
        all.reduce((total, one) => total + BigInt(one.length), 0n),
      );
      assert.equal(new Set(lines.map((line) => line.key)).size, lines.length);
      if (oracle(all).length <= maxFlows) assert.deepEqual(evicted.flows, 0);
      else assert.ok(evicted.flows >= oracle(all).length - maxFlows);
    }),
    { seed: SEED, numRuns: 30 },
  );
});

/** The source ports of the conversations that are held. */
const heldPorts = (analyzer: Analyzer) =>
  Array.from({ length: analyzer.flows.count }, (_, i) => analyzer.flows.read(i).sourcePort);

test("a full table lets the smallest go, of equal ones the oldest", () => {
  const sized = (lengths: readonly number[]) =>
    lengths.map((length, i) => talk({ sourcePort: 1000 + i, length }));
  const equal = analyze(sized([5, 5, 5, 5, 5, 5, 5, 5, 5]), { maxFlows: 8 });
  assert.deepEqual(heldPorts(equal), [1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008]);
  assert.deepEqual(equal.flows.evicted, { flows: 1, packets: 1, bytes: 5, replyPackets: 0, replyBytes: 0 });
  const unequal = analyze(sized([9, 9, 4, 9, 3, 9, 9, 4, 1]), { maxFlows: 8 });
  assert.deepEqual(heldPorts(unequal), [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008]);
  const roll = dice(5);
  const lengths = Array.from({ length: 257 }, () => 60 + roll(50));
  const large = analyze(sized(lengths), { maxFlows: 256 });
  const held = new Set(heldPorts(large));
  const gone = lengths.filter((_, i) => !held.has(1000 + i));
  const kept = lengths.filter((_, i) => held.has(1000 + i)).slice(0, -1); // without the one that came
  assert.equal(gone.length, large.flows.evicted.flows);
  assert.ok(gone.length > 1 && Math.max(...gone) <= Math.min(...kept));
});

test("what is evicted is counted by direction", () => {
  const analyzer = analyze(
    [
      talk({ flags: 2, length: 10 }),
      talk({ ...back, length: 7 }),
      talk({ ...back, length: 7 }),
      talk({ source: 9 }),
    ],
    { maxFlows: 1 },
  );
  assert.deepEqual(analyzer.flows.evicted, {
    flows: 1,
    packets: 1,
    bytes: 10,
    replyPackets: 2,
    replyBytes: 14,
  });
});

test("the larger address family makes room", () => {
  const four = (n: number) => talk({ sourcePort: 1000 + n });
  const six = (n: number) => talk({ version: 6, sourcePort: 1000 + n });
  const analyzer = analyze([six(0), six(1), six(2), four(0), four(1)], { maxFlows: 4 });
  const versions = Array.from({ length: 4 }, (_, i) => analyzer.flows.read(i).version);
  assert.deepEqual(versions, [4, 4, 6, 6]);
});

test("a heavy conversation stays through a flood of spoofed sources, with exact counts", () => {
  const analyzer = new Analyzer({ maxFlows: 1000 });
  const heavy = talk({ length: 1500 });
  const frame = ethernet(ipv4(tcp(1, 80, 2)));
  const roll = dice(3);
  for (let i = 0; i < 20_000; i++) {
    if (i % 200 === 0) analyzer.add(asPacket(talkPacket(heavy)));
    frame.set(u32(roll(0xffff_ffff)), 26);
    analyzer.add(asPacket({ timeUs: i, bytes: frame }));
  }
  const line = linesOf(analyzer).find((one) => one.key === "4 6 10.1.1.1#40000 10.1.1.2#80")!;
  assert.deepEqual([line.packets, line.bytes], [100n, 150_000n]);
  assert.ok(analyzer.flows.count <= 1000 && analyzer.flows.count > 800);
});
