/** Capture files, and packets of every link type up to the Snapshot. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Analyzer } from "../analyze/analyzer.js";
import { Headers } from "../analyze/flow/headers.js";
import { buildSnapshot } from "../analyze/snapshot/build.js";
import { snapshotSchema } from "../analyze/snapshot/snapshot.js";
import { fromStream } from "../capture/file/bytes.js";
import { CaptureReader } from "../capture/file/file.js";
import {
  arp,
  asPacket,
  copyPacket,
  enhancedPacket,
  ethernet,
  extension,
  fragmentHeader,
  IP_LINK_TYPES,
  icmp,
  interfaceBlock,
  ipv4,
  ipv6,
  join,
  linkHeader,
  nameRecord,
  nameResolution,
  nflogHeader,
  oldPacket,
  PCAP_KINDS,
  pcapFile,
  section,
  simplePacket,
  tcp,
  text,
  u8,
  u16,
  udp,
  vlanTag,
} from "../capture/file/sample.test.fixture.js";
import type { Packet } from "../capture/packet.js";
import { renderSnapshotJson } from "../report/data/json.js";
import { latin1, type Target } from "./target.fuzz.js";

/** Bytes that a stream gives at once. */
const PIECES = [1, 7, 64];

const frame = ethernet(ipv4(tcp(1234, 80, 0x18, latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))));
const PCAPNG = join(
  section(),
  interfaceBlock({ resolution: 9, offset: 5n }),
  interfaceBlock({ linkType: 101, snaplen: 64 }),
  nameResolution([nameRecord(1, join(u8(10, 1, 1, 1), text("web\0"))), nameRecord(0, u8())]),
  enhancedPacket(frame, { ticks: 1_600_000_000_000_000n }),
  simplePacket(frame),
  oldPacket(frame),
);
const PCAPS = PCAP_KINDS.flatMap((kind) =>
  [true, false].map((little) =>
    pcapFile(
      [
        { timeUs: 1_600_000_000_000_000, bytes: frame },
        { timeUs: 1_600_000_000_000_001, bytes: frame.slice(0, 20), length: 90 },
      ],
      { kind, little },
    ),
  ),
);

async function readCapture(bytes: Uint8Array, size: number) {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
  }
  const reader = await CaptureReader.open("fuzz", fromStream(pieces()));
  const packets = [];
  do {
    while (reader.next()) {
      const { view, offset, caplen } = reader.packet;
      assert.ok(
        offset >= 0 && caplen >= 0 && offset + caplen <= view.byteLength,
        "a packet beyond its buffer",
      );
      const packet = copyPacket(reader.packet);
      packets.push({ ...packet, timeUs: Math.max(packet.timeUs, 0) }); // Time.none
    }
  } while (await reader.fill());
  reader.close();
  assert.equal(reader.packets, packets.length);
  assert.ok(packets.length <= bytes.length, "more packets than bytes");
  return { packets, report: reader.report };
}

const capture: Target = {
  name: "capture",
  isSlow: true,
  seeds: [...PCAPS, PCAPNG, new Uint8Array(gzipSync(PCAPS[0]!)), new Uint8Array(gzipSync(PCAPNG))],
  words: [
    "\x0a\x0d\x0d\x0a",
    "\x4d\x3c\x2b\x1a",
    "\xd4\xc3\xb2\xa1",
    "\x1f\x8b\x08",
    "\x06\0\0\0",
    "\x05\0\0\0",
  ],
  async run(bytes) {
    const found = await readCapture(bytes, bytes.length || 1);
    // Where gzip is damaged, how much of it was still unpacked depends on the pieces.
    if (bytes[0] === 0x1f) return found;
    const size = PIECES[bytes.length % PIECES.length]!;
    assert.deepEqual(
      await readCapture(bytes, size),
      found,
      `in pieces of ${size} bytes it is another capture`,
    );
    return found;
  },
};

/** Packets as `packetsIn` takes them apart: link type, then each with its length and flags before it. */
function packetsOf(linkType: number, frames: readonly Uint8Array[]): Uint8Array {
  return join(u16(linkType), ...frames.map((bytes) => join(u16(bytes.length), bytes)));
}

/** Any number is a link type. */
function* packetsIn(bytes: Uint8Array): Generator<Packet> {
  const view = new DataView(bytes.buffer);
  for (let at = 2, n = 0; at + 2 <= bytes.length; n++) {
    const word = view.getUint16(at);
    const end = Math.min(at + 2 + (word & 0xfff), bytes.length);
    // The upper bits cut the packet short of what was on the wire, and choose a time that may go backwards.
    const timeUs = 1_600_000_000_000_000 + ((word >> 13) & 3) * (n % 3) * 400_000;
    const frame = bytes.slice(at + 2, end);
    yield asPacket({ timeUs, bytes: frame, length: frame.length + (word >> 15) * 100 }, view.getUint16(0));
    at = end;
  }
}

const CARRIED = [
  (ip: typeof ipv4) => ip(tcp(1234, 80, 2)),
  (ip: typeof ipv4) => ip(tcp(1234, 80, 0x18, latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))),
  (ip: typeof ipv4) =>
    ip(udp(1234, 53, latin1("\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01")), { protocol: 17 }),
];

const PACKETS = [
  ...IP_LINK_TYPES.flatMap((linkType) => {
    const four = linkHeader(linkType, 4);
    const six = linkHeader(linkType, 6);
    return [
      ...(four
        ? [
            packetsOf(
              linkType,
              CARRIED.map((make) => join(four, make(ipv4))),
            ),
          ]
        : []),
      ...(six
        ? [
            packetsOf(linkType, [
              join(six, ipv6(tcp(1, 2))),
              join(six, ipv6(join(extension(44), fragmentHeader(17, 0, true), udp(1, 2)), { nextHeader: 0 })),
            ]),
          ]
        : []),
    ];
  }),
  packetsOf(1, [
    arp(),
    ethernet(vlanTag(ipv4(icmp(8), { protocol: 1 })), 0x8100),
    ethernet(ipv4(udp(5, 4789, frame), { protocol: 17 })),
  ]),
  packetsOf(239, [join(nflogHeader(2, false), ipv4(tcp(1, 2)))]),
];

const packets: Target = {
  name: "packets",
  seeds: PACKETS,
  run(bytes) {
    const headers = new Headers();
    const found = [];
    for (const packet of packetsIn(bytes)) {
      headers.decode(packet);
      const { network, malformed, ip, protocol, fragment, hasPorts, sourcePort, destinationPort, end } =
        headers;
      const { tcpFlags, transport, payload } = headers;
      // These hold if there is a header.
      if (transport >= 0)
        assert.ok(ip < transport && transport < payload && transport < end && end <= packet.caplen);
      found.push({ network, malformed, protocol, fragment, hasPorts, sourcePort, destinationPort, tcpFlags });
    }
    return found;
  },
};

const report: Target = {
  name: "report",
  seeds: PACKETS,
  isSlow: true,
  run(bytes) {
    const analyzer = new Analyzer({ maxFlows: 64 });
    for (const packet of packetsIn(bytes)) analyzer.add(packet);
    const sum = (odd: number) => analyzer.protocols.reduce((sum, n, i) => sum + (i % 2 === odd ? n : 0), 0);
    assert.deepEqual([sum(0), sum(1)], [analyzer.packets, analyzer.bytes], "protocols do not add up");
    const built = buildSnapshot(analyzer, { producer: "fuzz", files: [], dropped: null, names: null });
    const snapshot = JSON.parse([...renderSnapshotJson(built, false)].join(""));
    const { success, error } = snapshotSchema.safeParse(snapshot);
    assert.ok(success, `no Snapshot: ${error?.message}`);
    const { packets, bytes: wire } = snapshot.tables.protocols.total;
    assert.deepEqual(
      [packets, wire],
      [analyzer.packets, analyzer.bytes],
      "the table of protocols does not add up",
    );
    return snapshot;
  },
};

export const targets: readonly Target[] = [capture, packets, report];
