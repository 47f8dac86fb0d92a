import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addressRequest,
  decodeAddress,
  decodeLink,
  decodeNamespaceNumber,
  linkRequest,
  namespaceRequest,
} from "./rtnetlink.js";

/** An attribute: length, type, value, filled up to four bytes. */
function attribute(type: number, value: readonly number[] | string): number[] {
  const bytes = typeof value === "string" ? [...Buffer.from(`${value}\0`)] : value;
  const length = bytes.length + 4;
  return [
    length & 255,
    length >> 8,
    type & 255,
    type >> 8,
    ...bytes,
    ...new Array((4 - (length % 4)) % 4).fill(0),
  ];
}

const word = (n: number) => [...new Uint8Array(Int32Array.of(n).buffer)];
const viewOf = (bytes: readonly number[]) => new DataView(Uint8Array.from(bytes).buffer);

/** struct ifinfomsg: family, pad, type, index, flags, change. */
function linkMessage(index: number, flags: number, ...attributes: number[][]): DataView {
  return viewOf([0, 0, 1, 0, ...word(index), ...word(flags), ...word(0), ...attributes.flat()]);
}

test("a port of a bridge whose other end is in another namespace", () => {
  const counters = new BigUint64Array([1n, 2n, 3n, 2n ** 33n, 0n, 0n, 7n, 8n]);
  const view = linkMessage(
    12,
    0x1_0103,
    attribute(3, "$(touch x)\x1b[31m"),
    attribute(4, word(1500)),
    attribute(5, word(2)),
    attribute(10, word(7)),
    attribute(18 | 0x8000, [...attribute(1, "veth"), ...attribute(4, "bridge")]),
    attribute(23, [...new Uint8Array(counters.buffer)]),
    attribute(30, word(1)),
    attribute(37, word(0)),
  );
  assert.deepEqual(decodeLink(view, 0, view.byteLength), {
    index: 12,
    name: "$(touch x)\x1b[31m",
    kind: "veth",
    up: true,
    carrier: true,
    promiscuous: true,
    mtu: 1500,
    master: 7,
    isBridgePort: true,
    peer: 2,
    peerNamespace: 0,
    counters: {
      receivedPackets: 1,
      sentPackets: 2,
      receivedBytes: 3,
      sentBytes: 2 ** 33,
      receivedDropped: 7,
      sentDropped: 8,
    },
  });
});

test("addresses: one's own and not the other end's; IPv6; no IP is none", () => {
  const header = (family: number) => [family, 24, 0, 0, ...word(5)];
  const cache = attribute(6, [...word(-1), ...word(-1), ...word(4711), ...word(4712)]);
  const v4 = viewOf([...header(2), ...attribute(1, [10, 0, 0, 9]), ...attribute(2, [10, 0, 0, 7]), ...cache]);
  const { address, ...rest } = decodeAddress(v4, 0, v4.byteLength)!;
  assert.deepEqual([...address], [10, 0, 0, 7]);
  assert.deepEqual(rest, { link: 5, text: "10.0.0.7", prefix: 24, setAtCs: 4711 });
  const v6 = viewOf([...header(10), ...attribute(1, [0xfd, ...new Array(14).fill(0), 1])]);
  assert.equal(decodeAddress(v6, 0, v6.byteLength)?.text, "fd00::1");
  assert.equal(decodeAddress(v6, 0, v6.byteLength)?.setAtCs, null);
  const other = viewOf([...header(7), ...attribute(1, [1, 2, 3, 4])]);
  assert.equal(decodeAddress(other, 0, other.byteLength), null);
});

test("a namespace's number; none is null", () => {
  for (const [said, expected] of [
    [19, 19],
    [0, 0],
    [-1, null],
  ] as const) {
    const view = viewOf([0, 0, 0, 0, ...attribute(1, word(said))]);
    assert.equal(decodeNamespaceNumber(view, 0, view.byteLength), expected);
  }
});

test("requests are as long as their structs, and name another namespace in an attribute", () => {
  assert.equal(linkRequest(null).length, 16);
  assert.equal(addressRequest(null).length, 8);
  assert.deepEqual([...linkRequest(3)].slice(16), attribute(46, word(3)));
  assert.deepEqual([...addressRequest(0)].slice(8), attribute(10, word(0)));
  assert.deepEqual([...namespaceRequest(9)].slice(4), attribute(3, word(9)));
});

test("no bytes make a decoder throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, start) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (const decode of [decodeLink, decodeAddress, decodeNamespaceNumber])
        decode(view, Math.min(start, bytes.length), bytes.length);
    }),
    { numRuns: 2000 },
  );
});
