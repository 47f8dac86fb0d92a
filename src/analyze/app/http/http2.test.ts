import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type FollowOptions, follow, type Said } from "../stream.test.fixture.js";
import { http } from "./http.js";
import { grpc, http2 } from "./http2.js";

const bytes = (...all: number[]): string => String.fromCharCode(...all);
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const frame = (type: number, flags: number, stream: number, body: string): string =>
  bytes(0, body.length >> 8, body.length & 255, type, flags, 0, 0, 0, stream) + body;
const SETTINGS = frame(4, 0, 0, "");
/** `:method: POST`, `:scheme: http`, and the path as a literal. */
const PSEUDO = `${bytes(0x83, 0x86, 0x04, 3)}/p/`;

/** What Node's http2 client sends (in Huffman's code) for a POST with and without `content-type: application/grpc`. */
const NODE_GRPC = Buffer.from(
  "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a000000040000000000000031010400000001048862beb32fbbb918d183418b089d5c0b8170dc680cb8ff865f8b1d75d0620d263d4c4d656440027465864d833505b11f000000000100000001",
  "hex",
).toString("latin1");
const NODE_HTTP2 = Buffer.from(
  "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000000400000000000000130105000000018482418b089d5c0b8170dc69a75a7f867a0178",
  "hex",
).toString("latin1");

function nameOf(script: readonly Said[], options: FollowOptions = {}): string | null {
  const found = follow([grpc, http2, http], script, options);
  assert.deepEqual(found.operations, []);
  assert.equal(found.leakedBytes, 0);
  return found.application;
}

const client = (text: string): Said => ({ from: "client", text });
const server = (text: string): Said => ({ from: "server", text });

test("gRPC is told from HTTP/2 by the content type of the first request, in however many segments it comes", () => {
  for (const segment of [1, 10, 1000]) {
    assert.equal(nameOf([client(NODE_GRPC)], { segment }), "grpc");
    assert.equal(nameOf([client(NODE_HTTP2)], { segment }), "http2");
  }
});

test("the content type may be sent plainly, never indexed, under a name of its own, padded, with a priority", () => {
  const value = (text: string): string => bytes(text.length) + text;
  const fields: readonly (readonly [string, number, string])[] = [
    [`${bytes(0x5f)}${value("application/grpc+proto")}`, 4, "grpc"],
    [`${bytes(0x0f, 0x10)}${value("application/grpc")}`, 4, "grpc"],
    [`${bytes(0x1f, 0x10)}${value("application/grpc")}`, 4, "grpc"],
    [`${bytes(0x5f)}${value("application/json")}`, 4, "http2"],
    [`${bytes(0x10)}${value("x-note")}${value("application/grpc")}`, 4, "http2"],
    [`${bytes(0x5f)}${value("application/grp")}`, 4, "http2"],
  ];
  for (const [field, flags, name] of fields) {
    assert.equal(nameOf([client(PREFACE + SETTINGS + frame(1, flags, 1, PSEUDO + field))]), name, field);
    const padded = `${bytes(2, 0, 0, 0, 0, 16)}${PSEUDO}${field}xx`;
    assert.equal(nameOf([client(PREFACE + frame(1, flags | 0x28, 1, padded))]), name);
  }
});

test("the server's settings may come before the client's first request", () => {
  const script = [
    client(PREFACE + SETTINGS),
    server(SETTINGS + frame(4, 1, 0, "")),
    client(NODE_GRPC.slice(33)),
  ];
  assert.equal(nameOf(script), "grpc");
});

test("a client that sends much and no request is called HTTP/2; one that sends only the preface is not called yet", () => {
  assert.equal(nameOf([client(PREFACE + frame(0, 0, 1, "x".repeat(5000)))]), "http2");
  assert.equal(nameOf([client(PREFACE)]), null);
});

test("what is no preface is left to others", () => {
  assert.equal(nameOf([client("PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n")]), null);
  assert.equal(nameOf([client("PUT / HTTP/1.1\r\nContent-Length: 1")]), "http");
});

test("property: any bytes behind the preface do no harm", () => {
  const noise = fc.uint8Array({ maxLength: 300 }).map((all) => String.fromCharCode(...all));
  const starts = fc.constantFrom(PREFACE, PREFACE + bytes(0, 0, 40, 1, 4, 0, 0, 0, 1), bytes(0, 0, 6, 4), "");
  fc.assert(
    fc.property(
      starts,
      noise,
      fc.integer({ min: 1, max: 99 }),
      fc.boolean(),
      (start, text, segment, certain) => {
        nameOf([server(start + text), client(start + text)], { segment, certain });
      },
    ),
    { numRuns: 300 },
  );
});
