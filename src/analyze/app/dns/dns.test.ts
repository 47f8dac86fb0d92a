import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Looks } from "../application.js";
import { type Operation, Operations } from "../operations.js";
import { follow, type Said } from "../stream.test.fixture.js";
import { DnsQueries, dns } from "./dns.js";
import { dnsOutcome, looksLikeDns } from "./dns-message.js";

const int16 = (n: number) => String.fromCharCode((n >>> 8) & 0xff, n & 0xff);
const nameOf = (name: string) =>
  `${name
    .split(".")
    .map((label) => String.fromCharCode(label.length) + label)
    .join("")}\0`;
const [A, AAAA, ANY] = [1, 28, 255];

interface Question {
  readonly id?: number;
  readonly name?: string;
  readonly type?: number;
}

function query({ id = 1, name = "secret.example", type = A }: Question = {}, flags = 0x0100): string {
  return `${int16(id)}${int16(flags)}${int16(1)}${int16(0).repeat(3)}${nameOf(name)}${int16(type)}${int16(1)}`;
}
function answer(question: Question = {}, rcode = 0): string {
  const asked = query(question, 0x8180 | rcode);
  return `${asked.slice(0, 6)}${int16(1)}${asked.slice(8)}\xc0\x0c${int16(question.type ?? A)}${int16(1)}\0\0\0\x3c${int16(4)}\x01\x02\x03\x04`;
}
function viewOf(text: string): DataView {
  return new DataView(Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
}

function told(operations: readonly Operation[]): string[] {
  return operations.map(({ name, requests, answered, errors, lost, outcomes }) => {
    const others = [...outcomes]
      .filter(([outcome]) => outcome !== 0)
      .map(([o, n]) => ` ${dnsOutcome(o)}:${n}`);
    return `${name} ${requests}/${answered}${errors > 0 ? ` !${errors}` : ""}${lost > 0 ? ` ~${lost}` : ""}${others.join("")}`;
  });
}

/** Datagrams of one channel: of its client from `port`, or of its server to it. */
function udp() {
  const operations = new Operations();
  const queries = new DnsQueries(operations);
  let nowUs = 0;
  return {
    queries,
    operations: operations.list,
    client: (text: string, { port = 40_000, channel = 0, atUs = nowUs + 1 } = {}) => {
      nowUs = atUs;
      queries.datagram(channel, port, true, viewOf(text), 0, text.length, nowUs);
    },
    server: (text: string, { port = 40_000, channel = 0, atUs = nowUs + 1 } = {}) => {
      nowUs = atUs;
      queries.datagram(channel, port, false, viewOf(text), 0, text.length, nowUs);
    },
  };
}

test("queries and answers are joined by id, port, channel and question, in any order", () => {
  const { client, server, operations, queries } = udp();
  client(query({ id: 1 }));
  client(query({ id: 1, type: AAAA }));
  client(query({ id: 1 }), { port: 40_001 });
  client(query({ id: 1 }), { channel: 1 });
  server(answer({ id: 1, type: AAAA }, 3));
  server(answer({ id: 1 }, 2), { channel: 1 });
  server(answer({ id: 2 }));
  server(answer({ id: 1, name: "other.example" }));
  assert.deepEqual(told(operations), ["A 2/0", "AAAA 1/1 NXDOMAIN:1", "A 1/1 !1 SERVFAIL:1"]);
  assert.equal(queries.open, 2);
});

test("a query sent again counts again, and the answer is of the first", () => {
  const { client, server, operations } = udp();
  client(query(), { atUs: 1000 });
  client(query(), { atUs: 6000 });
  server(answer(), { atUs: 6100 });
  assert.deepEqual(told(operations), ["A 2/1"]);
  assert.equal(operations[0]!.durations.sumUs, 5100);
});

test("an answer without a question is matched by its id, one without a query is skipped", () => {
  const { client, server, operations } = udp();
  server(answer({ id: 0 }));
  client(query({ id: 5 }));
  server(`${int16(5)}${int16(0x8181)}${"\0".repeat(8)}`);
  assert.deepEqual(told(operations), ["A 1/1 !1 FORMERR:1"]);
});

test("types without a name are numbered, other opcodes are the operation", () => {
  const { client, operations } = udp();
  client(query({ type: 65_280 }));
  client(query({ type: ANY }));
  client(query({ type: 6 }, 0x2800));
  assert.deepEqual(told(operations), ["TYPE65280 1/0", "ANY 1/0", "UPDATE 1/0"]);
});

test("what waits is bounded: the oldest is forgotten, as lost if it is young and unanswered if not", () => {
  const { client, operations, queries } = udp();
  for (let i = 0; i < 20_000; i++) client(query({ id: i & 0xffff }), { atUs: i });
  assert.deepEqual([queries.open, operations[0]!.requests, operations[0]!.lost], [16_384, 20_000, 3616]);
  client(query({ id: 20_000 }), { atUs: 60_000_000 });
  assert.deepEqual([queries.open, operations[0]!.lost], [16_384, 3616]);
  for (let i = 0; i < 1000; i++) client(query({ id: 7 }), { port: 9, atUs: 60_000_001 });
  assert.ok(queries.open <= 16_384);
});

test("all that is joined at once is found again, whatever the order", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(0xffff), { maxLength: 300 }),
      fc.infiniteStream(fc.nat(1000)),
      (ids, order) => {
        const { client, server, operations, queries } = udp();
        for (const id of ids) client(query({ id }));
        const shuffled = ids
          .map((id) => [order.next().value as number, id] as const)
          .sort(([a], [b]) => a - b);
        for (const [, id] of shuffled) server(answer({ id }));
        assert.equal(queries.open, 0);
        assert.equal(operations[0]?.answered ?? 0, ids.length);
      },
    ),
  );
});

test("only what is plainly DNS looks like it", () => {
  const looks = (text: string) => looksLikeDns(viewOf(text), 0, text.length);
  assert.equal(looks(query()), Looks.request);
  assert.equal(looks(answer()), Looks.response);
  assert.equal(looks(query({ name: "_ldap._tcp.secret" })), Looks.request);
  assert.equal(looks(query({ name: "a\x01b.caf\xe9.\xff\0\x80" })), Looks.request, "labels of any octet");
  for (const bit of [0x0040, 0x0020, 0x0010])
    assert.equal(looks(query({}, 0x0100 | bit)), Looks.request, "Z, AD and CD say nothing of the form");
  assert.equal(looks(`${int16(5)}${int16(0x8181)}${"\0".repeat(8)}`), Looks.response);
  const no = {
    "a query with an rcode": query({}, 0x0103),
    "two questions":
      query().replace("\x01\0\0", "\x02\0\0").slice(0, 5) + query().slice(5).replace("\x01", "\x02"),
    "bytes behind": `${query()}x`,
    "a pointer as the question's name": `${query().slice(0, 12)}\xc0\x0c${int16(1)}${int16(1)}`,
    "a name without end": query().slice(0, 20),
    "a class that does not exist": `${query().slice(0, -2)}${int16(77)}`,
    "a name of NetBIOS": query({ name: "EJFDEBFEEBFACACACACACACACACACAAA", type: 32 }),
    "a head alone": query().slice(0, 12),
    nothing: "",
  };
  for (const [what, text] of Object.entries(no)) assert.equal(looks(text), Looks.no, what);
});

test("random bytes rarely look like DNS, and hostile names do no harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, isHead) => {
      const text = (isHead ? query().slice(0, 12) : "") + String.fromCharCode(...bytes);
      const { client, server, operations } = udp();
      looksLikeDns(viewOf(text), 0, text.length);
      dns.transports.tcp!.looks(viewOf(`${text}..`), 0, text.length + 2, true);
      client(text);
      server(text);
      for (const { name } of operations) assert.match(name, /^[A-Z0-9()a-z-]+$/);
    }),
  );
});

/** A message with an OPT record behind its other records, `upper` its part of the response code. */
function withOpt(message: string, upper = 0): string {
  const counts = `${message.slice(0, 10)}${int16(1)}${message.slice(12)}`;
  return `${counts}\0${int16(41)}${int16(1232)}${String.fromCharCode(upper)}\0\0\0${int16(0)}`;
}

test("names compare without case, over UDP and TCP, and other bytes than letters do not", () => {
  const { client, server, operations } = udp();
  client(query({ name: "SeCrEt.ExAmPlE" }));
  server(answer({ name: "secret.example" }));
  client(query({ id: 2, name: "a@b.example" }));
  server(answer({ id: 2, name: "a`b.example" }));
  assert.deepEqual(told(operations), ["A 2/1"]);
  const over = follow(
    [dns],
    [
      { from: "client", text: framed(query({ name: "SECRET.example" })) },
      { from: "server", text: framed(answer({ name: "secret.EXAMPLE" })) },
    ],
  );
  assert.deepEqual(told(over.operations), ["A 1/1"]);
});

test("a response code has its upper bits in the OPT record, wherever the additional records hold it", () => {
  const { client, server, operations } = udp();
  const codes = [
    ["BADVERS", 0, 1],
    ["BADCOOKIE", 7, 1],
    ["YXRRSET", 7, 0],
    ["RCODE4095", 15, 255],
  ] as const;
  for (const [i, [, lower, upper]] of codes.entries()) {
    client(withOpt(query({ id: i })));
    server(withOpt(answer({ id: i }, lower), upper));
  }
  assert.deepEqual(told(operations), [`A 4/4 !4${codes.map(([word]) => ` ${word}:1`).join("")}`]);
});

test("over TCP the OPT record is waited for, however the stream is cut", () => {
  const message = withOpt(answer({}, 7), 1);
  for (const piece of [1, 7, 1000]) {
    const answers = framed(message).match(new RegExp(`[^]{1,${piece}}`, "g"))!;
    const over = follow(
      [dns],
      [
        { from: "client", text: framed(withOpt(query())) },
        ...answers.map((text) => ({ from: "server", text }) as const),
      ],
    );
    assert.deepEqual(told(over.operations), ["A 1/1 !1 BADCOOKIE:1"]);
  }
});

const framed = (text: string) => int16(text.length) + text;

test("over TCP answers come in any order, and how the stream is cut changes nothing", () => {
  const script: Said[] = [
    { from: "client", text: framed(query({ id: 1 })) + framed(query({ id: 2, type: AAAA })) },
    { from: "server", text: framed(answer({ id: 2, type: AAAA })) + framed(answer({ id: 1 }, 5)) },
    { from: "client", text: framed(query({ id: 3, type: 252 })) },
    { from: "server", text: framed(answer({ id: 3, type: 252 })) + framed(answer({ id: 3, type: 252 })) },
  ];
  for (const segment of [1, 2, 3, 17, 1000])
    for (const certain of segment > 30 ? [true, false] : [true]) {
      const { operations, open, heldBytes } = follow([dns], script, { segment, certain });
      assert.deepEqual(told(operations), ["A 1/1 !1 REFUSED:1", "AAAA 1/1", "AXFR 1/1"]);
      assert.deepEqual([open, heldBytes], [0, 0]);
    }
});

test("no name is told", () => {
  const { client, operations } = udp();
  client(query({ name: "secret.example" }));
  assert.doesNotMatch(JSON.stringify(operations), /secret|example/);
});
