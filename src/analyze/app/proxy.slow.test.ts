import assert from "node:assert/strict";
import { test } from "node:test";
import { APPLICATIONS } from "./applications.js";
import { type FollowOptions, follow, type Said } from "./stream.test.fixture.js";

/** A header of version 2: LOCAL or PROXY, a family, and what follows. */
const version2 = (command: 0 | 1, family: number, rest: string): string =>
  `\r\n\r\n\0\r\nQUIT\n${String.fromCharCode(0x20 | command, family, rest.length >> 8, rest.length & 0xff)}${rest}`;
const IPV4 = "\x0a\0\0\x01\x0a\0\0\x02\x1f\x90\0\x50";
const tlv = (length: number): string =>
  `\x04${String.fromCharCode(length >> 8, length & 0xff)}${"\0".repeat(length)}`;

const HEADERS = {
  "version 1, TCP4": "PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\r\n",
  "version 1, TCP6": `PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`,
  "version 1, UNKNOWN": "PROXY UNKNOWN\r\n",
  "version 1, UNKNOWN with more": `PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`,
  "version 2, PROXY": version2(1, 0x11, IPV4),
  "version 2, LOCAL": version2(0, 0, ""),
  "version 2, fields of 60,000 bytes": version2(1, 0x11, IPV4 + tlv(60_000)),
  "two proxies": `PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\r\n${version2(1, 0x11, IPV4)}`,
};

const pg = (type: string, body: string): string =>
  `${type}\0\0\0${String.fromCharCode(body.length + 4)}${body}`;
const PROTOCOLS: Readonly<Record<string, readonly [request: string, response: string, found: string]>> = {
  http: ["\r\nGET /x HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET /x 1/1"],
  redis: ["*1\r\n$4\r\nPING\r\n", "+PONG\r\n", "PING 1/1"],
  "redis, in a line": ["PING\r\n", "+PONG\r\n", "PING 1/1"],
  postgres: [pg("", "\0\x03\0\0user\0a\0\0"), pg("R", "\0\0\0\0") + pg("Z", "I"), "(startup) 1/1"],
};

function found(script: readonly Said[], options: FollowOptions): readonly string[] {
  const { operations, gaps, leakedBytes } = follow(APPLICATIONS, script, options);
  assert.deepEqual([gaps, leakedBytes], [0, 0]);
  return operations.map((of) => `${of.name} ${of.requests}/${of.answered}`);
}

for (const [name, header] of Object.entries(HEADERS))
  test(`before any protocol a proxy's header is passed over, however it is cut: ${name}`, () => {
    for (const [request, response, line] of Object.values(PROTOCOLS))
      for (const segment of [1, 5, 15, 40, 1448, 100_000]) {
        const script: Said[] = [
          { from: "client", text: header + request },
          { from: "server", text: response },
        ];
        assert.deepEqual(found(script, { segment }), [line], `segments of ${segment}`);
        const apart: Said[] = [
          { from: "client", text: header },
          { from: "client", text: request },
          { from: "server", text: response },
        ];
        assert.deepEqual(found(apart, { segment }), [line], `apart, segments of ${segment}`);
      }
  });

test("what only begins like a proxy's header is what it is", () => {
  for (const text of [
    "PROXY / HTTP/1.1\r\n\r\n",
    "PROXY TCP4 HTTP/1.1\r\n\r\n",
    "PROXY http://x/ HTTP/1.0\r\n\r\n",
  ])
    assert.equal(found([{ from: "client", text }], {}).length, text.includes("TCP4") ? 0 : 1, text);
});
