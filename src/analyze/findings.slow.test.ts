import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arp,
  asPacket,
  ethernet,
  ipv4,
  type SamplePacket,
  type Talk,
  talkPacket,
  tcp,
} from "../capture/file/sample.test.fixture.js";
import { parseNames } from "../capture/names/names.js";
import { Analyzer, type AnalyzerOptions } from "./analyzer.js";
import { MAX_FINDINGS } from "./findings.js";
import { buildSnapshot, type SnapshotContext } from "./snapshot/build.js";
import type { Finding } from "./snapshot/snapshot.js";

/** One TCP packet of 100 bytes from 10.1.1.1, port 40000, to 10.1.1.2, port 80. */
function talk(fields: Partial<Talk> = {}): SamplePacket {
  const ends = { version: 4, source: 1, destination: 2, sourcePort: 40_000, destinationPort: 80 } as const;
  const rest = { protocol: 6, flags: 0x10, icmpType: 0, laterFragment: false, length: 100, timeUs: 5 };
  const packet = talkPacket({ ...ends, ...rest, ...fields });
  return { ...packet, bytes: packet.bytes.subarray(0, fields.length ?? 100) };
}
const answer = { source: 2, destination: 1, sourcePort: 80, destinationPort: 40_000 };

function findingsOf(
  packets: readonly SamplePacket[],
  context: Partial<SnapshotContext> = {},
  options: AnalyzerOptions = {},
): Finding[] {
  const analyzer = new Analyzer(options);
  for (const packet of packets) analyzer.add(asPacket({ length: packet.bytes.length, ...packet }));
  return buildSnapshot(analyzer, { producer: "t", files: [], dropped: null, names: null, ...context })
    .findings;
}

const WHOLE = talk({ length: 54 });
const times = (n: number, packet: SamplePacket = WHOLE) => new Array<SamplePacket>(n).fill(packet);
const ARP: SamplePacket = { timeUs: 5, bytes: ethernet(arp(), 0x0806) };
const BROKEN: SamplePacket = { timeUs: 5, bytes: ethernet(ipv4(tcp(1, 2), { ihl: 2 })) };
const CUT: SamplePacket = { ...WHOLE, length: 1500 };
const UNANSWERED = talk({ flags: 2, length: 54 });

/** n packets a second for a while, at these seconds. */
const at = (...seconds: readonly number[]) => seconds.map((second) => ({ ...WHOLE, timeUs: second * 1e6 }));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

interface Case {
  readonly name: string;
  readonly code: string;
  readonly packets: readonly SamplePacket[];
  readonly context?: Partial<SnapshotContext>;
  readonly options?: AnalyzerOptions;
  /** Severity and text, or null where the finding must not be made. */
  readonly says: readonly [Finding["severity"], string] | null;
}

const file = (damage: { offset: number; reason: string; count: number } | null) => ({
  name: "a.pcap",
  packets: 1,
  damage,
});

const CASES: readonly Case[] = [
  { name: "no packet", code: "empty", packets: [], says: ["notice", "The capture holds no packets."] },
  { name: "a packet", code: "empty", packets: [WHOLE], says: null },
  {
    name: "drops",
    code: "dropped",
    packets: times(9),
    context: { dropped: 1 },
    says: ["warning", "1 packet (10.0 %) was lost while capturing: every table is incomplete."],
  },
  { name: "no drop", code: "dropped", packets: [WHOLE], context: { dropped: 0 }, says: null },
  { name: "drops not known", code: "dropped", packets: [WHOLE], says: null },
  {
    name: "damage",
    code: "damaged",
    packets: [WHOLE],
    context: { files: [file(null), file({ offset: 12_345, reason: "cut short", count: 1 })] },
    says: ["warning", "a.pcap is damaged at byte 12,345: cut short."],
  },
  { name: "no damage", code: "damaged", packets: [WHOLE], context: { files: [file(null)] }, says: null },
  {
    name: "eviction",
    code: "evicted",
    packets: [WHOLE, talk({ source: 3, length: 54 })],
    options: { maxFlows: 1 },
    says: [
      "notice",
      '1 small conversation (54 B) did not fit the table and is summed as "other", again each time for one that continues.',
    ],
  },
  { name: "a table just full", code: "evicted", packets: [WHOLE], options: { maxFlows: 1 }, says: null },
  {
    name: "damaged headers",
    code: "malformed",
    packets: [BROKEN, ...times(3)],
    says: ["notice", "1 packet (25.0 %) has a damaged IP header."],
  },
  { name: "ARP only", code: "malformed", packets: [ARP], says: null },
  {
    name: "half of the packets cut",
    code: "truncated",
    packets: [CUT, WHOLE],
    says: ["info", "50.0 % of the packets were captured in part; byte counts are those on the wire."],
  },
  { name: "less than half cut", code: "truncated", packets: [CUT, WHOLE, WHOLE], says: null },
  {
    name: "a service without a name",
    code: "unresolved",
    packets: [WHOLE, ARP],
    context: { names: parseNames('{"web": "10.1.1.2"}') },
    says: ["info", "54 B (56.3 %) go to or come from addresses that have no name."],
  },
  {
    name: "names for all",
    code: "unresolved",
    packets: [WHOLE],
    context: { names: parseNames('{"all": "10.0.0.0/8"}') },
    says: null,
  },
  { name: "no names", code: "unresolved", packets: [WHOLE], says: null },
  {
    name: "an attempt without an answer",
    code: "unanswered",
    packets: [UNANSWERED],
    says: ["warning", "1 of 1 TCP connection attempt (100.0 %) got no answer at all."],
  },
  {
    name: "few attempts without an answer",
    code: "unanswered",
    packets: range(0, 20).flatMap((i) => [
      talk({ flags: 2, sourcePort: 1000 + i }),
      ...(i === 0 ? [] : [talk({ ...answer, destinationPort: 1000 + i })]),
    ]),
    says: ["notice", "1 of 20 TCP connection attempts (5.0 %) got no answer at all."],
  },
  { name: "an answered attempt", code: "unanswered", packets: [UNANSWERED, talk(answer)], says: null },
  { name: "one direction of an old connection", code: "unanswered", packets: [WHOLE], says: null },
  {
    name: "one step of 100 times the others",
    code: "burst",
    packets: [...at(...range(0, 100)), ...at(...new Array<number>(99).fill(50))],
    // Steps are of 500 ms, 199 of them: 100 packets in one, 199 in all.
    says: [
      "notice",
      "Traffic peaks at 10.5 KiB/s in the 500.0 ms from 00:00:50.000, 100.0 times the mean of 108 B/s.",
    ],
  },
  { name: "even traffic", code: "burst", packets: at(...range(0, 200).map((i) => i / 2)), says: null },
  { name: "even traffic", code: "peak", packets: at(...range(0, 200).map((i) => i / 2)), says: null },
  {
    name: "one step of twice the others",
    code: "peak",
    packets: at(...range(0, 200).map((i) => i / 2), 50),
    says: [
      "info",
      "Traffic peaks at 216 B/s in the 500.0 ms from 00:00:50.000, 2.0 times the mean of 109 B/s.",
    ],
  },
  { name: "a moment", code: "peak", packets: [WHOLE], says: null },
  {
    name: "a long silence",
    code: "silence",
    packets: at(...range(0, 100), ...range(140, 240)),
    says: ["notice", "No packet at all for 40.0 s from 00:01:40.000."],
  },
  { name: "a short silence", code: "silence", packets: at(...range(0, 120), ...range(129, 249)), says: null },
  { name: "no silence", code: "silence", packets: at(...range(0, 240)), says: null },
  {
    name: "one sends more",
    code: "talker",
    packets: [...times(3), talk({ ...answer, length: 54 })],
    says: ["info", "10.1.1.1 sends the most: 162 B in 3 packets, 75.0 % of all bytes."],
  },
  { name: "no IP", code: "talker", packets: [ARP], says: null },
  {
    name: "one direction carries more",
    code: "pair",
    packets: [...times(3), talk({ ...answer, length: 54 })],
    says: ["info", "The busiest direction is 10.1.1.1 to 10.1.1.2: 162 B in 3 packets, 75.0 % of all bytes."],
  },
  { name: "no IP", code: "pair", packets: [ARP], says: null },
  {
    name: "nine tenths of one protocol",
    code: "protocol",
    packets: [...times(9), talk({ protocol: 17, length: 54 })],
    says: ["info", "TCP carries 90.0 % of all bytes."],
  },
  {
    name: "less than nine tenths",
    code: "protocol",
    packets: [...times(8), talk({ protocol: 17, length: 54 })],
    says: null,
  },
  {
    name: "one packet of 20 not IP",
    code: "non-ip",
    packets: [...times(19), ARP],
    says: ["notice", "5.0 % of the packets are not IP (ARP or OTHER) and have no pair."],
  },
  { name: "one of 21", code: "non-ip", packets: [...times(20), ARP], says: null },
];

for (const { name, code, packets, context, options, says } of CASES) {
  test(`finding "${code}": ${name}${says ? "" : ": not said"}`, () => {
    const found = findingsOf(packets, context, options).filter((finding) => finding.code === code);
    assert.deepEqual(found, says ? [{ code, severity: says[0], text: says[1] }] : []);
  });
}

test("findings come in the order of their severity, then of their weight; an empty capture has no other", () => {
  assert.deepEqual(
    findingsOf([], { dropped: 5 }).map((finding) => finding.code),
    ["empty"],
  );
  const all = findingsOf([UNANSWERED, BROKEN, CUT, CUT, ARP], { dropped: 1 });
  assert.deepEqual(
    all.map((finding) => finding.code),
    ["dropped", "unanswered", "malformed", "non-ip", "talker", "pair", "protocol"],
  );
});

test("of many findings the gravest are said", () => {
  const damaged = Array.from({ length: MAX_FINDINGS }, (_, i) => ({
    ...file({ offset: i, reason: "cut", count: 1 }),
  }));
  const all = findingsOf([WHOLE], { files: damaged });
  assert.equal(all.length, MAX_FINDINGS);
  assert.ok(all.every(({ severity }) => severity === "warning"));
});

test("of ordinary traffic, however little, nothing worse than a notice is said", () => {
  const handshake = range(0, 9).flatMap((i) => [
    talk({ flags: 2, length: 54, sourcePort: 1000 + i, timeUs: i * 1000 }),
    talk({ ...answer, flags: 0x12, length: 54, destinationPort: 1000 + i, timeUs: i * 1000 + 40 }),
    talk({ flags: 0x10, length: 54, sourcePort: 1000 + i, timeUs: i * 1000 + 90 }),
  ]);
  for (let n = 3; n <= handshake.length; n += 3)
    assert.deepEqual(
      findingsOf(handshake.slice(0, n)).filter(({ severity }) => severity !== "info"),
      [],
    );
});
