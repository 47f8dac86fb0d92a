/** Application protocols: conversations over TCP, and DNS datagrams. A complete conversation gives the same result in any segmentation. */
import assert from "node:assert/strict";
import type { Application } from "../analyze/app/application.js";
import { APPLICATIONS } from "../analyze/app/applications.js";
import { DnsQueries, dns } from "../analyze/app/dns/dns.js";
import { looksLikeDns } from "../analyze/app/dns/dns-message.js";
import { http } from "../analyze/app/http/http.js";
import { grpc, http2 } from "../analyze/app/http/http2.js";
import { type Operation, Operations } from "../analyze/app/operations.js";
import { postgres } from "../analyze/app/postgres/postgres.js";
import { redis } from "../analyze/app/redis/redis.js";
import { startTls } from "../analyze/app/starttls/starttls.js";
import { type FollowOptions, follow, type Said } from "../analyze/app/stream.test.fixture.js";
import { tls } from "../analyze/app/tls/tls.js";
import { join, u8, u16 } from "../capture/file/sample.test.fixture.js";
import { latin1, type Target } from "./target.fuzz.js";

/** Separates the turns of client and server. */
const TURN = "\xfe\xdc";
/** Longer conversations test nothing new. */
const MAX_TURNS = 200;

/** A byte that says how it is sent, then what is said. */
function conversation(...said: readonly string[]): Uint8Array {
  return latin1(`\x07${said.join(TURN)}`);
}

export function saidIn(bytes: Uint8Array): Said[] {
  return Buffer.from(bytes.subarray(1))
    .toString("latin1")
    .split(TURN, MAX_TURNS)
    .map((text, i): Said => ({ from: i % 2 === 0 ? "client" : "server", text, atUs: i + 1 }))
    .filter(({ text }) => text !== "");
}

/** The counts of an operation, checked for consistency. */
function countsOf(operation: Operation) {
  const { name, application, requests, answered, errors, lost, unseen, durations } = operation;
  const { requestBytes, responseBytes } = operation;
  assert.ok(answered + lost <= requests, `${answered} answered and ${lost} lost of ${requests} requests`);
  assert.ok(
    errors <= answered && unseen <= lost && durations.count <= answered,
    "parts larger than the whole",
  );
  const outcomes = [...operation.outcomes].map(([code, count]) => ({ code: String(code), count }));
  return {
    ...{ name, application, requests, answered, errors, lost, unseen, requestBytes, responseBytes, outcomes },
    durations: { count: durations.count, sumUs: durations.sumUs },
  };
}

function told(applications: readonly Application[], script: readonly Said[], options: FollowOptions) {
  const { operations, leakedBytes, ...rest } = follow(applications, script, options);
  assert.equal(leakedBytes, 0, "a closed stream holds bytes back");
  return { ...rest, operations: operations.map(countsOf) };
}

function overTcp(
  name: string,
  applications: readonly Application[],
  seeds: readonly Uint8Array[],
  words: readonly string[],
): Target {
  return {
    name,
    seeds,
    words: [...words, TURN],
    run(bytes) {
      const script = saidIn(bytes);
      const how = bytes[0] ?? 0;
      // One in eight begins before the capture: then a message is looked for where segments begin.
      const certain = (how & 7) !== 0;
      const segment = 1 + (how >> 3) * (1 + (how & 7));
      const found = told(applications, script, { certain });
      const cut = told(applications, script, { certain, segment });
      const { heldBytes: _, ...whole } = found;
      const { heldBytes: __, ...pieces } = cut;
      if (certain) assert.deepEqual(pieces, whole, `in segments of ${segment} bytes it is another result`);
      return found;
    },
  };
}

const bytes = (...all: number[]) => String.fromCharCode(...all);
const int16 = (n: number) => bytes((n >> 8) & 255, n & 255);
const int32 = (n: number) => int16(n >>> 16) + int16(n);

const HTTP = [
  conversation(
    "GET /orders/17?a=1 HTTP/1.1\r\nHost: web\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\n\r\n",
  ),
  conversation(
    "HEAD / HTTP/1.0\r\n\r\n",
    "HTTP/1.0 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nxx",
  ),
  conversation("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "xx"),
  conversation(
    "GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n",
    "GET /b HTTP/1.1\r\n\r\n",
  ),
];
const HTTP_WORDS =
  "GET |POST |HEAD |OPTIONS |CONNECT |HTTP/1.1 200 OK\r\n|HTTP/1.1 204 \r\n|HTTP/1.0 |\r\n|\r\n\r\n|Content-Length: |Transfer-Encoding: chunked\r\n|Connection: close\r\n|Upgrade: h2c\r\n|Expect: 100-continue\r\n|0\r\n\r\n|ffffffffffffffff\r\n|Host: a\r\n| \t|:|;".split(
    "|",
  );

const PROXY = [
  conversation(
    "PROXY TCP4 10.0.0.1 10.0.0.2 1234 80\r\nGET / HTTP/1.1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  ),
  conversation(
    `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c${"x".repeat(12)}GET / HTTP/1.1\r\n\r\n`,
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  ),
];
const PROXY_WORDS = [
  "PROXY TCP6 ",
  "PROXY UNKNOWN\r\n",
  "\r\n\r\n\0\r\nQUIT\n",
  "\x20\0",
  "\x21\x21",
  ...HTTP_WORDS,
];

const command = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
const REDIS = [
  conversation(
    command("HELLO", "3") + command("SET", "k", "v"),
    "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n+OK\r\n",
    command("MULTI") + command("GET", "k") + command("EXEC"),
    "+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n",
    command("SUBSCRIBE", "c"),
    "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n",
  ),
  conversation("PING\r\nGET k\r\n", "+PONG\r\n-ERR no\r\n", "CLIENT REPLY OFF\r\nPING\r\n"),
];
const REDIS_WORDS =
  "*1\r\n|$4\r\nPING\r\n|+OK\r\n|-ERR x\r\n|:1\r\n|$-1\r\n|*-1\r\n|_\r\n|#t\r\n|,1.5\r\n|(12\r\n|!3\r\nE x\r\n|=5\r\ntxt:a\r\n|%1\r\n|~2\r\n|>2\r\n|\x7c1\r\n|?\r\n|MULTI|EXEC|DISCARD|MONITOR|QUIT|RESET|SUBSCRIBE|UNSUBSCRIBE|CLIENT|REPLY|SKIP|AUTH\r\n".split(
    "|",
  );

const message = (type: string, body = "") => type + int32(body.length + 4) + body;
const start = (code: number, body = "") => int32(body.length + 8) + int32(code) + body;
const POSTGRES = [
  conversation(
    start(80_877_103),
    "N",
    start(196_608, "user\0u\0database\0d\0\0"),
    message("R", `${int32(5)}salt`),
    message("p", "md5x\0"),
    message("R", int32(0)) + message("K", int32(1) + int32(2)) + message("Z", "I"),
    message("Q", "SELECT 1; UPDATE t SET a = 'b'\0"),
    message("T", int16(0)) +
      message("D", `${int16(1)}${int32(1)}x`) +
      message("C", "SELECT 1\0") +
      message("E", "SERROR\0C42P01\0\0") +
      message("Z", "E"),
    message("P", `s\0SELECT $1\0${int16(0)}`) +
      message("B", `\0s\0${int16(0)}${int16(1)}${int32(1)}x${int16(0)}`) +
      message("D", "P\0") +
      message("E", `\0${int32(0)}`) +
      message("C", "Ss\0") +
      message("S"),
    message("1") +
      message("2") +
      message("n") +
      message("C", "SELECT 0\0") +
      message("3") +
      message("Z", "T"),
    message("Q", "COPY t FROM STDIN\0"),
    message("G", `\0${int16(0)}`),
    message("d", "x") + message("c"),
    message("C", "COPY 1\0") + message("Z", "I"),
    message("X"),
  ),
];
const POSTGRES_WORDS = [
  message("S"),
  message("H"),
  message("Z", "I"),
  message("1"),
  message("2"),
  message("n"),
  message("s"),
  message("I"),
  message("N", "\0"),
  message("A", `${int32(1)}a\0b\0`),
  message("E", "C57014\0\0"),
  message("X"),
  message("f", "\0"),
  "SELECT ",
  "BEGIN",
  "COPY ",
  ";",
  "--",
  "/*",
  "$$",
  "'",
  '"',
  start(80_877_104),
  start(80_877_102, int32(1) + int32(2)),
];

const label = (name: string) =>
  `${name
    .split(".")
    .map((part) => bytes(part.length) + part)
    .join("")}\0`;
const query = (id: number, flags = 0x0100) =>
  `${int16(id)}${int16(flags)}${int16(1)}${int16(0).repeat(3)}${label("a.example")}${int16(1)}${int16(1)}`;
const answer = (id: number, rcode = 0) => {
  const asked = query(id, 0x8180 | rcode);
  return `${asked.slice(0, 6)}${int16(1)}${asked.slice(8)}\xc0\x0c${int16(1)}${int16(1)}\0\0\0\x3c${int16(4)}\x01\x02\x03\x04`;
};
const framed = (text: string) => int16(text.length) + text;
const OPT = `\0${int16(41)}${int16(1232)}\x01\0\0\0${int16(0)}`;
const DNS_WORDS = [
  "\xc0\x0c",
  "\x3f",
  "\x40",
  "\0",
  label("b.c"),
  OPT,
  int16(28),
  int16(255),
  int16(0x8180),
  int16(0x8183),
];

const list = (text: string) => int16(text.length) + text;
const tlsRecord = (type: number, body: string) => bytes(type, 3, 1) + list(body);
const handshake = (type: number, body: string) => bytes(type, 0) + list(body);
const tlsExtension = (type: number, body: string) => int16(type) + list(body);
const hello = handshake(
  1,
  `\x03\x03${"r".repeat(32)}\0${list(int16(0x1301))}\x01\0${list(tlsExtension(0, list(`\0${list("a.example")}`)) + tlsExtension(16, list("\x02h2\x08http/1.1")) + tlsExtension(43, "\x02\x03\x04"))}`,
);
const serverHello = (version: string) =>
  handshake(2, `\x03\x03${"r".repeat(32)}\0${int16(0x1301)}\0${list(version)}`);
const TLS = [
  conversation(
    tlsRecord(22, hello),
    tlsRecord(22, serverHello(tlsExtension(43, "\x03\x04"))) +
      tlsRecord(20, "\x01") +
      tlsRecord(23, "x".repeat(30)),
    tlsRecord(20, "\x01") + tlsRecord(23, "y".repeat(20)),
  ),
  conversation(
    tlsRecord(22, hello),
    tlsRecord(
      22,
      serverHello(tlsExtension(16, list("\x02h2"))) + handshake(11, "\0\0\0") + handshake(14, ""),
    ),
    tlsRecord(22, handshake(16, "x")) + tlsRecord(20, "\x01") + tlsRecord(22, "e".repeat(40)),
    tlsRecord(20, "\x01") + tlsRecord(22, "f".repeat(40)),
  ),
  conversation(tlsRecord(22, hello), tlsRecord(21, "\x02\x28")),
  conversation("\x80\x2e\x01\x03\x01"),
];
const TLS_WORDS = [
  tlsRecord(21, "\x02\x50"),
  tlsRecord(20, "\x01"),
  tlsRecord(22, handshake(0, "")),
  "\x16\x03\x01",
  "\x17\x03\x03",
  tlsExtension(0, ""),
  tlsExtension(16, "\0\0"),
];

const START_TLS = [
  conversation(
    "",
    "220 mail ESMTP\r\n",
    "EHLO a\r\n",
    "250-mail\r\n250 STARTTLS\r\n",
    "STARTTLS\r\n",
    "220 go ahead\r\n",
    tlsRecord(22, hello),
    tlsRecord(22, serverHello(tlsExtension(43, "\x03\x04"))) + tlsRecord(20, "\x01"),
  ),
  conversation(
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
    "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0",
    tlsRecord(22, hello),
    tlsRecord(21, "\x02\x28"),
  ),
];
const START_TLS_WORDS =
  "220 |250-|AUTH TLS\r\n|234 ok\r\n|STLS\r\n|+OK\r\n|a1 STARTTLS\r\n|a1 OK\r\n|* OK IMAP4\r\n|-ERR\r\n".split(
    "|",
  );

const frame = (type: number, flags: number, body: string) =>
  `\0${list(body).slice(0, 2)}${bytes(type, flags)}\0\0\0\x01${body}`;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HTTP2 = [
  conversation(
    PREFACE + frame(4, 0, "") + frame(1, 4, `\x83\x86\x04\x03/p/\x5f\x10application/grpc`),
    frame(4, 0, "") + frame(4, 1, ""),
  ),
  conversation(PREFACE + frame(1, 0x28, `\x02\0\0\0\0\x10\x83\x86\x84xx`) + frame(9, 4, "\x40\x01a\x01b")),
];

/** By name: the protocols, whole conversations, and words of them. */
export const TCP: readonly (readonly [
  string,
  readonly Application[],
  readonly Uint8Array[],
  readonly string[],
])[] = [
  ["http", [http], HTTP, HTTP_WORDS],
  ["proxy", [tls, http], PROXY, PROXY_WORDS],
  ["redis", [redis], REDIS, REDIS_WORDS],
  ["postgres", [postgres], POSTGRES, POSTGRES_WORDS],
  [
    "dns-tcp",
    [dns],
    [conversation(framed(query(1)) + framed(query(2)), framed(answer(2, 3)) + framed(answer(1)))],
    DNS_WORDS,
  ],
  ["tls", [tls], TLS, TLS_WORDS],
  ["starttls", [tls, startTls], START_TLS, [...START_TLS_WORDS, ...TLS_WORDS]],
  [
    "http2",
    [grpc, http2, http],
    HTTP2,
    [PREFACE, frame(4, 1, ""), frame(9, 4, "x"), "\x5f\x10application/grpc"],
  ],
];

/** Datagrams: each behind its length and who sent it. */
const datagrams = (...said: readonly string[]) =>
  join(...said.map((text, i) => join(u8(i & 1), u16(text.length), latin1(text))));

const dnsUdp: Target = {
  name: "dns-udp",
  seeds: [datagrams(query(1), answer(1)), datagrams(query(7), answer(7, 3), query(8), answer(9))],
  words: DNS_WORDS,
  run(input) {
    const operations = new Operations();
    const queries = new DnsQueries(operations);
    const view = new DataView(input.buffer);
    let looks = 0;
    for (let at = 0, us = 1; at + 3 <= input.length; us++) {
      const end = Math.min(at + 3 + (view.getUint16(at + 1) & 0x3ff), input.length);
      if (looksLikeDns(view, at + 3, end)) looks++;
      queries.datagram(0, 4000, (input[at]! & 1) === 0, view, at + 3, end, us);
      at = end;
    }
    return { looks, operations: operations.list.map(countsOf), missed: operations.missed.list() };
  },
};

export const targets: readonly Target[] = [
  ...TCP.map(([name, applications, seeds, words]) => overTcp(name, applications, seeds, words)),
  overTcp(
    "applications",
    APPLICATIONS,
    TCP.flatMap(([, , seeds]) => seeds),
    TCP.flatMap(([, , , words]) => words),
  ),
  dnsUdp,
];
