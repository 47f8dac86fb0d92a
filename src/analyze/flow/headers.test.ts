import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  A4,
  A6,
  arp,
  asPacket,
  B4,
  B6,
  ethernet,
  extension,
  fragmentHeader,
  IP_LINK_TYPES,
  icmp,
  ipv4,
  ipv6,
  join,
  linkHeader,
  nflogHeader,
  SEED,
  tcp,
  text,
  u8,
  u16,
  u32,
  udp,
  vlanTag,
} from "../../capture/file/sample.test.fixture.js";
import { Fragment, Headers, MALFORMED, Network } from "./headers.js";

/** What a test says of a frame: the network, and the fields that hold for it. */
type Seen =
  | "other"
  | "arp"
  | { readonly malformed: string }
  | {
      readonly version: 4 | 6;
      readonly protocol: number;
      /** Source and destination, or null. */
      readonly ports: readonly [number, number] | null;
      readonly fragment: number;
      readonly tcpFlags: number;
      readonly icmpType: number;
      /** The addresses that stand where the IP header is said to begin. */
      readonly addresses: string;
    };

/** Decodes a frame that lies at `offset` of a view. */
function see(
  view: DataView,
  offset: number,
  caplen: number,
  linkType: number,
  headers = new Headers(),
): Seen {
  headers.decode({ view, offset, caplen, length: caplen, timeUs: 0, nanos: 0, linkType });
  switch (headers.network) {
    case Network.other:
      return "other";
    case Network.arp:
      return "arp";
    case Network.malformed:
      return { malformed: MALFORMED[headers.malformed]! };
    default: {
      const version = headers.network === Network.ipv4 ? 4 : 6;
      const { ip, protocol, hasPorts, sourcePort, destinationPort, fragment, tcpFlags, icmpType } = headers;
      assert.ok(hasPorts || (sourcePort === 0 && destinationPort === 0));
      assert.ok(ip >= offset && ip + (version === 4 ? 20 : 40) <= offset + caplen);
      const [at, length] = version === 4 ? [12, 8] : [8, 32];
      const addresses = Buffer.from(view.buffer, view.byteOffset + ip + at, length).toString("hex");
      const ports = hasPorts ? ([sourcePort, destinationPort] as const) : null;
      return { version, protocol, ports, fragment, tcpFlags, icmpType, addresses };
    }
  }
}

function decode(frame: Uint8Array, linkType = 1): Seen {
  const { view, offset, caplen } = asPacket({ timeUs: 0, bytes: frame }, linkType);
  return see(view, offset, caplen, linkType);
}

const IPV4_ENDS = Buffer.from(join(A4, B4)).toString("hex");
const IPV6_ENDS = Buffer.from(join(A6, B6)).toString("hex");

/** IPv4 between A4 and B4 with what differs from a packet without anything above. */
function ip4(protocol: number, more: Partial<Extract<Seen, { version: number }>> = {}): Seen {
  const none = { ports: null, fragment: Fragment.none, tcpFlags: 0, icmpType: -1 };
  return { version: 4, protocol, ...none, addresses: IPV4_ENDS, ...more };
}
function ip6(protocol: number, more: Partial<Extract<Seen, { version: number }>> = {}): Seen {
  const none = { ports: null, fragment: Fragment.none, tcpFlags: 0, icmpType: -1 };
  return { version: 6, protocol, ...none, addresses: IPV6_ENDS, ...more };
}

const SEGMENT = tcp(40_000, 6379, 0x12);
const TCP4 = ip4(6, { ports: [40_000, 6379], tcpFlags: 0x12 });
const TCP6 = ip6(6, { ports: [40_000, 6379], tcpFlags: 0x12 });

for (const linkType of IP_LINK_TYPES) {
  for (const version of [4, 6] as const) {
    const head = linkHeader(linkType, version);
    if (!head) continue;
    test(`link type ${linkType} leads to IPv${version}`, () => {
      const frame = join(head, version === 4 ? ipv4(SEGMENT) : ipv6(SEGMENT));
      assert.deepEqual(decode(frame, linkType), version === 4 ? TCP4 : TCP6);
    });
  }
}

test("link types that do not lead to IP are OTHER, whatever follows", () => {
  for (const linkType of [2, 7, 9, 105, 127, 147, 192, 9999])
    assert.equal(decode(ethernet(ipv4(SEGMENT)), linkType), "other");
});

test("NFLOG frames hold a packet among attributes of either byte order, or none", () => {
  for (const little of [true, false]) {
    assert.deepEqual(decode(join(nflogHeader(2, little), ipv4(SEGMENT)), 239), TCP4);
    assert.deepEqual(decode(join(nflogHeader(10, little), ipv6(SEGMENT)), 239), TCP6);
    // Of a bridge's hook the packet itself says what it is.
    assert.deepEqual(decode(join(nflogHeader(7, little), ipv4(SEGMENT)), 239), TCP4);
    const head = nflogHeader(2, little);
    for (let length = 0; length <= head.length; length++)
      assert.equal(decode(join(head.subarray(0, length)), 239), "other");
    assert.equal(
      decode(join(head.subarray(0, 4), new Uint8Array(40)), 239),
      "other",
      "attributes of no length",
    );
  }
});

test("IPv4 and IPv6 link types carry their own version alone", () => {
  assert.deepEqual(decode(ipv6(SEGMENT), 228), { malformed: "ip-version" });
  assert.deepEqual(decode(ipv4(SEGMENT, { options: new Uint8Array(20) }), 229), { malformed: "ip-version" });
});

test("raw IP of another version is OTHER", () => {
  for (const version of [0, 1, 5, 7, 15]) assert.equal(decode(ipv4(SEGMENT, { version }), 101), "other");
});

test("ARP and other EtherTypes", () => {
  assert.equal(decode(ethernet(arp(), 0x0806)), "arp");
  assert.equal(decode(ethernet(arp().subarray(0, 2), 0x0806)), "arp");
  for (const type of [0, 46, 1500, 0x0600, 0x8847, 0x8863, 0x8864, 0x88cc, 0x9300])
    assert.equal(decode(ethernet(ipv4(SEGMENT), type)), "other");
});

test("Linux SLL frames of netlink, radiotap and Frame Relay have no EtherType", () => {
  for (const arphrd of [824, 803, 770]) {
    const sll = linkHeader(113, 4)!.slice();
    sll.set(u16(arphrd), 2);
    assert.equal(decode(join(sll, ipv4(SEGMENT)), 113), "other");
    const sll2 = linkHeader(276, 4)!.slice();
    sll2.set(u16(arphrd), 8);
    assert.equal(decode(join(sll2, ipv4(SEGMENT)), 276), "other");
  }
});

const TPIDS = [0x8100, 0x88a8, 0x9100, 0x9200];

test("VLAN tags of all four TPIDs, alone and in any pair, lead to the packet", () => {
  for (const outer of TPIDS) {
    assert.deepEqual(decode(ethernet(vlanTag(ipv4(SEGMENT)), outer)), TCP4);
    assert.deepEqual(decode(ethernet(vlanTag(ipv6(SEGMENT), 0x86dd), outer)), TCP6);
    assert.equal(decode(ethernet(vlanTag(arp(), 0x0806), outer)), "arp");
    for (const inner of TPIDS)
      assert.deepEqual(decode(ethernet(vlanTag(vlanTag(ipv4(SEGMENT)), inner), outer)), TCP4);
  }
});

test("stacks of VLAN tags of any depth are walked, and cut ones are OTHER", () => {
  for (const depth of [3, 16, 301, 10_000]) {
    let payload = vlanTag(ipv4(SEGMENT));
    payload = join(Buffer.alloc(4 * depth, u8(0, 1, 0x81, 0)), payload);
    assert.deepEqual(decode(ethernet(payload, 0x8100)), TCP4);
    assert.equal(decode(ethernet(payload, 0x8100).subarray(0, 14 + 4 * depth)), "other");
  }
});

test("VLAN tags behind SLL and SLL2 headers are walked", () => {
  const sll = linkHeader(113, 4)!.slice();
  sll.set(u16(0x8100), 14);
  assert.deepEqual(decode(join(sll, vlanTag(ipv4(SEGMENT))), 113), TCP4);
  const sll2 = linkHeader(276, 4)!.slice();
  sll2.set(u16(0x88a8), 0);
  assert.deepEqual(decode(join(sll2, vlanTag(ipv4(SEGMENT))), 276), TCP4);
});

test("null link type: address families in either byte order, in 16 bits, or an EtherType", () => {
  const v4 = ipv4(SEGMENT);
  const v6 = ipv6(SEGMENT);
  for (const family of [u32(2, true), u32(2), join(u16(2), u16(0)), join(u16(0), u16(2, true))])
    assert.deepEqual(decode(join(family, v4), 0), TCP4, Buffer.from(family).toString("hex"));
  for (const inet6 of [10, 23, 24, 28, 30])
    for (const family of [u32(inet6, true), u32(inet6)])
      assert.deepEqual(decode(join(family, v6), 0), TCP6, Buffer.from(family).toString("hex"));
  assert.deepEqual(decode(join(u32(0x0800, true), v4), 0), TCP4);
  assert.deepEqual(decode(join(u32(0x86dd, true), v6), 0), TCP6);
  assert.equal(decode(join(u32(0x0806, true), arp()), 0), "arp");
  for (const family of [0, 1, 3, 7, 11, 1500]) {
    assert.equal(decode(join(u32(family, true), v4), 0), "other");
    assert.equal(decode(join(u32(family), v4), 0), "other");
  }
});

test("loop link type: address families in network order alone, no EtherTypes", () => {
  for (const inet6 of [10, 23, 24, 28, 30])
    assert.deepEqual(decode(join(u32(inet6), ipv6(SEGMENT)), 108), TCP6);
  for (const family of [u32(2, true), u32(0x0800), u32(0x0800, true), u32(0)])
    assert.equal(decode(join(family, ipv4(SEGMENT)), 108), "other");
});

test("the family does not vouch for the packet", () => {
  assert.deepEqual(decode(join(u32(2, true), ipv6(SEGMENT)), 0), { malformed: "ip-version" });
});

test("IPv4: options are passed over", () => {
  for (const words of [1, 5, 10])
    assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { options: new Uint8Array(words * 4).fill(1) }))), TCP4);
});

test("IPv4: a header length under 5 words, a wrong version and a total length under the header are malformed", () => {
  const malformed = (reason: string) => ({ malformed: reason });
  for (const ihl of [0, 1, 4])
    assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { ihl }))), malformed("ip-header-length"));
  for (const version of [0, 3, 5, 6, 15])
    assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { version }))), malformed("ip-version"));
  for (const totalLength of [1, 19])
    assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { totalLength }))), malformed("ip-total-length"));
  const options = new Uint8Array(4);
  assert.deepEqual(
    decode(ethernet(ipv4(SEGMENT, { options, totalLength: 23 }))),
    malformed("ip-total-length"),
  );
});

test("IPv4: a total length of 0 (segmentation offload) or beyond the frame means the frame's own", () => {
  for (const totalLength of [0, 65_535])
    assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { totalLength }))), TCP4);
});

test("IPv4: what stands behind the total length is padding, not ports, flags or a type", () => {
  const at = (totalLength: number) => decode(ethernet(ipv4(SEGMENT, { totalLength })));
  for (const totalLength of [20, 21, 23]) assert.deepEqual(at(totalLength), ip4(6));
  for (const totalLength of [24, 33]) assert.deepEqual(at(totalLength), ip4(6, { ports: [40_000, 6379] }));
  assert.deepEqual(at(34), TCP4);
  assert.deepEqual(decode(ethernet(ipv4(icmp(8), { protocol: 1, totalLength: 20 }))), ip4(1));
  assert.deepEqual(
    decode(ethernet(ipv4(icmp(8), { protocol: 1, totalLength: 21 }))),
    ip4(1, { icmpType: 8 }),
  );
});

test("IPv4: a header longer than what was captured leaves the packet IPv4, without ports", () => {
  const frame = ethernet(ipv4(SEGMENT, { ihl: 15, totalLength: 0 }));
  assert.deepEqual(decode(frame), ip4(6));
});

test("IPv4 fragments: ports stand in the first alone, however much a later one looks like it has some", () => {
  const fragment = (value: number) => decode(ethernet(ipv4(udp(80, 443), { protocol: 17, fragment: value })));
  assert.deepEqual(fragment(0x2000), ip4(17, { ports: [80, 443], fragment: Fragment.first }));
  for (const value of [0x2001, 0x0001, 0x1fff, 0x200a])
    assert.deepEqual(fragment(value), ip4(17, { fragment: Fragment.later }));
  for (const value of [0x4000, 0x8000]) assert.deepEqual(fragment(value), ip4(17, { ports: [80, 443] }));
  assert.deepEqual(
    decode(ethernet(ipv4(icmp(8), { protocol: 1, fragment: 5 }))),
    ip4(1, { fragment: Fragment.later }),
  );
  assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { fragment: 5 }))), ip4(6, { fragment: Fragment.later }));
});

test("UDP, ICMP and protocols without ports", () => {
  assert.deepEqual(
    decode(ethernet(ipv4(udp(53, 65_535), { protocol: 17 }))),
    ip4(17, { ports: [53, 65_535] }),
  );
  assert.deepEqual(decode(ethernet(ipv4(icmp(3), { protocol: 1 }))), ip4(1, { icmpType: 3 }));
  assert.deepEqual(decode(ethernet(ipv6(icmp(128), { nextHeader: 58 }), 0x86dd)), ip6(58, { icmpType: 128 }));
  for (const protocol of [2, 47, 89, 132, 136, 255])
    assert.deepEqual(decode(ethernet(ipv4(SEGMENT, { protocol }))), ip4(protocol));
});

test("IPv6: extension headers are walked in any order and number", () => {
  const chains: readonly (readonly [number, Uint8Array])[] = [
    [0, extension(6)],
    [43, extension(6, 2)],
    [60, extension(6)],
    [0, join(extension(43), extension(60, 3), extension(0), extension(6))],
    [60, join(...new Array<Uint8Array>(200).fill(extension(60)), extension(6))],
  ];
  for (const [nextHeader, chain] of chains)
    assert.deepEqual(decode(ethernet(ipv6(join(chain, SEGMENT), { nextHeader }), 0x86dd)), TCP6);
});

test("IPv6: a chain that is cut short is counted by the header that is missing", () => {
  const cut = (nextHeader: number, chain: Uint8Array) =>
    decode(ethernet(ipv6(chain, { nextHeader }), 0x86dd));
  assert.deepEqual(cut(0, u8()), ip6(0));
  assert.deepEqual(cut(0, u8(60)), ip6(0));
  assert.deepEqual(cut(0, extension(60)), ip6(60));
  assert.deepEqual(cut(44, fragmentHeader(6, 0, true).subarray(0, 7)), ip6(44));
  assert.deepEqual(cut(60, join(u8(60, 255), new Uint8Array(20))), ip6(60));
  assert.deepEqual(cut(60, join(u8(6, 255), SEGMENT)), ip6(6));
});

test("IPv6: AH, ESP, no next header, mobility and tunnels are protocols of their own", () => {
  for (const nextHeader of [4, 41, 47, 50, 51, 59, 135, 139, 140]) {
    const frame = ethernet(ipv6(join(extension(6), SEGMENT), { nextHeader }), 0x86dd);
    assert.deepEqual(decode(frame), ip6(nextHeader));
    const behind = join(extension(nextHeader), extension(6), SEGMENT);
    assert.deepEqual(decode(ethernet(ipv6(behind, { nextHeader: 0 }), 0x86dd)), ip6(nextHeader));
  }
});

test("IPv6 fragments: first, later and whole (atomic) ones, behind other headers too", () => {
  const fragment = (offset: number, more: boolean) =>
    decode(
      ethernet(
        ipv6(join(extension(44), fragmentHeader(17, offset, more), udp(1111, 53)), { nextHeader: 0 }),
        0x86dd,
      ),
    );
  assert.deepEqual(fragment(0, true), ip6(17, { ports: [1111, 53], fragment: Fragment.first }));
  assert.deepEqual(fragment(0, false), ip6(17, { ports: [1111, 53] }));
  for (const more of [true, false])
    for (const offset of [1, 8191])
      assert.deepEqual(fragment(offset, more), ip6(17, { fragment: Fragment.later }));
});

test("IPv6: extension headers of a later fragment are not its own", () => {
  const frame = ipv6(join(fragmentHeader(60, 5, false), extension(6), SEGMENT), { nextHeader: 44 });
  assert.deepEqual(decode(ethernet(frame, 0x86dd)), ip6(60, { fragment: Fragment.later }));
});

test("IPv6: what stands behind the payload length is padding; 0 (jumbogram, offload) means the frame's own", () => {
  const at = (payloadLength: number) => decode(ethernet(ipv6(SEGMENT, { payloadLength }), 0x86dd));
  assert.deepEqual(at(3), ip6(6));
  assert.deepEqual(at(4), ip6(6, { ports: [40_000, 6379] }));
  assert.deepEqual(at(14), TCP6);
  assert.deepEqual(at(65_535), TCP6);
  assert.deepEqual(at(0), TCP6);
});

test("IPv6: a wrong version or a short header is malformed", () => {
  for (const version of [0, 4, 5, 7, 15])
    assert.deepEqual(decode(ethernet(ipv6(SEGMENT, { version }), 0x86dd)), { malformed: "ip-version" });
  assert.deepEqual(decode(ethernet(ipv6(u8()), 0x86dd).subarray(0, 53)), { malformed: "ip-header-short" });
});

test("what an ICMP error quotes is not entered", () => {
  const quoted = ipv4(udp(40_000, 53), { protocol: 17, destination: u8(9, 9, 9, 9) });
  const frame = ethernet(ipv4(icmp(3, join(u32(0), quoted)), { protocol: 1 }));
  assert.deepEqual(decode(frame), ip4(1, { icmpType: 3 }));
});

test("tunnels are not entered: IPIP, 6in4, GRE, VXLAN, PPPoE, MPLS, LLC", () => {
  const inner = ipv4(tcp(1, 2), { source: u8(1, 1, 1, 1), destination: u8(2, 2, 2, 2) });
  assert.deepEqual(decode(ethernet(ipv4(inner, { protocol: 4 }))), ip4(4));
  assert.deepEqual(decode(ethernet(ipv4(ipv6(tcp(1, 2)), { protocol: 41 }))), ip4(41));
  assert.deepEqual(decode(ethernet(ipv4(join(u32(0x0800), inner), { protocol: 47 }))), ip4(47));
  const vxlan = udp(5000, 4789, join(u32(0x0800_0000), u32(0x100), ethernet(inner)));
  assert.deepEqual(decode(ethernet(ipv4(vxlan, { protocol: 17 }))), ip4(17, { ports: [5000, 4789] }));
  assert.equal(decode(ethernet(join(u8(0x11, 0), u16(1), u16(22), u16(0x21), inner), 0x8864)), "other");
  assert.equal(decode(ethernet(join(u32(0x0001_0140), inner), 0x8847)), "other");
  assert.equal(
    decode(ethernet(join(u8(0xaa, 0xaa, 3, 0, 0, 0), u16(0x0800), inner), inner.length + 8)),
    "other",
  );
});

test("frames cut at every length: OTHER, then malformed, then without ports, then whole", () => {
  const frame = ethernet(ipv4(SEGMENT));
  for (let caplen = 0; caplen <= frame.length; caplen++) {
    const seen = decode(frame.subarray(0, caplen));
    const expected =
      caplen < 14
        ? "other"
        : caplen < 34
          ? { malformed: "ip-header-short" }
          : caplen < 38
            ? ip4(6)
            : caplen < 48
              ? ip4(6, { ports: [40_000, 6379] })
              : TCP4;
    assert.deepEqual(seen, expected, `cut at ${caplen}`);
  }
});

test("a frame's headers are read from the frame alone: the one before leaves nothing behind", () => {
  const headers = new Headers();
  const frames = [
    [ethernet(ipv4(tcp(1, 2, 2))), 1],
    [ethernet(ipv4(icmp(8), { protocol: 1 })), 1],
    [ethernet(ipv4(udp(5, 6), { protocol: 17, fragment: 3 })), 1],
    [ethernet(ipv6(join(fragmentHeader(6, 0, true), SEGMENT), { nextHeader: 44 }), 0x86dd), 1],
    [ethernet(ipv6(SEGMENT), 0x86dd), 1],
    [ethernet(ipv4(SEGMENT, { ihl: 3 })), 1],
    [ethernet(arp(), 0x0806), 1],
    [u8(0x45), 101],
  ] as const;
  for (const [before] of frames) {
    for (const [frame, linkType] of frames) {
      see(new DataView(before.buffer), 0, before.length, 1, headers);
      const view = new DataView(frame.buffer);
      assert.deepEqual(see(view, 0, frame.length, linkType, headers), decode(frame, linkType));
    }
  }
});

/** Bytes that look like headers for a while: real frames with a few bytes changed, and noise. */
const arbitraryFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 120 }),
  fc
    .tuple(
      fc.constantFrom(...IP_LINK_TYPES),
      fc.constantFrom<4 | 6>(4, 6),
      fc.constantFrom(
        SEGMENT,
        udp(1, 2),
        icmp(8),
        join(extension(44), fragmentHeader(60, 0, true), extension(6)),
      ),
      fc.constantFrom(0, 6, 17, 44, 58, 60),
      fc.array(fc.tuple(fc.nat({ max: 90 }), fc.nat({ max: 255 })), { maxLength: 3 }),
      fc.nat({ max: 120 }),
    )
    .map(([linkType, version, payload, protocol, changes, caplen]) => {
      const head = linkHeader(linkType, version) ?? u8();
      const packet = version === 4 ? ipv4(payload, { protocol }) : ipv6(payload, { nextHeader: protocol });
      const frame = join(head, packet).subarray(0, caplen);
      for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
      return frame;
    }),
);

test("property: no frame of any link type throws, and bytes around it change nothing", () => {
  fc.assert(
    fc.property(
      arbitraryFrame,
      fc.oneof(fc.constantFrom(...IP_LINK_TYPES), fc.nat({ max: 300 })),
      fc.nat({ max: 70 }),
      (frame, linkType, before) => {
        const exact = see(new DataView(frame.slice().buffer), 0, frame.length, linkType);
        for (const filler of [0x00, 0x06, 0x45, 0x60, 0xff]) {
          const around = new Uint8Array(before + frame.length + 100).fill(filler);
          around.set(frame, before);
          assert.deepEqual(see(new DataView(around.buffer), before, frame.length, linkType), exact);
        }
        // A view that ends with the frame throws where anything behind it is read.
        const ending = join(text("x".repeat(before)), frame);
        assert.deepEqual(see(new DataView(ending.buffer), before, frame.length, linkType), exact);
      },
    ),
    { seed: SEED, numRuns: 2000 },
  );
});
