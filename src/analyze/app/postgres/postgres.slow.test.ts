import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkDisorder,
  checkSkew,
  type Followed,
  type FollowOptions,
  follow,
  type Said,
} from "../stream.test.fixture.js";
import { postgres } from "./postgres.js";
import { postgresOutcome } from "./postgres-keywords.js";

const int32 = (n: number) => String.fromCharCode(...[24, 16, 8, 0].map((shift) => (n >>> shift) & 0xff));
const int16 = (n: number) => int32(n).slice(2);
const message = (type: string, body = "") => type + int32(body.length + 4) + body;
const start = (code: number, body = "") => int32(body.length + 8) + int32(code) + body;

const query = (text: string) => message("Q", `${text}\0`);
const parse = (name: string, text: string) => message("P", `${name}\0${text}\0${int16(0)}`);
const bind = (portal: string, statement: string, value = "secret") =>
  message("B", `${portal}\0${statement}\0${int16(0)}${int16(1)}${int32(value.length)}${value}${int16(0)}`);
const execute = (portal = "") => message("E", `${portal}\0${int32(0)}`);
const describe = message("D", "P\0");
const sync = message("S");

const row = (text: string) => message("D", int16(1) + int32(text.length) + text);
const complete = (tag: string) => message("C", `${tag}\0`);
const ready = message("Z", "I");
const error = (code: string) => message("E", `SERROR\0VERROR\0C${code}\0Msecret\0\0`);
const [parsed, bound, noData, empty, suspended] = ["1", "2", "n", "I", "s"].map((type) => message(type)) as [
  string,
  string,
  string,
  string,
  string,
];
const result = (n: number) => bound + row("secret") + complete(`SELECT ${n}`);

const client = (...text: string[]): Said => ({ from: "client", text: text.join("") });
const server = (...text: string[]): Said => ({ from: "server", text: text.join("") });
const LOGIN = [
  client(start(196_608, "user\0secretuser\0database\0secretdb\0\0")),
  server(message("R", `${int32(5)}salt`)),
  client(message("p", "md5secret\0")),
  server(message("R", int32(0)), message("S", "TimeZone\0UTC\0"), message("K", int32(1) + int32(2)), ready),
];

/** `SELECT 2/2 !1 ~0 42P01:1`: requests, answered, errors, lost, outcomes that are not success. */
function told({ operations }: Followed): string[] {
  return operations.map(({ name, requests, answered, errors, lost, outcomes }) => {
    const others = [...outcomes]
      .filter(([outcome]) => outcome !== 0)
      .map(([o, n]) => ` ${postgresOutcome(o)}:${n}`);
    const marks = `${errors > 0 ? ` !${errors}` : ""}${lost > 0 ? ` ~${lost}` : ""}`;
    return `${name} ${requests}/${answered}${marks}${others.join("")}`;
  });
}
const found = (script: readonly Said[], options?: FollowOptions) => told(follow([postgres], script, options));
const foundAfterLogin = (script: readonly Said[], options?: FollowOptions) =>
  found([...LOGIN, ...script], options).slice(1);

test("the first word of a statement is its operation, behind comments and parentheses; with CREATE and the like the object too", () => {
  const texts: readonly (readonly [string, string])[] = [
    ["select * from secret", "SELECT"],
    [" /* secret /* nested */ */ -- more\n ( ( SELECT 1))", "SELECT"],
    ["create unlogged table secret()", "CREATE TABLE"],
    ["CREATE OR REPLACE FUNCTION secret()", "CREATE FUNCTION"],
    ["create unique index", "CREATE INDEX"],
    ["ALTER SYSTEM SET a=1", "ALTER"],
    ["drop table secret", "DROP TABLE"],
    ["WITH secret AS (SELECT 1) SELECT 1", "WITH"],
    ["secretword 1", "(other)"],
    [" ; ", "(empty)"],
    ["", "(empty)"],
    ["/* secret", "(empty)"],
    ["selectsecret", "(other)"],
  ];
  for (const [text, name] of texts)
    assert.deepEqual(
      foundAfterLogin([client(query(text)), server(complete("X"), ready)]),
      [`${name} 1/1`],
      text,
    );
});

test("a login is one operation, with its error; encryption and cancelling are named, and no more is read", () => {
  assert.deepEqual(found(LOGIN), ["(startup) 1/1"]);
  assert.deepEqual(found([LOGIN[0]!, server(error("28P01"))]), ["(startup) 1/1 !1 28P01:1"]);
  assert.deepEqual(found([client(start(80_877_103)), server("S"), client("\x16\x03\x01")]), [
    "(encrypted) 1/1",
  ]);
  assert.deepEqual(
    found([client(start(80_877_104)), server("N"), client(start(80_877_103)), server("N"), ...LOGIN]),
    ["(startup) 1/1"],
  );
  assert.deepEqual(found([client(start(80_877_102, int32(1) + int32(2)))]), ["(cancel) 1/0 ~1"]);
});

test("a simple query counts once, however many statements it has, and fails as a whole", () => {
  assert.deepEqual(
    foundAfterLogin([
      client(query("BEGIN; SELECT 1; COMMIT")),
      server(
        complete("BEGIN"),
        message("T", int16(0)),
        row("1"),
        complete("SELECT 1"),
        complete("COMMIT"),
        ready,
      ),
      client(query("SELECT 1; SELECT secret")),
      server(row("1"), complete("SELECT 1"), error("42703"), ready),
    ]),
    ["BEGIN 1/1", "SELECT 1/1 !1 42703:1"],
  );
});

test("an execution counts under the verb of its statement, by name and by portal", () => {
  assert.deepEqual(
    foundAfterLogin([
      client(parse("secret1", "INSERT INTO secret VALUES ($1)"), message("D", "Ssecret1\0"), sync),
      server(parsed, message("t", int16(1) + int32(23)), noData, ready),
      client(bind("", "secret1"), execute(), bind("p", "secret1"), execute("p"), sync),
      server(bound, complete("INSERT 0 1"), bound, complete("INSERT 0 1"), ready),
      client(parse("", "SELECT 1"), bind("", ""), describe, execute(), sync),
      server(parsed, result(1), ready),
      client(bind("c", ""), execute("c"), sync),
      server(bound, suspended, ready),
      client(execute("c"), message("C", "Pc\0"), message("C", "Ssecret1\0"), sync),
      server(suspended, message("3"), message("3"), ready),
      client(bind("", "secret1"), execute(), sync),
      server(bound, empty, ready),
    ]),
    ["INSERT 2/2", "SELECT 3/3", "(prepared) 1/1"],
  );
});

test("after an error nothing up to Sync is executed: lost; what comes after Sync is", () => {
  const insert = [parse("", "INSERT INTO secret VALUES ($1)"), bind("", ""), execute()];
  const update = [parse("", "UPDATE secret SET a=1"), bind("", ""), execute()];
  assert.deepEqual(
    foundAfterLogin([
      client(...insert, ...update, ...update, sync, ...insert, sync),
      server(parsed, bound, complete("INSERT 0 1"), parsed, error("23505"), ready),
      server(parsed, bound, complete("INSERT 0 1"), ready),
    ]),
    ["INSERT 2/2", "UPDATE 2/1 !1 ~1 23505:1"],
  );
  assert.deepEqual(
    foundAfterLogin([
      client(...insert, message("H")),
      server(error("42P01")),
      client(...update, sync),
      server(ready),
      client(...update, sync),
      server(parsed, bound, complete("UPDATE 1"), ready),
    ]),
    ["INSERT 1/1 !1 42P01:1", "UPDATE 2/1 ~1"],
  );
});

test("a Parse that fails alone is a request of its own", () => {
  assert.deepEqual(
    foundAfterLogin([
      client(parse("a", "SELECT secret"), message("D", "Sa\0"), message("H")),
      server(error("42P01")),
      client(sync),
      server(ready),
      client(query("SHOW x")),
      server(complete("SHOW"), ready),
    ]),
    ["SELECT 1/1 !1 42P01:1", "SHOW 1/1"],
  );
});

test("what is copied is passed over, and a copy lasts up to its end", () => {
  const data = message("d", "secret\n").repeat(50);
  const { operations } = follow(
    [postgres],
    [
      ...LOGIN,
      { ...client(query("COPY secret FROM STDIN")), atUs: 1000 },
      { ...server(message("G", "\0\0\0")), atUs: 1100 },
      { ...client(data, message("c")), atUs: 1200 },
      { ...server(complete("COPY 50"), ready), atUs: 1900 },
      { ...client(query("COPY secret TO STDOUT")), atUs: 2000 },
      { ...server(message("H", "\0\0\0"), data, message("c"), complete("COPY 50"), ready), atUs: 2500 },
    ],
  );
  const copy = operations[1]!;
  assert.deepEqual([copy.name, copy.requests, copy.answered, copy.durations.sumUs], ["COPY", 2, 2, 1400]);
});

test("an execution lasts from its Bind to its end, and large rows are passed over", () => {
  const { operations, heldBytes } = follow(
    [postgres],
    [
      ...LOGIN,
      { ...client(parse("", "SELECT 1")), atUs: 1000 },
      { ...client(bind("", "")), atUs: 1010 },
      { ...client(execute(), sync), atUs: 1020 },
      { ...server(parsed, bound, row("x".repeat(100_000))), atUs: 1100 },
      { ...server(complete("SELECT 1"), ready), atUs: 1500 },
    ],
    { segment: 1448 },
  );
  assert.equal(operations[1]!.durations.sumUs, 490);
  assert.equal(heldBytes, 0);
});

test("a connection is recognised in its middle, and other protocols are not", () => {
  const midway = { certain: false };
  const turn = [
    client(query("SELECT 1")),
    server(message("T", int16(0)), row("1"), complete("SELECT 1"), ready),
  ];
  assert.deepEqual(found(turn, midway), ["SELECT 1/1"]);
  assert.deepEqual(found([turn[1]!, ...turn], midway), ["SELECT 1/1"]);
  assert.deepEqual(found([client(bind("", "s1"), execute(), sync), server(result(1), ready)], midway), [
    "(prepared) 1/1",
  ]);
  for (const text of [
    "Q",
    "HTTP/1.1 200 OK",
    "SSH-2.0-OpenSSH\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "C\0\0\0\x08abc\0",
    "D\0\0\0\x09\0\x02abc",
    "\0\0\0\x08\0\0\0\0",
  ])
    assert.equal(follow([postgres], [client(text)], midway).application, null, text);
});

/** Turns of a conversation, each of what a client sends up to Sync, and what a server answers. */
const part = fc.oneof(
  fc.tuple(
    fc.constant(query("SELECT secret")),
    fc.string().map((text) => row(text) + complete("SELECT 1") + ready),
  ),
  fc.constant([query("UPDATE secret SET a=1"), error("40001") + ready] as const),
  fc.constant([
    parse("", "DELETE FROM secret") + bind("", "") + describe + execute() + sync,
    `${parsed}${bound}${noData}${complete("DELETE 0")}${ready}`,
  ] as const),
  fc.constant([
    parse("", "INSERT INTO secret") + bind("", "") + execute() + bind("", "") + execute() + sync,
    `${parsed}${bound}${error("23505")}${ready}`,
  ] as const),
);
const conversation = fc
  .array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 8 })
  .map((turns) => [
    ...LOGIN,
    ...turns.flatMap((turn) => [
      client(...turn.map(([asked]) => asked)),
      server(...turn.map(([, said]) => said)),
    ]),
  ]);

test("how a stream is cut into segments changes nothing, and nothing of a query, name or value is told", () => {
  fc.assert(
    fc.property(conversation, fc.integer({ min: 1, max: 50 }), (script, segment) => {
      const whole = found(script);
      assert.deepEqual(found(script, { segment }), whole);
      assert.doesNotMatch(whole.join(), /secret/i);
      assert.equal(follow([postgres], script).open, 0);
    }),
  );
});

test("taps whose clocks differ change nothing, whichever is ahead", () => checkSkew(conversation, found));

test("in what order segments come, and how often, changes nothing", () => checkDisorder(conversation, found));

test("segments that are missing make answers fewer, never wrong", () => {
  const own = [
    [query("SELECT 1"), complete("SELECT 1") + ready],
    [query("UPDATE a"), error("40001") + ready],
    [parse("", "INSERT") + bind("", "") + execute() + sync, parsed + error("23505") + ready],
    [query("DELETE"), error("42P01") + ready],
  ] as const;
  const right = new Map([
    ["(startup)", "00000"],
    ["SELECT", "00000"],
    ["UPDATE", "40001"],
    ["INSERT", "23505"],
    ["DELETE", "42P01"],
  ]);
  const turns = fc.array(fc.constantFrom(...own), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(turns, fc.array(fc.nat(60), { maxLength: 6 }), (list, missing) => {
      const script = [...LOGIN, ...list.flatMap(([asked, said]) => [client(asked), server(said)])];
      const { operations } = follow([postgres], script, { missing: new Set(missing.map((n) => n + 4)) });
      for (const { name, outcomes, requests, answered, lost } of operations) {
        assert.ok(answered + lost <= requests, name);
        for (const outcome of outcomes.keys())
          if (name !== "(prepared)") assert.equal(postgresOutcome(outcome), right.get(name), name);
      }
    }),
    { numRuns: 1000 },
  );
});

test("random bytes do no harm", () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((list) => String.fromCharCode(...list));
  const type = fc.constantFrom(..."QPBEDCSHXpdcfFRKTZ123nIstAGWV");
  const shaped = fc
    .array(
      fc.tuple(type, bytes).map(([letter, body]) => message(letter, body)),
      { maxLength: 8 },
    )
    .map((list) => list.join(""));
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          from: fc.constantFrom("client" as const, "server" as const),
          text: fc.oneof(bytes, shaped),
        }),
      ),
      fc.boolean(),
      (script, certain) => {
        const { operations } = follow([postgres], [...LOGIN, ...script], { certain });
        for (const { requests, answered, lost } of operations) assert.ok(answered + lost <= requests);
      },
    ),
  );
});

test("a pipeline of any depth: each execution has its answer, and what follows is read on", () => {
  const many = 20_000;
  const asked = `${parse("i", "INSERT INTO t VALUES ($1)")}${(bind("", "i") + execute()).repeat(many)}${sync}`;
  const done = (bound + complete("INSERT 0 1")).repeat(many - 1);
  const script = [
    client(asked),
    server(parsed, done, error("23505"), ready),
    client(query("SELECT 1")),
    server(row("1"), complete("SELECT 1"), ready),
  ];
  for (const segment of [1448, 65_000])
    assert.deepEqual(foundAfterLogin(script, { segment, room: 100_000 }), [
      `INSERT ${many}/${many} !1 23505:1`,
      "SELECT 1/1",
    ]);
});

test("where there is no room for a pipeline, what came of it is unknown and counted, and later queries are joined", () => {
  const many = 5000;
  const asked = `${parse("i", "INSERT INTO t VALUES ($1)")}${(bind("", "i") + execute()).repeat(many)}${sync}`;
  const run = follow(
    [postgres],
    [
      ...LOGIN,
      client(asked),
      server(parsed, (bound + complete("INSERT 0 1")).repeat(many), ready),
      ...Array.from({ length: 6 }, () => [
        client(query("SELECT 1")),
        server(complete("SELECT 1"), ready),
      ]).flat(),
    ],
    { room: 1000 },
  );
  const insert = run.operations.find(({ name }) => name === "INSERT")!;
  assert.deepEqual([insert.requests, insert.errors], [many, 0]);
  assert.equal(insert.unseen + insert.answered, many);
  assert.ok(insert.unseen > 0);
  assert.ok(run.missed.some(({ reason, count }) => reason === "request without room" && count > 0));
  assert.ok(run.operations.find(({ name }) => name === "SELECT")!.answered > 0);
});

test("a message of an unknown type is passed over by its length and counted", () => {
  for (const segment of [1, 9, 1000]) {
    const run = follow(
      [postgres],
      [
        ...LOGIN,
        client(message("y", "new\0"), query("SELECT 1")),
        server(message("q", "x".repeat(100)), row("1"), complete("SELECT 1"), ready),
      ],
      { segment },
    );
    assert.deepEqual(told(run).slice(1), ["SELECT 1/1"]);
    assert.deepEqual(run.missed, [{ application: "postgres", reason: "unreadable message", count: 2 }]);
  }
});

test("behind bytes that are no message the next one is found, wherever it begins", () => {
  const garbage = "\xff\xfe?!\x07 not a message ".repeat(20);
  for (const segment of [1, 10, 1000]) {
    const run = follow(
      [postgres],
      [
        ...LOGIN,
        client(garbage, query("SELECT 1")),
        server(garbage, row("1"), complete("SELECT 1"), ready),
        ...Array.from({ length: 5 }, () => [
          client(query("DELETE FROM t")),
          server(complete("DELETE 1"), ready),
        ]).flat(),
      ],
      { segment },
    );
    const [, select, remove] = run.operations;
    assert.deepEqual([select!.name, select!.requests, remove!.requests], ["SELECT", 1, 5], `${segment}`);
    assert.ok(remove!.answered > 0);
    assert.deepEqual(
      run.missed.filter(({ reason }) => reason === "unreadable message").map(({ count }) => count),
      [2],
    );
  }
});

test("statements beyond those remembered are (prepared), and counted", () => {
  const names = Array.from({ length: 1100 }, (_, i) => `s${i}`);
  const run = follow(
    [postgres],
    [
      ...LOGIN,
      client(...names.map((name) => parse(name, "SELECT 1")), sync),
      server(parsed.repeat(names.length), ready),
      client(bind("", "s1"), execute(), bind("", "s1099"), execute(), sync),
      server(result(1), result(1), ready),
    ],
    { room: 10_000 },
  );
  assert.deepEqual(told(run).slice(1), ["SELECT 1/1", "(prepared) 1/1"]);
  assert.deepEqual(run.missed, [
    { application: "postgres", reason: "prepared statement without room", count: 76 },
  ]);
});

test("a statement's first word is looked for in 1,024 bytes of its message, in one segment too", () => {
  const named = (comment: number, segment: number) =>
    foundAfterLogin(
      [client(query(`/*${"x".repeat(comment)}*/SELECT 1`)), server(complete("SELECT 1"), ready)],
      {
        segment,
      },
    );
  for (const segment of [100, 1400, 65_000]) {
    assert.deepEqual(named(1008, segment), ["SELECT 1/1"]);
    assert.deepEqual(named(1100, segment), ["(empty) 1/1"]);
  }
});

test("a message of an unknown type is passed over and counted with the next, if it has up to 64 KiB", () => {
  const run = (bytes: number) => {
    const script = [...LOGIN, client(message("y", "x".repeat(bytes - 4)), query("SELECT 1"))];
    const { operations, missed } = follow([postgres], [...script, server(complete("SELECT 1"), ready)]);
    const { requestBytes } = operations.find(({ name }) => name === "SELECT")!;
    return [requestBytes, ...missed.map(({ reason, count }) => `${count} ${reason}`)];
  };
  assert.deepEqual(run(65_536), [65_537 + 15 + 14, "1 unreadable message"]);
  assert.deepEqual(run(65_537), [14, "1 unreadable message"]);
});
