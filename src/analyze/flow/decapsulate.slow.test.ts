import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  A4,
  arp,
  B4,
  ethernet,
  extension,
  ipv4,
  ipv6,
  join,
  pcapFile,
  tcp,
  text,
  u8,
  u16,
  u32,
  udp,
  vlanTag,
} from "../../capture/file/sample.test.fixture.js";
import { packetOf } from "../../capture/packet.test.fixture.js";
import { Analyzer } from "../analyzer.js";
import { buildSnapshot } from "../snapshot/build.js";

const WEB = u8(172, 16, 0, 1);
const CACHE = u8(172, 16, 0, 2);
const INNER = ipv4(tcp(40_000, 6379, 0x18, text("*1\r\n$4\r\nPING\r\n")), {
  source: WEB,
  destination: CACHE,
});
const INNER6 = ipv6(tcp(40_000, 6379, 0x18));
const inIpv4 = (protocol: number, payload: Uint8Array, fragment = 0): Uint8Array =>
  ethernet(ipv4(payload, { protocol, fragment }));
const inIpv6 = (nextHeader: number, payload: Uint8Array): Uint8Array =>
  ethernet(ipv6(payload, { nextHeader }), 0x86dd);
const inUdp = (port: number, payload: Uint8Array, fragment = 0): Uint8Array =>
  inIpv4(17, udp(50_000, port, payload), fragment);
const vxlan = (frame: Uint8Array): Uint8Array => join(u8(8, 0, 0, 0), u32(42 << 8), frame);
const geneve = (type: number, inside: Uint8Array, words = 0): Uint8Array =>
  join(u8(words, 0), u16(type), u32(42 << 8), new Uint8Array(words * 4).fill(0xff), inside);
const gre = (flags: number, type: number, inside: Uint8Array): Uint8Array =>
  join(
    u16(flags),
    u16(type),
    ...[0x8000, 0x2000, 0x1000].map((flag) => u8(...((flags & flag) !== 0 ? [9, 9, 9, 9] : []))),
    inside,
  );

const endOf = (address: unknown, port: unknown): string =>
  port === null ? `${address}` : `${address}:${port}`;

/** What the tables and the ledger say of the frames. */
function seen(frames: readonly Uint8Array[], decapsulate = true) {
  const analyzer = new Analyzer({ decapsulate });
  for (const frame of frames) analyzer.add(packetOf(frame));
  const context = { producer: "test 0", files: [], dropped: null, names: null };
  const { totals, ledger, tables } = buildSnapshot(analyzer, context);
  const ends = [...tables.conversations.rows].map((row) => {
    const [from, to] = [endOf(row.source, row.source_port), endOf(row.destination, row.destination_port)];
    return `${row.transport} ${from} ${to} ${row.packets} ${row.bytes}`;
  });
  const protocols = [...tables.protocols.rows].map((row) => `${row.protocol} ${row.packets} ${row.bytes}`);
  return { totals, ends, protocols, tunnels: ledger.tunnels, entered: ledger.decapsulated, analyzer };
}

const TUNNELS: readonly (readonly [name: string, kind: string, frame: Uint8Array])[] = [
  ["IPIP", "ipip", inIpv4(4, INNER)],
  ["IPv4 in IPv6", "4in6", inIpv6(4, INNER)],
  [
    "IPv4 in IPv6 behind destination options, as ip6tnl has it",
    "4in6",
    inIpv6(60, join(extension(4), INNER)),
  ],
  ["GRE", "gre", inIpv4(47, gre(0, 0x0800, INNER))],
  ["GRE over IPv6", "gre", inIpv6(47, gre(0, 0x0800, INNER))],
  ["GRE with checksum", "gre", inIpv4(47, gre(0x8000, 0x0800, INNER))],
  ["GRE with checksum, key and sequence", "gre", inIpv4(47, gre(0xb000, 0x0800, INNER))],
  ["GRE with key, bridging Ethernet", "gre", inIpv4(47, gre(0x2000, 0x6558, ethernet(INNER)))],
  ["VXLAN", "vxlan", inUdp(4789, vxlan(ethernet(INNER)))],
  ["VXLAN over IPv6", "vxlan", inIpv6(17, udp(50_000, 4789, vxlan(ethernet(INNER))))],
  ["VXLAN, with a tag inside", "vxlan", inUdp(4789, vxlan(ethernet(vlanTag(INNER), 0x8100)))],
  ["Geneve", "geneve", inUdp(6081, geneve(0x6558, ethernet(INNER)))],
  ["Geneve with options", "geneve", inUdp(6081, geneve(0x6558, ethernet(INNER), 7))],
  ["Geneve with IP inside", "geneve", inUdp(6081, geneve(0x0800, INNER, 63))],
  [
    "VXLAN in GRE",
    "gre",
    inIpv4(47, gre(0, 0x0800, ipv4(udp(1, 4789, vxlan(ethernet(INNER))), { protocol: 17 }))),
  ],
];

for (const [name, kind, frame] of TUNNELS)
  test(`${name}: the packet counts for the ends inside, with the bytes of the whole frame`, () => {
    const { ends, protocols, tunnels, entered, totals, analyzer } = seen([frame]);
    assert.deepEqual(ends, [`TCP 172.16.0.1:40000 172.16.0.2:6379 1 ${frame.length}`]);
    assert.deepEqual(protocols, [`TCP 1 ${frame.length}`]);
    assert.deepEqual([tunnels, entered], [undefined, [{ kind, packets: 1 }]]);
    assert.deepEqual(totals, { packets: 1, bytes: frame.length });
    assert.deepEqual(
      analyzer.inspector.operations.list.map((of) => `${of.application} ${of.name}`),
      ["redis PING"],
    );
    const closed = seen([frame], false);
    assert.equal(closed.ends[0]!.includes("172.16"), false);
    assert.deepEqual([closed.tunnels, closed.entered], [[{ kind, packets: 1 }], undefined]);
  });

const isTsharkThere = spawnSync("tshark", ["--version"]).status === 0;

test("tshark finds the same ends inside", { skip: isTsharkThere ? false : "tshark is not installed" }, () => {
  const folder = mkdtempSync(joinPath(tmpdir(), "netwatch-tshark-"));
  try {
    const file = joinPath(folder, "tunnels.pcap");
    writeFileSync(file, pcapFile(TUNNELS.map(([, , bytes], i) => ({ bytes, timeUs: i }))));
    const fields = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "frame.len"].flatMap((field) => [
      "-e",
      field,
    ]);
    const words = ["-r", file, "-T", "fields", "-E", "occurrence=l", "-E", "separator= ", ...fields];
    const { stdout } = spawnSync("tshark", words, { encoding: "utf8" });
    const found = stdout
      .trim()
      .split("\n")
      .map((line) => {
        const [source, sourcePort, destination, destinationPort, length] = line.split(" ");
        return `TCP ${source}:${sourcePort} ${destination}:${destinationPort} 1 ${length}`;
      });
    assert.deepEqual(
      found,
      TUNNELS.map(([, , frame]) => seen([frame]).ends[0]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("IPv6 in IPv4 and in IPv6, and ARP over VXLAN, count as what they are", () => {
  for (const [kind, frame] of [
    ["6in4", inIpv4(41, INNER6)],
    ["ip6ip6", inIpv6(41, INNER6)],
    ["gre", inIpv4(47, gre(0, 0x86dd, INNER6))],
  ] as const) {
    const { ends, entered } = seen([frame]);
    assert.deepEqual(
      [ends, entered],
      [[`TCP fd00::1:40000 fd00::2:6379 1 ${frame.length}`], [{ kind, packets: 1 }]],
    );
  }
  const frame = inUdp(4789, vxlan(ethernet(arp(), 0x0806)));
  const { ends, protocols, entered } = seen([frame]);
  assert.deepEqual(
    [ends, protocols, entered],
    [[], [`ARP 1 ${frame.length}`], [{ kind: "vxlan", packets: 1 }]],
  );
});

const REASONS: readonly (readonly [
  name: string,
  kind: string,
  reason: string,
  protocol: string,
  frame: Uint8Array,
])[] = [
  ["a first fragment", "ipip", "fragment of a packet", "IPIP", inIpv4(4, INNER, 0x2000)],
  ["a later fragment", "gre", "fragment of a packet", "GRE", inIpv4(47, INNER, 3)],
  [
    "a first fragment of UDP",
    "vxlan",
    "fragment of a packet",
    "UDP",
    inUdp(4789, vxlan(ethernet(INNER)), 0x2000),
  ],
  [
    "GRE with routing",
    "gre",
    "header of the tunnel cut off or unknown",
    "GRE",
    inIpv4(47, gre(0x4000, 0x0800, INNER)),
  ],
  [
    "GRE of version 1",
    "gre",
    "header of the tunnel cut off or unknown",
    "GRE",
    inIpv4(47, gre(1, 0x880b, INNER)),
  ],
  [
    "GRE cut in its fields",
    "gre",
    "header of the tunnel cut off or unknown",
    "GRE",
    inIpv4(47, join(u16(0x2000), u16(0x0800))),
  ],
  [
    "Geneve cut in its options",
    "geneve",
    "header of the tunnel cut off or unknown",
    "UDP",
    inUdp(6081, geneve(0x0800, u8(), 9).subarray(0, 20)),
  ],
  ["GRE with MPLS", "gre", "unknown protocol inside", "GRE", inIpv4(47, gre(0, 0x8847, INNER))],
  ["Geneve with MPLS", "geneve", "unknown protocol inside", "UDP", inUdp(6081, geneve(0x8847, INNER))],
  [
    "VXLAN with LLDP",
    "vxlan",
    "unknown protocol inside",
    "UDP",
    inUdp(4789, vxlan(ethernet(text("lldp"), 0x88cc))),
  ],
  ["IPIP with IPv6", "ipip", "damaged packet inside", "IPIP", inIpv4(4, INNER6)],
  ["IPIP with half a header", "ipip", "damaged packet inside", "IPIP", inIpv4(4, INNER.subarray(0, 11))],
  ["IPIP with nothing", "ipip", "damaged packet inside", "IPIP", inIpv4(4, u8())],
  [
    "VXLAN with half an Ethernet header",
    "vxlan",
    "damaged packet inside",
    "UDP",
    inUdp(4789, vxlan(u8(1, 2, 3))),
  ],
];

for (const [name, kind, reason, protocol, frame] of REASONS)
  test(`not entered, told by reason, counted for the tunnel's ends: ${name}`, () => {
    const { ends, tunnels, entered, analyzer } = seen([frame]);
    assert.deepEqual([tunnels, entered], [[{ kind, packets: 1, reason }], []]);
    assert.equal(ends.length, 1);
    assert.match(
      ends[0]!,
      new RegExp(`^${protocol} 10\\.1\\.1\\.1(:50000)? 10\\.1\\.1\\.2(:\\d+)? 1 ${frame.length}$`),
    );
    assert.deepEqual(
      [...analyzer.malformed].filter((n) => n > 0),
      [],
    );
  });

test("what is damaged in the second tunnel counts for the ends of the first", () => {
  const second = ipv4(u8(0x77), { protocol: 4, source: WEB, destination: CACHE });
  const frame = inIpv4(47, gre(0, 0x0800, second));
  const { ends, tunnels, entered } = seen([frame]);
  assert.deepEqual(ends, [`IPIP 172.16.0.1 172.16.0.2 1 ${frame.length}`]);
  assert.deepEqual(tunnels, [{ kind: "ipip", packets: 1, reason: "damaged packet inside" }]);
  assert.deepEqual(entered, [{ kind: "gre", packets: 1 }]);
});

test("four tunnels in each other are entered, and no more", () => {
  const nested = (levels: number): Uint8Array => {
    let packet = INNER;
    for (let i = levels; i > 0; i--)
      packet = ipv4(packet, { protocol: 4, source: u8(10, 9, 9, i), destination: B4 });
    return ethernet(packet);
  };
  assert.deepEqual(seen([nested(4)]).ends, [`TCP 172.16.0.1:40000 172.16.0.2:6379 1 ${nested(4).length}`]);
  const { ends, tunnels } = seen([nested(6)]);
  assert.deepEqual(ends, [`IPIP 10.9.9.5 10.1.1.2 1 ${nested(6).length}`]);
  assert.deepEqual(tunnels, [{ kind: "ipip", packets: 1, reason: "more than 4 tunnels in each other" }]);
});

test("a tunnel's port alone makes no tunnel, and other packets count as ever", () => {
  const frames = [
    inUdp(4789, text("not a tunnel")),
    inUdp(6081, text("not a tunnel")),
    inUdp(6081, new Uint8Array(40)),
    inUdp(4789, u8()),
    ethernet(INNER),
    ethernet(ipv4(udp(53, 53), { protocol: 17, source: B4, destination: A4 })),
  ];
  const [open, closed] = [seen(frames), seen(frames, false)];
  assert.deepEqual(open.ends, closed.ends);
  assert.deepEqual([open.tunnels, open.entered, closed.tunnels], [undefined, [], undefined]);
});

test("a packet inside a frame cut by the capture counts its ports, and its TCP by the length on the wire", () => {
  const whole = inUdp(
    4789,
    vxlan(ethernet(ipv4(tcp(40_000, 80, 0x18, new Uint8Array(1000)), { source: WEB, destination: CACHE }))),
  );
  const analyzer = new Analyzer({ decapsulate: true });
  const cut = { ...packetOf(whole.subarray(0, 110)), length: whole.length };
  analyzer.add(cut);
  assert.equal(analyzer.flows.count, 1);
  assert.equal(analyzer.bytes, whole.length);
  assert.equal(analyzer.inspector.tcp.used, 1);
});

test("property: frames with anything in a tunnel are counted once, each for a pair, ARP or OTHER, and told once", () => {
  const kinds = [
    (inside: Uint8Array) => inIpv4(4, inside),
    (inside: Uint8Array) => inIpv4(41, inside),
    (inside: Uint8Array) => inIpv4(47, inside),
    (inside: Uint8Array) => inIpv6(47, inside),
    (inside: Uint8Array) => inUdp(4789, vxlan(inside)),
    (inside: Uint8Array) => inUdp(6081, inside),
    (inside: Uint8Array) => inIpv4(47, gre(0x2000, 0x6558, inside)),
  ];
  const seed = fc.constantFrom(...TUNNELS.map(([, , frame]) => frame), INNER, INNER6);
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      seed,
      fc.nat(200),
      fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 }),
      (wrap, inside, cut, changes) => {
        const bytes = inside.slice(0, Math.max(0, inside.length - cut));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const frame = wrap(bytes);
        const { totals, protocols, tunnels = [], entered = [], analyzer } = seen([frame]);
        assert.deepEqual(totals, { packets: 1, bytes: frame.length });
        assert.equal(protocols.length, 1);
        assert.ok(tunnels.length <= 1 && entered.length <= 1);
        assert.ok([...analyzer.malformed].every((n) => n === 0));
      },
    ),
  );
});
