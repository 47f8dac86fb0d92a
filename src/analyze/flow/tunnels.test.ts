import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ethernet,
  ipv4,
  ipv6,
  join,
  tcp,
  u8,
  u16,
  u32,
  udp,
} from "../../capture/file/sample.test.fixture.js";
import { createPacket } from "../../capture/packet.js";
import { LinkType } from "../../net.js";
import { Analyzer } from "../analyzer.js";
import { buildSnapshot } from "../snapshot/build.js";

const INNER = ipv4(tcp(40_000, 6379, 0x12));

function tunnelsOf(...frames: readonly Uint8Array[]) {
  const analyzer = new Analyzer();
  const packet = createPacket();
  packet.linkType = LinkType.ethernet;
  for (const bytes of frames) {
    packet.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    packet.caplen = packet.length = bytes.length;
    analyzer.add(packet);
  }
  const context = { producer: "test 0", files: [], dropped: null, names: null };
  return buildSnapshot(analyzer, context).ledger.tunnels;
}

test("packets in tunnels are counted by kind, so that outer addresses are not taken for inner ones", () => {
  const vxlan = join(u8(8, 0, 0, 0), u32(42 << 8), ethernet(INNER));
  const geneve = join(u16(0), u16(0x6558), u32(42 << 8), ethernet(INNER));
  const frames = [
    ethernet(ipv4(INNER, { protocol: 4 })),
    ethernet(ipv4(INNER, { protocol: 41 })),
    ethernet(ipv6(INNER, { nextHeader: 4 }), 0x86dd),
    ethernet(ipv6(INNER, { nextHeader: 41 }), 0x86dd),
    ethernet(ipv4(INNER, { protocol: 47 })),
    ethernet(ipv6(INNER, { nextHeader: 47 }), 0x86dd),
    ethernet(ipv4(udp(50_000, 4789, vxlan), { protocol: 17 })),
    ethernet(ipv4(udp(50_000, 6081, geneve), { protocol: 17 })),
  ];
  assert.deepEqual(tunnelsOf(...frames), [
    { kind: "ipip", packets: 1 },
    { kind: "6in4", packets: 1 },
    { kind: "4in6", packets: 1 },
    { kind: "ip6ip6", packets: 1 },
    { kind: "gre", packets: 2 },
    { kind: "vxlan", packets: 1 },
    { kind: "geneve", packets: 1 },
  ]);
});

test("a port alone makes no tunnel, and a capture without any says nothing of them", () => {
  const other = (port: number, text: string) =>
    ethernet(ipv4(udp(50_000, port, Uint8Array.from(Buffer.from(text))), { protocol: 17 }));
  assert.equal(
    tunnelsOf(ethernet(INNER), other(4789, "not a tunnel"), other(6081, "not a tunnel"), other(4789, "")),
    undefined,
  );
});
