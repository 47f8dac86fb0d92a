import assert from "node:assert/strict";
import { test } from "node:test";
import { createPacket } from "../packet.js";
import { PacketFilter } from "./file-filter.js";
import { IP_LINK_TYPES, ipv4, ipv6, join, linkHeader, nflogHeader, tcp } from "./sample.test.fixture.js";

function matches(filter: string, linkType: number, bytes: Uint8Array): boolean {
  const packet = createPacket();
  packet.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  packet.caplen = packet.length = bytes.length;
  packet.linkType = linkType;
  return new PacketFilter(filter).matches(packet);
}

test("a filter finds the IP packet behind every link header", () => {
  const segment = tcp(40_000, 6379, 0x12);
  for (const linkType of IP_LINK_TYPES)
    for (const version of [4, 6] as const) {
      const head = linkHeader(linkType, version);
      // libpcap takes the address families of this machine: 30 is not IPv6 on Linux.
      if (head === null || (version === 6 && (linkType === 0 || linkType === 108))) continue;
      const frame = join(head, version === 4 ? ipv4(segment) : ipv6(segment));
      assert.equal(matches("tcp port 6379", linkType, frame), true, `type ${linkType}, IPv${version}`);
      assert.equal(matches("tcp port 6380", linkType, frame), false);
      assert.equal(matches(version === 4 ? "ip" : "ip6", linkType, frame), true);
    }
});

test("an NFLOG frame without a packet matches no filter", () => {
  assert.equal(matches("ip or ip6", 239, nflogHeader(2, true).subarray(0, 12)), false);
});
