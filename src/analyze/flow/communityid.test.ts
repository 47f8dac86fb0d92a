import assert from "node:assert/strict";
import { test } from "node:test";
import {
  A4,
  asPacket,
  ethernet,
  icmp,
  ipv4,
  ipv6,
  join,
  tcp,
  u8,
  u16,
  u32,
  udp,
} from "../../capture/file/sample.test.fixture.js";
import { Analyzer } from "../analyzer.js";
import { communityId } from "./communityid.js";

function idOf(...frames: readonly Uint8Array[]): string | null {
  const analyzer = new Analyzer();
  for (const bytes of frames) analyzer.add(asPacket({ timeUs: 0, bytes }));
  assert.equal(analyzer.flows.count, 1);
  return communityId(analyzer.flows.read(0));
}

/** The first two are the specification's; all are what Wireshark 4 says. */
const VECTORS: readonly (readonly [name: string, frame: Uint8Array, id: string])[] = [
  [
    "TCP",
    ipv4(tcp(34_855, 80), { source: u8(128, 232, 110, 120), destination: u8(66, 35, 250, 204) }),
    "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
  ],
  [
    "UDP",
    ipv4(udp(54_585, 53), { source: u8(192, 168, 1, 52), destination: u8(8, 8, 8, 8), protocol: 17 }),
    "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
  ],
  ["IPv6 TCP", ipv6(tcp(63_943, 53)), "1:x9KQb860E0HMSA6Y4KoPTes7ZKg="],
  ["IPv6 UDP", ipv6(udp(53, 63_943), { nextHeader: 17 }), "1:7Rd1Lsrxc1phohUng7Y5uv4byls="],
  ["no ports", ipv4(join(u16(0), u16(0x800)), { protocol: 47 }), "1:6bVMFPWneS3bg49/6T1HieDmRMQ="],
  [
    "an address with its top bit set",
    ipv4(tcp(5, 5), { source: u8(200, 0, 0, 1), destination: u8(10, 0, 0, 1) }),
    "1:RtY/GR/UARllltjg7tCa7hPf5/U=",
  ],
  ["equal addresses", ipv4(tcp(9, 2), { destination: A4 }), "1:gxPH7FHBFTLjadjcfLCog+/ROSA="],
  ["ports 0", ipv4(tcp(0, 0)), "1:OmNp3tqZKR4YYDMQoTPz7Ww6mBI="],
];

for (const [name, packet, id] of VECTORS) {
  const type = packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd;
  test(`community id of ${name}`, () => assert.equal(idOf(ethernet(packet, type)), id));
}

test("both directions, and whoever began, have one id", () => {
  const ends = { source: u8(66, 35, 250, 204), destination: u8(128, 232, 110, 120) };
  for (const flags of [2, 0x12, 0x10])
    assert.equal(idOf(ethernet(ipv4(tcp(80, 34_855, flags), ends))), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
});

test("an id does not depend on those made before it", () => {
  const six = ethernet(ipv6(tcp(63_943, 53)), 0x86dd);
  const four = ethernet(ipv4(tcp(0, 0)));
  for (const [frame, id] of [
    [six, "1:x9KQb860E0HMSA6Y4KoPTes7ZKg="],
    [four, "1:OmNp3tqZKR4YYDMQoTPz7Ww6mBI="],
    [six, "1:x9KQb860E0HMSA6Y4KoPTes7ZKg="],
  ] as const)
    assert.equal(idOf(frame), id);
});

test("ICMP has none: its id would depend on types", () => {
  assert.equal(idOf(ethernet(ipv4(icmp(8), { protocol: 1 }))), null);
  assert.equal(idOf(ethernet(ipv6(icmp(128, u32(0)), { nextHeader: 58 }), 0x86dd)), null);
});
