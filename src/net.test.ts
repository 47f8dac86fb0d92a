import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { SEED } from "./capture/file/sample.test.fixture.js";
import {
  cidrContains,
  formatAddress,
  formatIpv4,
  formatIpv6,
  parseAddress,
  parseCidr,
  protocolName,
} from "./net.js";

const RUNS = { seed: SEED, numRuns: 1000 };

/** IPv6 addresses with runs of zeros, as real ones have. */
const arbitraryIpv6 = fc
  .array(fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])));
const arbitraryIpv4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const arbitraryAddress = fc.oneof(arbitraryIpv4, arbitraryIpv6);

test("property: an address survives being formatted and parsed, and node:net takes the text", () => {
  fc.assert(
    fc.property(arbitraryAddress, (bytes) => {
      const text = formatAddress(bytes);
      assert.equal(isIP(text), bytes.length === 4 ? 4 : 6);
      assert.deepEqual(parseAddress(text), bytes);
    }),
    RUNS,
  );
});

test("property: IPv6 text is the canonical form that URL gives", () => {
  fc.assert(
    fc.property(arbitraryIpv6, (bytes) => {
      const written = bytes.reduce(
        (text, byte, i) => text + (i % 2 === 0 && i > 0 ? ":" : "") + byte.toString(16).padStart(2, "0"),
        "",
      );
      const canonical = new URL(`http://[${written}]`).hostname.slice(1, -1);
      fc.pre(!canonical.startsWith("::ffff:")); // URL writes IPv4-mapped addresses without dots
      assert.equal(formatAddress(bytes), canonical);
      assert.deepEqual(parseAddress(written), bytes);
      assert.deepEqual(parseAddress(written.toUpperCase()), bytes);
    }),
    RUNS,
  );
});

test("IPv6 text follows RFC 5952", () => {
  const cases: readonly (readonly [readonly [number, number, number, number], string])[] = [
    [[0, 0, 0, 0], "::"],
    [[0, 0, 0, 1], "::1"],
    [[0x0001_0000, 0, 0, 0], "1::"],
    [[0x2001_0db8, 0, 0x0001_0000, 1], "2001:db8::1:0:0:1"],
    [[0x2001_0db8, 0, 1, 1], "2001:db8::1:0:1"],
    [[0x2001_0db8, 0x0000_0001, 0x0001_0001, 0x0001_0001], "2001:db8:0:1:1:1:1:1"],
    [[0, 0, 0xffff, 0x0a00_0001], "::ffff:10.0.0.1"],
    [[0, 0, 0xffff | 0, -1], "::ffff:255.255.255.255"],
    [[-1, -1, -1, -1], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ];
  for (const [words, text] of cases) assert.equal(formatIpv6(...words), text);
});

test("IPv4 text of words with and without the top bit", () => {
  assert.equal(formatIpv4(0), "0.0.0.0");
  assert.equal(formatIpv4(-1), "255.255.255.255");
  assert.equal(formatIpv4(0x0a00_0001), "10.0.0.1");
  assert.equal(formatIpv4(0xc0a8_0001 | 0), "192.168.0.1");
});

const ADDRESSES = ["0.0.0.0", "255.255.255.255", "::", "::1", "1::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"];
const MORE_ADDRESSES = ["::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "64:ff9b::192.0.2.33", "fe80::A:b"];

test("addresses that node:net takes are taken", () => {
  for (const text of [...ADDRESSES, ...MORE_ADDRESSES]) {
    assert.ok(isIP(text) > 0);
    assert.equal(parseAddress(text)?.length, isIP(text) === 4 ? 4 : 16, text);
  }
  assert.equal(formatAddress(parseAddress("64:ff9b::192.0.2.33")!), "64:ff9b::c000:221");
});

const NOT_ADDRESSES = [
  ...[
    "",
    " ",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "1.2.3.256",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.-4",
    "a.b.c.d",
  ],
  ...[":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", ":1", "1:", "::1%eth0"],
  ...[
    "::1.2.3",
    "::1.2.3.256",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::ffff:1.2.3.4.5",
    "1:2:3:4:5:6:7:8::",
  ],
  ...["0x1.2.3.4", "1e1.2.3.4", "１.2.3.4", "::0x1", "+1::"],
];

test("what is no address is refused", () => {
  for (const text of NOT_ADDRESSES) {
    assert.equal(isIP(text.replace(/%.*/, "x")), 0, text);
    assert.equal(parseAddress(text), null, text);
  }
});

test("property: no text crashes the parsers, and what they take node:net takes, octets with zeros in front aside", () => {
  const pieces = fc.constantFrom(":", "::", ".", "0", "1", "ffff", "255", "256", "/", "32", "129", "x");
  const texts = fc.array(pieces, { maxLength: 16 }).map((all) => all.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      parseCidr(text);
      const canonical = text.replace(/\b0+(?=\d+(\.|$))/g, "");
      assert.equal(parseAddress(text) !== null, isIP(canonical) !== 0);
    }),
    { seed: SEED, numRuns: 3000 },
  );
});

test("property: a block holds exactly the addresses whose first bits are its own", () => {
  const bits = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  fc.assert(
    fc.property(
      arbitraryAddress,
      fc.nat({ max: 128 }),
      fc.nat({ max: 127 }),
      arbitraryAddress,
      (network, size, flipped, other) => {
        const prefix = size % (network.length * 8 + 1);
        const cidr = parseCidr(`${formatAddress(network)}/${prefix}`)!;
        assert.equal(cidr.prefix, prefix);
        const near = network.slice();
        near[(flipped >> 3) % near.length]! ^= 0x80 >> (flipped & 7);
        for (const address of [network, near, other]) {
          const same = address.length === network.length;
          const expected = same && bits(address).slice(0, prefix) === bits(network).slice(0, prefix);
          assert.equal(cidrContains(cidr, address), expected);
        }
      },
    ),
    RUNS,
  );
});

test("what is no block is refused", () => {
  for (const text of [
    "",
    "/",
    "10.0.0.0",
    "10.0.0.0/",
    "/8",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/8/8",
    "10.0.0.0/-1",
  ])
    assert.equal(parseCidr(text), null, text);
  for (const text of ["10.0.0.0/1e1", "10.0.0.0/ 8", "10.0.0/8", "x/8", "10.0.0.0/0008"])
    assert.equal(parseCidr(text), null, text);
});

test("protocol names: the usual ones, ICMP only in its own family, numbers for the rest", () => {
  const cases: readonly (readonly [number, 4 | 6, string])[] = [
    [6, 4, "TCP"],
    [6, 6, "TCP"],
    [17, 6, "UDP"],
    [1, 4, "ICMP"],
    [1, 6, "IP-1"],
    [58, 6, "ICMPv6"],
    [58, 4, "IP-58"],
    [0, 4, "HOPOPT"],
    [47, 4, "GRE"],
    [50, 6, "ESP"],
    [132, 4, "SCTP"],
    [200, 4, "IP-200"],
    [255, 6, "IP-255"],
  ];
  for (const [protocol, version, name] of cases) assert.equal(protocolName(protocol, version), name);
});

test("every protocol number has one name, and no two share one in a family", () => {
  for (const version of [4, 6] as const) {
    const names = Array.from({ length: 256 }, (_, protocol) => protocolName(protocol, version));
    assert.equal(new Set(names).size, 256);
  }
});
