import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Followed, type FollowOptions, follow, type Said } from "../stream.test.fixture.js";
import { tls } from "./tls.js";
import { tlsOutcome } from "./tls-outcome.js";

const bytes = (...all: number[]): string => String.fromCharCode(...all);
const u16 = (value: number): string => bytes(value >> 8, value & 255);
const list = (text: string): string => u16(text.length) + text;
const extension = (type: number, body: string): string => u16(type) + list(body);
const record = (type: number, body: string): string => bytes(type, 3, 1) + list(body);
const message = (type: number, body: string): string => bytes(type, 0) + u16(body.length) + body;

const sni = (host: string): string => extension(0, list(bytes(0) + list(host)));
const alpn = (...names: string[]): string =>
  extension(16, list(names.map((name) => bytes(name.length) + name).join("")));
const RANDOM = "r".repeat(32);
const RETRY = `${bytes(0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11)}${"r".repeat(24)}`;

function clientHello(...extensions: string[]): string {
  return message(
    1,
    `${u16(0x0303)}${RANDOM}${bytes(0)}${list(u16(0x1301))}${bytes(1, 0)}${list(extensions.join(""))}`,
  );
}

function serverHello(version: number, random: string, ...extensions: string[]): string {
  return message(
    2,
    `${u16(version)}${random}${bytes(0)}${u16(0x1301)}${bytes(0)}${list(extensions.join(""))}`,
  );
}

const TLS13 = extension(43, u16(0x0304));
const CHANGE = record(20, bytes(1));
const alert = (level: number, description: number): string => record(21, bytes(level, description));

const client = (text: string, atUs: number): Said => ({ from: "client", text, atUs });
const server = (text: string, atUs: number): Said => ({ from: "server", text, atUs });

function run(script: readonly Said[], options: FollowOptions = {}): Followed {
  return follow([tls], script, options);
}

/** `name requests/answered errors version alpn alert`, of each outcome. */
function lines(script: readonly Said[], options: FollowOptions = {}): readonly string[] {
  return run(script, options).operations.map((of) => {
    const outcomes = [...of.outcomes.keys()].map((outcome) => {
      const { version, alpn: protocol, alert: description } = tlsOutcome(outcome);
      return `${version} ${protocol} ${description}`;
    });
    return [`${of.name} ${of.requests}/${of.answered} ${of.errors}`, ...outcomes].join(" | ");
  });
}

test("TLS 1.3: name, version, the only protocol offered, and the time between the hellos", () => {
  const script = [
    client(record(22, clientHello(sni("Shop.Example."), alpn("h2"))), 100),
    server(record(22, serverHello(0x0303, RANDOM, TLS13)), 700),
  ];
  assert.deepEqual(lines(script), ["shop.example 1/1 0 | TLS 1.3 h2 null"]);
  assert.equal(run(script).operations[0]!.durations.quantileUs(0.5), 600);
});

test("TLS 1.3: what of several protocols was chosen is encrypted, so it is not known", () => {
  const script = [
    client(record(22, clientHello(sni("a"), alpn("h2", "http/1.1"))), 100),
    server(record(22, serverHello(0x0303, RANDOM, TLS13)), 700),
  ];
  assert.deepEqual(lines(script), ["a 1/1 0 | TLS 1.3 null null"]);
});

test("TLS 1.2: the protocol chosen; one of an unknown name is (other)", () => {
  for (const [chosen, said] of [
    ["http/1.1", "http/1.1"],
    ["secret-protocol", "(other)"],
  ] as const) {
    const script = [
      client(record(22, clientHello(sni("a"), alpn("h2", chosen))), 100),
      server(record(22, serverHello(0x0303, RANDOM, alpn(chosen)) + message(11, "certificate")), 200),
    ];
    assert.deepEqual(lines(script), [`a 1/1 0 | TLS 1.2 ${said} null`]);
  }
});

test("HelloRetryRequest is no answer: the hello after it is", () => {
  const script = [
    client(record(22, clientHello(sni("a"))), 100),
    server(record(22, serverHello(0x0303, RETRY, TLS13)) + CHANGE, 200),
    client(CHANGE + record(22, clientHello(sni("a"))), 300),
    server(record(22, serverHello(0x0303, RANDOM, TLS13)), 450),
  ];
  assert.deepEqual(lines(script), ["a 1/1 0 | TLS 1.3 null null"]);
  assert.equal(run(script).operations[0]!.durations.quantileUs(1), 350);
});

test("an alert before the handshake's end is an error: the server's refusal, and the client's after the server's hello", () => {
  const hello = client(record(22, clientHello(sni("a"))), 100);
  assert.deepEqual(lines([hello, server(alert(2, 40), 200)]), ["a 1/1 1 | null null handshake_failure"]);
  assert.deepEqual(lines([hello, server(alert(1, 112) + alert(2, 70), 200)]), [
    "a 1/1 1 | null null protocol_version",
  ]);
  const answer = server(
    record(22, serverHello(0x0303, RANDOM)) + record(22, message(11, "c".repeat(900))),
    200,
  );
  const refused = run([hello, answer, client(alert(2, 48), 300)]).operations[0]!;
  assert.deepEqual([refused.errors, refused.failingSinceUs], [1, 300]);
  assert.deepEqual([...refused.outcomes.keys()].map(tlsOutcome), [
    { version: "TLS 1.2", alpn: null, alert: null },
    { version: null, alpn: null, alert: "unknown_ca" },
  ]);
  const encrypted = record(21, "x".repeat(24));
  assert.deepEqual(lines([hello, answer, client(record(22, message(16, "key")) + CHANGE + encrypted, 300)]), [
    "a 1/1 0 | TLS 1.2 null null",
  ]);
});

test("a hello may be cut into records of any length", () => {
  const whole = clientHello(sni("shop.example"), alpn("h2"));
  for (const size of [1, 3, 5, 40]) {
    let cut = "";
    for (let at = 0; at < whole.length; at += size) cut += record(22, whole.slice(at, at + size));
    const script = [client(cut, 100), server(record(22, serverHello(0x0303, RANDOM, TLS13)), 200)];
    for (const segment of [1, 7, 10_000])
      assert.deepEqual(
        lines(script, { segment }),
        ["shop.example 1/1 0 | TLS 1.3 h2 null"],
        `records of ${size}`,
      );
  }
});

test("a hello in SSL 2.0's form has no name; one whose lengths do not add up is none", () => {
  const body = bytes(1, 3, 1) + u16(6) + u16(0) + u16(16) + "c".repeat(6 + 16);
  const old = bytes(0x80, body.length) + body;
  assert.deepEqual(lines([client(old, 1), server(record(22, serverHello(0x0301, RANDOM)), 2)]), [
    "(no name) 1/1 0 | TLS 1.0 null null",
  ]);
  assert.equal(run([client(bytes(0x80, body.length + 1) + body, 1)]).application, null);
});

test("a host that no host can be called is (no name); of a long one the end is kept", () => {
  for (const host of [
    "",
    "a b",
    "secret\u0000",
    "caf\u00e9",
    "<script>",
    "a/secret",
    "\u001b[31m",
    "a:443",
  ]) {
    const [of] = run([client(record(22, clientHello(sni(host))), 1)]).operations;
    assert.equal(of!.name, "(no name)", host);
  }
  const [of] = run([client(record(22, clientHello(sni(`${"x".repeat(150)}.shop.example`))), 1)]).operations;
  assert.equal(of!.name.length, 80);
  assert.ok(of!.name.endsWith(".shop.example"));
});

test("draft and unknown versions are said as they are", () => {
  const version = (number: number): string => extension(43, u16(number));
  for (const [number, said] of [
    [0x7f1c, "TLS 1.3 draft 28"],
    [0x0302, "TLS 1.1"],
    [0x0405, "0x405"],
  ] as const) {
    const script = [
      client(record(22, clientHello(sni("a"))), 1),
      server(record(22, serverHello(0x0303, RANDOM, version(number))), 2),
    ];
    assert.deepEqual(lines(script), [`a 1/1 0 | ${said} null null`]);
  }
});

test("what is encrypted, or no TLS, is not recognised", () => {
  for (const text of [
    record(23, "data"),
    "\u0016\u0002\u0001\u0000\u0005\u0001",
    record(22, message(4, "")),
    "GET /",
  ])
    assert.equal(run([client(text, 1)]).application, null);
});

test("property: any bytes behind the beginning of a hello, in any segments, do no harm and name no odd host", () => {
  const noise = fc.uint8Array({ maxLength: 200 }).map((all) => String.fromCharCode(...all));
  const starts = fc.constantFrom(
    "",
    bytes(22, 3, 1, 0, 100, 1),
    bytes(22, 3, 1, 0, 100, 1, 0, 0, 90),
    record(22, clientHello(sni("a")).slice(0, 60)),
    record(22, serverHello(0x0303, RANDOM, TLS13).slice(0, 44)),
  );
  const said = fc.record({
    from: fc.constantFrom("client" as const, "server" as const),
    text: fc.tuple(starts, noise).map((parts) => parts.join("")),
  });
  fc.assert(
    fc.property(
      fc.array(said, { maxLength: 4 }),
      fc.integer({ min: 1, max: 300 }),
      fc.boolean(),
      (all, segment, certain) => {
        const found = run(all, { segment, certain });
        assert.equal(found.leakedBytes, 0);
        for (const { name } of found.operations) assert.match(name, /^[a-z0-9._-]+$|^\(no name\)$/);
      },
    ),
    { numRuns: 500 },
  );
});
