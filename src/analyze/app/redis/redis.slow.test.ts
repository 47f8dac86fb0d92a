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
import { redis } from "./redis.js";
import { redisOutcome } from "./redis-keywords.js";

/** A command as clients send it. */
function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}
const client = (...commands: string[][]): Said => ({
  from: "client",
  text: commands.map((words) => command(...words)).join(""),
});
const server = (...replies: string[]): Said => ({ from: "server", text: replies.join("") });
const OK = "+OK\r\n";
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

/** `GET 2/2 !1 ~0 MOVED:1`: requests, answered, errors, lost, outcomes that are not OK. */
function told({ operations }: Followed): string[] {
  return operations.map(({ name, requests, answered, errors, lost, outcomes }) => {
    const others = [...outcomes]
      .filter(([outcome]) => outcome !== 0)
      .map(([o, n]) => ` ${redisOutcome(o)}:${n}`);
    const marks = `${errors > 0 ? ` !${errors}` : ""}${lost > 0 ? ` ~${lost}` : ""}`;
    return `${name} ${requests}/${answered}${marks}${others.join("")}`;
  });
}
const found = (script: readonly Said[], options?: FollowOptions) => told(follow([redis], script, options));

test("a command is an operation, in capitals and with the second word where it is a container's; an unknown one is (other)", () => {
  assert.deepEqual(
    found([
      client(["get", "k"], ["CONFIG", "get", "maxmemory"], ["client", "NOSUCH"], ["FT.SEARCH", "idx", "q"]),
      server(
        bulk("v"),
        "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n",
        "-ERR unknown subcommand\r\n",
        "*1\r\n:0\r\n",
      ),
    ]),
    ["GET 1/1", "CONFIG GET 1/1", "CLIENT 1/1 !1 ERR:1", "(other) 1/1"],
  );
});

test("an error's outcome is its first word", () => {
  const errors = [
    "-WRONGTYPE Operation against\r\n",
    "-MOVED 3999 127.0.0.1:6381\r\n",
    "-MYOWN\r\n",
    "!10\r\nNOAUTH abc\r\n",
  ];
  assert.deepEqual(
    found([client(["GET", "a"], ["GET", "b"], ["GET", "c"], ["GET", "d"]), server(...errors)]),
    ["GET 4/4 !4 WRONGTYPE:1 MOVED:1 (other):1 NOAUTH:1"],
  );
});

test("every type of RESP3 is one answer, however deep", () => {
  const replies = [
    "+OK\r\n",
    ":-5\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "_\r\n",
    "#t\r\n",
    ",-1.5e10\r\n",
    "(3492890328409238509324850943850943825024385\r\n",
    "=16\r\ntxt:Some\r\nstring\r\n",
    "%2\r\n$1\r\na\r\n*2\r\n:1\r\n~1\r\n#f\r\n+b\r\n%0\r\n",
    "|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n",
    "*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n:2\r\n",
    "$?\r\n;4\r\nHell\r\n;2\r\no!\r\n;0\r\n",
    "*?\r\n:1\r\n*0\r\n.\r\n",
    "*0\r\n",
    "$0\r\n\r\n",
  ];
  const script = [client(...replies.map(() => ["GET", "k"]), ["PING"]), server(...replies, "+PONG\r\n")];
  for (const segment of [undefined, 1, 2, 3, 7])
    assert.deepEqual(found(script, segment === undefined ? {} : { segment }), [
      `GET ${replies.length}/${replies.length}`,
      "PING 1/1",
    ]);
});

test("what is pushed answers nothing", () => {
  assert.deepEqual(
    found([
      client(["HELLO", "3"]),
      server("%1\r\n+server\r\n+redis\r\n"),
      client(["GET", "k"]),
      server(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", bulk("v")),
    ]),
    ["HELLO 1/1", "GET 1/1"],
  );
});

const channel = (kind: string, name: string, n: number) => `*3\r\n${bulk(kind)}${bulk(name)}:${n}\r\n`;
const message = `*3\r\n${bulk("message")}${bulk("a")}${bulk("secret")}`;

test("a subscription is answered once, whatever the number of channels, and messages answer nothing", () => {
  const script = [
    client(["SUBSCRIBE", "a", "b"], ["PSUBSCRIBE", "c*"]),
    server(
      channel("subscribe", "a", 1),
      channel("subscribe", "b", 2),
      message,
      channel("psubscribe", "c*", 3),
      message,
    ),
    client(["PING"]),
    server(message, "*2\r\n$4\r\npong\r\n$0\r\n\r\n", message),
    client(["UNSUBSCRIBE"]),
    server(channel("unsubscribe", "a", 2), channel("unsubscribe", "b", 1)),
    client(["PUNSUBSCRIBE", "c*"]),
    server(channel("punsubscribe", "c*", 0)),
    client(["GET", "k"]),
    server(bulk("v")),
  ];
  const expected = [
    "SUBSCRIBE 1/1",
    "PSUBSCRIBE 1/1",
    "PING 1/1",
    "UNSUBSCRIBE 1/1",
    "PUNSUBSCRIBE 1/1",
    "GET 1/1",
  ];
  assert.deepEqual(found(script), expected);
  const pushed = script.map((said) =>
    said.from === "client" ? said : { ...said, text: said.text.replaceAll("*3\r\n", ">3\r\n") },
  );
  assert.deepEqual(found(pushed), expected);
});

test("MONITOR's lines answer nothing", () => {
  assert.deepEqual(
    found([
      client(["MONITOR"]),
      server(OK, '+1339518083.107412 [0 127.0.0.1:60866] "get" "secret"\r\n'),
      client(["PING"]),
      server('+1339518083.2 [0 x] "ping"\r\n', "+PONG\r\n"),
    ]),
    ["MONITOR 1/1", "PING 1/1"],
  );
});

test("a transaction: QUEUED is an outcome, and EXEC has one answer", () => {
  assert.deepEqual(
    found([
      client(["MULTI"], ["SET", "k", "v"], ["INCR", "k"], ["EXEC"]),
      server(OK, "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n+OK\r\n-ERR value is not an integer\r\n"),
    ]),
    ["MULTI 1/1", "SET 1/1 QUEUED:1", "INCR 1/1 QUEUED:1", "EXEC 1/1"],
  );
});

test("what CLIENT REPLY silences waits for no answer and counts as lost", () => {
  assert.deepEqual(
    found([
      client(["CLIENT", "REPLY", "SKIP"], ["SET", "a", "1"], ["GET", "a"]),
      server(bulk("1")),
      client(
        ["CLIENT", "REPLY", "OFF"],
        ["SET", "b", "1"],
        ["SET", "c", "1"],
        ["CLIENT", "REPLY", "ON"],
        ["DEL", "a"],
      ),
      server(OK, ":1\r\n"),
    ]),
    ["CLIENT REPLY 3/1 ~2", "SET 3/0 ~3", "GET 1/1", "DEL 1/1"],
  );
});

test("a replica's connection is followed up to the copy", () => {
  const copy = "+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 0\r\n$4\r\nREDI*1\r\n$4\r\nPING\r\n";
  assert.deepEqual(
    found([
      client(["PING"]),
      server("+PONG\r\n"),
      client(["PSYNC", "?", "-1"]),
      server("\n\n", copy),
      client(["REPLCONF", "ACK", "0"]),
    ]),
    ["PING 1/1", "PSYNC 1/1"],
  );
  assert.deepEqual(found([client(["SYNC"]), server("\n", "$4\r\nREDI"), server(command("SET", "k", "v"))]), [
    "SYNC 1/1",
  ]);
});

test("inline commands count where the server answers in RESP, and not where it is another's protocol", () => {
  assert.deepEqual(found([{ from: "client", text: "PING\r\nset k v\n" }, server("+PONG\r\n", OK)]), [
    "PING 1/1",
    "SET 1/1",
  ]);
  assert.deepEqual(
    found([
      { from: "client", text: "CLIENT REPLY SKIP\r\nSET a 1\r\nMONITOR\r\nGET a\r\n" },
      server(OK, '+1.2 [0 x] "get" "a"\r\n', "$1\r\n1\r\n"),
    ]),
    ["CLIENT REPLY 1/0 ~1", "SET 1/0 ~1", "MONITOR 1/1", "GET 1/1"],
  );
  assert.deepEqual(
    found([
      { from: "client", text: "get k\r\n" },
      { from: "server", text: "VALUE k 0 1\r\nx\r\nEND\r\n" },
    ]),
    [],
  );
  assert.deepEqual(
    found([{ from: "client", text: "SET k v\r\nINCR k\r\n".repeat(50) }, server(`${OK}:1\r\n`.repeat(50))]),
    ["SET 50/50", "INCR 50/50"],
  );
  assert.equal(follow([redis], [{ from: "client", text: "GET / HTTP/1.1" }]).application, null);
  for (const segment of [1, 100]) {
    const script: readonly Said[] = [
      { from: "client", text: "PING\n" },
      { from: "server", text: ",P" },
    ];
    assert.deepEqual(follow([redis], script, { segment }).operations, [], `in segments of ${segment} bytes`);
  }
});

test("a large value is passed over unseen, and the answer lasts up to its last byte", () => {
  const size = 200_000;
  const { operations, heldBytes } = follow(
    [redis],
    [
      { ...client(["SET", "k", "x".repeat(size)]), atUs: 100 },
      { ...server(OK), atUs: 150 },
      { ...client(["GET", "k"]), atUs: 1000 },
      { from: "server", text: `$${size}\r\n${"x".repeat(size)}`, atUs: 1500 },
      { from: "server", text: "\r\n", atUs: 1700 },
    ],
    { segment: 1448 },
  );
  assert.deepEqual(
    operations.map(({ name, requestBytes, responseBytes, durations }) => [
      name,
      requestBytes,
      responseBytes,
      durations.maxUs,
    ]),
    [
      ["SET", size + 31, 5, 50],
      ["GET", 20, size + 11, 700],
    ],
  );
  assert.equal(heldBytes, 0);
});

test("segments of any size follow one that ends within a message", () => {
  const reply = `*2\r\n${bulk("x".repeat(20))}${bulk("y".repeat(70_000))}`;
  const script = [
    client(["LRANGE", "k", "0", "-1"], ["PING"]),
    server(reply.slice(0, 6)),
    server(reply.slice(6), "+PONG\r\n"),
  ];
  assert.deepEqual(found(script), ["LRANGE 1/1", "PING 1/1"]);
  const list = `*9000\r\n${bulk("item").repeat(9000)}`;
  assert.deepEqual(
    found([
      client(["LRANGE", "k", "0", "-1"], ["PING"]),
      server(list.slice(0, 11)),
      server(list.slice(11), "+PO"),
      server("NG\r\n"),
    ]),
    ["LRANGE 1/1", "PING 1/1"],
  );
  const set = command("SET", "k", "x".repeat(40_000));
  assert.deepEqual(
    found([{ from: "client", text: set.slice(0, 3) }, { from: "client", text: set.slice(3) }, server(OK)]),
    ["SET 1/1"],
  );
});

test("a connection is recognised in its middle by either side, and other protocols are not", () => {
  const midway = { certain: false };
  assert.deepEqual(
    found(
      [server(bulk("v")), client(["GET", "a"]), server(bulk("v")), client(["GET", "b"]), server(bulk("v"))],
      midway,
    ),
    ["GET 2/2"],
  );
  for (const text of [
    "+OK POP3 ready\r\n",
    "*ABC\r\n",
    "$x\r\n",
    "250 OK\r\n",
    ":server 001 nick\r\n",
    "-----BEGIN\r\n",
    "*3\r\nab\r\n",
  ])
    assert.equal(follow([redis], [{ from: "server", text }], midway).application, null, text);
});

/** Commands with their answers, and how many go ahead. */
const exchange = fc.oneof(
  fc.tuple(
    fc.constant(["GET", "secretkey"]),
    fc.string().map((text) => bulk(text)),
  ),
  fc.tuple(fc.constant(["SET", "secretkey", "secretvalue\r\n$5\r\n*1\r\n"]), fc.constant(OK)),
  fc.tuple(fc.constant(["LRANGE", "secretkey", "0", "-1"]), fc.constant("*2\r\n$3\r\nGET\r\n*1\r\n:7\r\n")),
  fc.tuple(fc.constant(["AUTH", "secretuser", "secretpass"]), fc.constant("-WRONGPASS invalid\r\n")),
  fc.tuple(fc.constant(["secretcommand", "x"]), fc.constant("-ERR unknown command\r\n")),
  fc.tuple(fc.constant(["HGETALL", "secretkey"]), fc.constant("%1\r\n+a\r\n,1.5\r\n")),
);
const conversation = fc
  .array(fc.array(exchange, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 })
  .map((turns) =>
    turns.flatMap((turn) => [
      client(...turn.map(([words]) => [...words])),
      server(...turn.map(([, reply]) => reply)),
    ]),
  );

test("how a stream is cut into segments changes nothing, and nothing of a key or value is told", () => {
  fc.assert(
    fc.property(conversation, fc.integer({ min: 1, max: 40 }), (script, segment) => {
      const whole = found(script);
      assert.deepEqual(found(script, { segment }), whole);
      assert.doesNotMatch(whole.join(), /secret/);
      assert.equal(follow([redis], script).open, 0);
    }),
  );
});

test("taps whose clocks differ change nothing, whichever is ahead", () => checkSkew(conversation, found));

test("in what order segments come, and how often, changes nothing", () => checkDisorder(conversation, found));

test("segments that are missing make answers fewer, never wrong", () => {
  // Each command has an outcome of its own, so that a wrong match shows; the first turn shows that the client sends ahead.
  const own = [
    [["GET", "a"], bulk("x")],
    [["AUTH", "a"], "-WRONGPASS x\r\n"],
    [["SET", "a"], "-OOM x\r\n"],
    [["DEL", "a"], "-READONLY x\r\n"],
    [["EVALSHA", "a"], "-NOSCRIPT x\r\n"],
  ] as const;
  const right = new Map([
    ["GET", "OK"],
    ["AUTH", "WRONGPASS"],
    ["SET", "OOM"],
    ["DEL", "READONLY"],
    ["EVALSHA", "NOSCRIPT"],
  ]);
  const item = fc.constantFrom(...own);
  const turns = fc.array(fc.array(item, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(turns, fc.array(fc.nat(60), { maxLength: 6 }), fc.boolean(), (list, missing, isSplit) => {
      const script = [[own[0], own[1]], ...list].flatMap((turn) =>
        isSplit
          ? [...turn.map(([words]) => client([...words])), ...turn.map(([, reply]) => server(reply))]
          : [client(...turn.map(([words]) => [...words])), server(...turn.map(([, reply]) => reply))],
      );
      const { operations } = follow([redis], script, { missing: new Set(missing.map((n) => n + 2)) });
      for (const { name, outcomes, requests, answered, lost } of operations) {
        assert.ok(answered + lost <= requests);
        for (const outcome of outcomes.keys()) assert.equal(redisOutcome(outcome), right.get(name));
      }
    }),
    { numRuns: 1000 },
  );
});

test("random bytes do no harm, and hold back little", () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((list) => String.fromCharCode(...list));
  const shaped = fc
    .array(
      fc.constantFrom("*", "$", "1", "3", "-", "\r\n", "GET", ">", "|", "%", "+", "?", ";", ".", "999"),
      { maxLength: 60 },
    )
    .map((parts) => parts.join(""));
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
        const { operations } = follow([redis], [client(["PING"]), ...script], { certain });
        for (const { requests, answered, lost } of operations) assert.ok(answered + lost <= requests);
      },
    ),
  );
});

test("however many commands are sent ahead, in pieces of any size, each has its answer", () => {
  const many = 20_000;
  const ask = client(...Array.from({ length: many }, (_, i) => [i % 2 === 0 ? "SET" : "INCR", `k${i}`, "v"]));
  const answers = server(...Array.from({ length: many }, (_, i) => (i % 4 === 0 ? "-READONLY no\r\n" : OK)));
  for (const segment of [1448, 65_000])
    assert.deepEqual(told(follow([redis], [ask, answers], { segment, room: many * 2 })), [
      `SET ${many / 2}/${many / 2} !${many / 4} READONLY:${many / 4}`,
      `INCR ${many / 2}/${many / 2}`,
    ]);
});

test("a subscription to more channels than fit a byte does not take the next one's confirmation", () => {
  const channels = Array.from({ length: 1000 }, (_, i) => `c${i}`);
  const confirmed = (name: string) =>
    channels.map((of, i) => `*3\r\n${bulk(name)}${bulk(of)}:${i}\r\n`).join("");
  assert.deepEqual(
    found([
      client(["SUBSCRIBE", ...channels], ["PSUBSCRIBE", ...channels], ["PING"]),
      server(confirmed("subscribe")),
      server(confirmed("psubscribe"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
    ]),
    ["SUBSCRIBE 1/1", "PSUBSCRIBE 1/1", "PING 1/1"],
  );
});

test("an inline command of 60,000 bytes, and a reply nested 1,000 deep, are read", () => {
  const deep = `${"*1\r\n".repeat(1000)}:1\r\n`;
  for (const segment of [100, 1448, 100_000])
    assert.deepEqual(
      found(
        [
          { from: "client", text: `PING\r\nSET key ${"v".repeat(60_000)}\r\nGET key\r\n` },
          server("+PONG\r\n", OK, bulk("v".repeat(60_000))),
          client(["EVAL", "x"]),
          server(deep),
          client(["PING"]),
          server("+PONG\r\n"),
        ],
        { segment },
      ),
      ["PING 2/2", "SET 1/1", "GET 1/1", "EVAL 1/1"],
    );
});

test("what cannot be read is missed and counted, and the next command that can be told is read", () => {
  for (const segment of [1, 7, 1000]) {
    const run = follow(
      [redis],
      [
        client(["PING"]),
        server("+PONG\r\n"),
        { from: "client", text: `*2\r\n$3\r\nGET\r\n?oops\r\n${command("GET", "a")}` },
        server("^what\r\n", "-ERR Protocol error\r\n"),
        client(["SET", "a", "b"]),
        server(OK),
        ...Array.from({ length: 5 }, () => [client(["GET", "b"]), server("$1\r\nx\r\n")]).flat(),
      ],
      { segment },
    );
    assert.deepEqual(
      run.missed,
      [{ application: "redis", reason: "unreadable message", count: 2 }],
      `${segment}`,
    );
    const counts = run.operations.map(({ name, requests }) => `${name} ${requests}`);
    assert.deepEqual(counts, ["PING 1", "GET 6", "SET 1"], `${segment}`);
    for (const of of run.operations) assert.equal(of.errors, 0);
    assert.ok(run.operations[1]!.answered > 0);
  }
});

test("arrays in each other are followed 4,096 deep; a deeper one is unreadable", () => {
  const answered = (depth: number) => {
    const { operations, missed } = follow([redis], [client(["PING"]), server("*1\r\n".repeat(depth), OK)]);
    return [operations.map(({ answered }) => answered), missed.map(({ reason }) => reason)];
  };
  assert.deepEqual(answered(4096), [[1], []]);
  assert.deepEqual(answered(4097), [[0], ["unreadable message"]]);
});

test("behind what cannot be read a mebibyte is looked through, in whatever segments it comes", () => {
  const run = (bytes: number, segment: number) => {
    const junk = "?".repeat(1023).concat("\n").repeat(1024).slice(0, bytes);
    const script = [
      client(["PING"]),
      server(OK),
      { ...client(), text: `*1\r\n!${junk}\n${command("GET", "k")}` },
    ];
    const { operations, missed } = follow([redis], script, { segment });
    return [operations.map(({ name }) => name), missed.map(({ reason }) => reason)];
  };
  for (const segment of [1400, 65_000, 2 ** 21]) {
    assert.deepEqual(run(1024 * 1024 - 2, segment), [["PING", "GET"], ["unreadable message"]]);
    assert.deepEqual(run(1024 * 1024 - 1, segment), [
      ["PING"],
      ["unreadable message", "connection given up"],
    ]);
  }
});
