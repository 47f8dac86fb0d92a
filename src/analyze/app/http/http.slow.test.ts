import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Operation } from "../operations.js";
import { checkSkew, type Followed, type FollowOptions, follow, type Said } from "../stream.test.fixture.js";
import { http } from "./http.js";

const get = (target: string, fields = "", version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\nHost: web\r\n${fields}\r\n`;
const ok = (body: string, fields = ""): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;

const client = (text: string, atUs?: number): Said => ({
  from: "client",
  text,
  ...(atUs === undefined ? {} : { atUs }),
});
const server = (text: string, atUs?: number): Said => ({
  from: "server",
  text,
  ...(atUs === undefined ? {} : { atUs }),
});

function run(script: readonly Said[], options: FollowOptions = {}): Followed {
  return follow([http], script, options);
}

/** `name requests/answered status,...` */
function line(of: Operation): string {
  const outcomes = [...of.outcomes].map(([status, n]) => (n === 1 ? `${status}` : `${status}x${n}`));
  return `${of.name} ${of.requests}/${of.answered} ${outcomes.join(",")}`.trimEnd();
}

function lines(script: readonly Said[], options: FollowOptions = {}): readonly string[] {
  return run(script, options).operations.map(line);
}

test("a request and its answer are one operation with status, sizes and the time between their first bytes", () => {
  const request = get("/orders/17?secret=1");
  const [of] = run([client(request, 1000), server(ok("hello"), 3500)]).operations;
  assert.equal(line(of!), "GET /orders/{id} 1/1 200");
  assert.equal(of!.requestBytes, request.length);
  assert.equal(of!.responseBytes, ok("hello").length);
  assert.equal(of!.durations.quantileUs(0.5), 2500);
  assert.equal(of!.errors, 0);
});

test("a status of 400 and more is an error; what fails since when is kept", () => {
  const [of] = run([
    client(get("/a"), 1),
    server("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 10),
    client(get("/a"), 20),
    server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 30),
  ]).operations;
  assert.equal(line(of!), "GET /a 2/2 503,404");
  assert.equal(of!.errors, 2);
  assert.equal(of!.failingSinceUs, 10);
});

test("requests sent ahead are answered in order, each with its own time", () => {
  const found = run([
    client(get("/a") + get("/b") + get("/c"), 100),
    server(ok("a"), 200),
    server(`HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nb${ok("c")}`, 400),
  ]);
  assert.deepEqual(found.operations.map(line), ["GET /a 1/1 200", "GET /b 1/1 500", "GET /c 1/1 200"]);
  assert.deepEqual(
    found.operations.map((of) => of.durations.quantileUs(1)),
    [100, 300, 300],
  );
});

test("bodies: of known length, chunked with extensions and trailers, none, until the connection closes", () => {
  const chunked = "5;name=value\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Trailer: HTTP/1.1 500 No\r\n\r\n";
  assert.deepEqual(
    lines([
      client(`POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}${get("/after")}`),
      server(`HTTP/1.1 201 Made\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n${chunked}`),
      server("HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\n"),
      client(get("/gone")),
      server("HTTP/1.1 204 None\r\n\r\n"),
      client("HEAD /big HTTP/1.1\r\n\r\n"),
      server("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
      client(get("/old", "", "1.0")),
      server("HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 500 this is the body"),
    ]),
    [
      "POST /upload 1/1 201",
      "GET /after 1/1 304",
      "GET /gone 1/1 204",
      "HEAD /big 1/1 200",
      "GET /old 1/1 200",
    ],
  );
});

test("bytes of chunked bodies and of those until the close are counted as they come", () => {
  const request = "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const response = "HTTP/1.1 200 OK\r\n\r\nmuch more";
  for (const segment of [1, 7, 1000]) {
    const [of] = run([client(request), server(response)], { segment }).operations;
    // The line end behind a chunk is not counted.
    assert.equal(of!.requestBytes, request.length - 2, `segments of ${segment}`);
    assert.equal(of!.responseBytes, response.length);
  }
});

test("100 Continue and other 1xx are no answers; the duration is that of the final one", () => {
  const [of] = run([
    client("POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 100),
    server("HTTP/1.1 100 Continue\r\n\r\n", 200),
    client("abc", 300),
    server(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok("x")}`, 400),
  ]).operations;
  assert.equal(line(of!), "POST /x 1/1 200");
  assert.equal(of!.durations.quantileUs(1), 300);
});

test("a request line with control characters is none, in whatever segments it comes", () => {
  for (const segment of [1, 100])
    assert.equal(run([client("GET \x07 HTTP/1.1\r\n\r\n")], { segment }).application, null);
});

test("what comes behind CONNECT before its answer is judged by its beginning, in whatever segments it comes", () => {
  const connect = "CONNECT a:1 HTTP/1.1\r\n\r\n";
  const refused = server("HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n");
  for (const segment of [1, 100])
    for (const inside of ["\nHTTP/1.1 200 ", `\x16${get("/inside")}`]) {
      const script = [client(connect), client(inside), refused, client(get("/a")), server(ok(""))];
      const { missed } = run(script, { segment });
      assert.deepEqual([lines(script, { segment }), missed], [["CONNECT 1/1 407", "GET /a 1/1 200"], []]);
    }
});

test("what comes after CONNECT or 101 is not read; a refused CONNECT goes on", () => {
  const inside = get("/inside");
  assert.deepEqual(
    lines([
      client("CONNECT user:secret@db.example:443 HTTP/1.1\r\n\r\n"),
      server("HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"),
      client("CONNECT db.example:443 HTTP/1.1\r\n\r\n"),
      server("HTTP/1.1 200 Established\r\n\r\n"),
      client(inside),
      server(ok("")),
    ]),
    ["CONNECT 2/2 407,200"],
  );
  assert.deepEqual(
    lines([
      client(get("/chat", "Upgrade: websocket\r\n")),
      server("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\u0081\u0005hello"),
      client(inside),
    ]),
    ["GET /chat 1/1 101"],
  );
});

test("heads as they may be: any case, folded lines, line feeds alone, empty lines before, the same length twice", () => {
  assert.deepEqual(
    lines([
      client("POST /a HTTP/1.1\ncontent-LENGTH:\r\n 5\nCONTENT-length: 5, 5\n\nhello"),
      server("HTTP/1.0 200\r\ntransfer-encoding:\r\n\tchunked\r\n\r\n1\nx\n0\n\n"),
      client(`\r\n${get("/b")}`),
      server(ok("")),
    ]),
    ["POST /a 1/1 200", "GET /b 1/1 200"],
  );
});

test("lengths that contradict each other: the message is missed and counted, the next that can be told is read", () => {
  for (const fields of [
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5x",
    "Content-Length: -1",
    `Content-Length: 5${" ".repeat(5000)}`,
    "Transfer-Encoding: gzip",
  ])
    for (const segment of [1, 7, 100, 100_000]) {
      const found = run(
        [
          client(`POST /a HTTP/1.1\r\n${fields}\r\n\r\nhello${get("/hidden")}line\r\n`),
          client(get("/c")),
          server(ok("")),
          client(get("/d")),
          server(ok("")),
        ],
        { segment },
      );
      assert.deepEqual(found.operations.map(line), ["GET /c 1/0", "GET /d 1/1 200"], `${fields} ${segment}`);
      assert.deepEqual(found.missed, [{ application: "http", reason: "unreadable message", count: 1 }]);
      assert.equal(found.leakedBytes, 0);
    }
});

test("what never is a message again is given up, and counted", () => {
  const found = run([client(get("/a")), server(ok("")), client("never a line".repeat(100_000))], {
    segment: 1448,
  });
  assert.deepEqual(found.operations.map(line), ["GET /a 1/1 200"]);
  assert.deepEqual(
    found.missed.map(({ reason, count }) => [reason, count]),
    [
      ["unreadable message", 1],
      ["connection given up", 1],
    ],
  );
  assert.equal(found.heldBytes, 0);
});

test("heads of any size are read, in pieces too, and hold next to nothing", () => {
  for (const bytes of [16_000, 60_000, 200_000])
    for (const head of [
      get(`/large?${"x".repeat(bytes)}`),
      get("/large", `Cookie: ${"x".repeat(bytes)}\r\n`),
      get("/large", "A: b\r\n".repeat(bytes / 6)),
      get("/large", `Cookie: x\r\n ${"folded\r\n ".repeat(bytes / 9)}\r\n`),
      `${"\r\n".repeat(bytes / 2)}${get("/large")}`,
    ])
      for (const segment of [99, 1400, 1_000_000]) {
        const answer = ok("hello", `Set-Cookie: ${"y".repeat(bytes)}\r\n`);
        const script = [
          client(get("/before")),
          server(ok("")),
          client(head),
          server(answer),
          client(get("/after")),
        ];
        const found = run(script, { segment });
        assert.deepEqual(
          found.operations.map(line),
          ["GET /before 1/1 200", "GET /large 1/1 200", "GET /after 1/0"],
          `${head.slice(0, 40)} ${segment}`,
        );
        assert.equal(found.operations[1]!.responseBytes, answer.length);
        const half = run([client(get("/a")), client(head.slice(0, -8))], { segment });
        assert.ok(half.heldBytes <= 16_384, `${half.heldBytes}`);
        assert.equal(half.leakedBytes, 0);
      }
});

test("any token is a method, as it is written; a very long one is not shown", () => {
  for (const method of ["LIST", "M-SEARCH", "X_1", "get", "!#$%&'*+-.^_`|~", "VERSION-CONTROL", "GETTING"]) {
    const text = `${method} /v1/secret HTTP/1.1\r\n\r\n`;
    const script = [client(text), server(ok("")), client(text), server(ok(""))];
    for (const segment of [1, 1000])
      assert.deepEqual(lines(script, { segment }), [`${method} /v1/secret 2/2 200x2`]);
  }
  assert.deepEqual(lines([client(`${"A".repeat(100)} /x HTTP/1.1\r\n\r\n`)]), ["{method} /x 1/0"]);
});

test("what has no method, or is no HTTP/1, is not followed", () => {
  for (const text of [
    "GET key\r\n",
    "EHLO client.example\r\n",
    "INVITE sip:bob@example.com SIP/2.0\r\n\r\n",
    "OPTIONS rtsp://example.com RTSP/1.0\r\n\r\n",
    "GET / HTTP/2.0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "(GET) / HTTP/1.1\r\n\r\n",
    " / HTTP/1.1\r\n\r\n",
    `${"A".repeat(200)} / HTTP/1.1\r\n\r\n`,
    `INVITE sip:${"b".repeat(300)} SIP/2.0\r\n\r\n`,
    "HTTP/1.1 abc\r\n",
    "\u0016\u0003\u0001",
  ])
    for (const segment of [1, 1000]) assert.equal(run([client(text)], { segment }).application, null, text);
});

test("behind a gap the end of a body is not taken for a method", () => {
  const found = run(
    [
      client(`POST /a HTTP/1.1\r\nContent-Length: 2000\r\n\r\n${"x".repeat(100)}`),
      client(`POST /b HTTP/1.1\r\nContent-Length: 6\r\n\r\nsecret${get("/c")}`),
    ],
    { certain: false, segment: 46 },
  );
  for (const { name } of found.operations) assert.ok(!name.includes("secret"), name);
});

test("a body that waits for 100 Continue may be sent, sent without waiting, or withheld after a final answer", () => {
  const post = (fields: string): string => `POST /up HTTP/1.1\r\nExpect: 100-continue\r\n${fields}\r\n\r\n`;
  const go = server("HTTP/1.1 100 Continue\r\n\r\n");
  const no = server("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
  const next = [client(get("/after")), server(ok(""))];
  // A body that looks like a request is one only where the server has not asked for it.
  const request = get("/in-body");
  for (const [fields, body] of [
    [`Content-Length: ${request.length}`, request],
    ["Content-Length: 3000", "b".repeat(3000)],
    ["Content-Length: 3", "GET"],
    ["Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"],
  ] as const)
    for (const segment of [1, 10, 1448]) {
      const what = `${fields} ${segment}`;
      const sent = run([client(post(fields)), go, client(body), server(ok("")), ...next], { segment });
      assert.deepEqual(sent.operations.map(line), ["POST /up 1/1 200", "GET /after 1/1 200"], what);
      assert.ok(sent.operations[0]!.requestBytes >= post(fields).length + body.length - 2, what);
      const withheld = run([client(post(fields)), no, ...next, client(post(fields)), no, ...next], {
        segment,
      });
      assert.deepEqual(withheld.operations.map(line), ["POST /up 2/2 417x2", "GET /after 2/2 200x2"], what);
      assert.equal(withheld.operations[0]!.requestBytes, 2 * post(fields).length);
      assert.deepEqual(withheld.missed, []);
      if (body === request) continue;
      const eager = run([client(post(fields)), client(body), server(ok("")), ...next], { segment });
      assert.deepEqual(eager.operations.map(line), ["POST /up 1/1 200", "GET /after 1/1 200"], what);
    }
});

test("both a coding and a length: the coding counts; identity is none; an answer of 1xx is passed over", () => {
  const both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n";
  for (const segment of [1, 13, 1000])
    assert.deepEqual(
      lines(
        [
          client(`POST /a HTTP/1.1\r\n${both}`),
          server(`HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n${both}`),
          client("POST /b HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nxx"),
          server(ok("")),
          client(get("/c")),
          server(ok("")),
        ],
        { segment },
      ),
      ["POST /a 1/1 200", "POST /b 1/1 200", "GET /c 1/1 200"],
    );
});

test("within a connection: an answer without a captured request is skipped, its body too, even if there is none", () => {
  const tail = [client(get("/a")), server(ok("a"))];
  const inBody = [server("rest of a body"), ...tail];
  assert.deepEqual(lines(inBody, { certain: false }), ["GET /a 1/1 200"]);
  assert.deepEqual(lines([server(ok("HTTP is fine")), ...tail], { certain: false }), ["GET /a 1/1 200"]);
  const toHead = server("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  assert.deepEqual(lines([toHead, ...tail], { certain: false }), ["GET /a 1/1 200"]);
});

test("holes within a body of known length do not matter; one in a head is a gap", () => {
  const script = [
    client(get("/file")),
    server("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"),
    server("x".repeat(3000)),
    client(get("/next")),
    server(ok("")),
  ];
  const inBody = run(script, { segment: 1000, missing: new Set([3]) });
  assert.deepEqual(
    [inBody.operations.map(line), inBody.gaps],
    [["GET /file 1/1 200", "GET /next 1/1 200"], 0],
  );
  const inHead = run(script, { segment: 1000, missing: new Set([1]) });
  assert.deepEqual([inHead.operations.map(line), inHead.gaps], [["GET /file 1/0", "GET /next 1/1 200"], 1]);
  assert.equal(inHead.operations[0]!.lost, 1);
});

const ROUTES: readonly (readonly [string, string])[] = [
  ["/", "/"],
  ["/products/17", "/products/{id}"],
  ["/api/v1/users/3f2b8c1e-0000-4000-8000-2b1f0c9d7e6a/orders/", "/api/v1/users/{id}/orders/"],
  ["/.well-known/openid-configuration", "/.well-known/openid-configuration"],
  ["/static/app.3f9c1.js", "/static/*.js"],
  ["/docs/index.html", "/docs/index.html"],
  ["/docs/20241101-x.html", "/docs/*.html"],
  ["/search;jsessionid=ABC/in?q=x", "/search/in"],
  ["/a#fragment", "/a"],
  ["/oauth2/token", "/oauth2/token"],
  ["/getUserById", "/getUserById"],
  ["/package.Service/GetForecast", "/package.Service/GetForecast"],
  ["/%73ecret", "/{id}"],
  ["/caf\u00e9", "/{id}"],
  ["//x", "//x"],
  ["http://user:secret@host:80/a/1?x", "/a/{id}"],
  ["http://host", "/"],
  ["http://host?x", "/"],
  ["*", "*"],
  ["secret", "{target}"],
  ["/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/..."],
  [`/${"long/".repeat(6)}recommendations/subscriptions/notifications`, null as unknown as string],
];

test("routes keep plain words and versions; numbers, keys, hosts, users, queries and what is too deep are left out", () => {
  for (const [target, route] of ROUTES) {
    const [of] = run([client(get(target))]).operations;
    assert.ok(of!.name.length <= 80, of!.name);
    if (route !== null) assert.equal(of!.name, `GET ${route}`, target);
    else assert.ok(of!.name.endsWith("/..."), of!.name);
  }
});

test("a place with many words holds values: later ones are {id}", () => {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const names = [...letters].map((letter) => `${letter}an`);
  const found = lines(names.flatMap((name) => [client(get(`/people/${name}/cars`)), server(ok(""))]));
  assert.equal(found.length, 21);
  assert.equal(found.at(-1), "GET /people/{id}/cars 6/6 200x6");
});

const SECRETS = [
  "hunter2",
  "s3cr3t-t0ken",
  "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
  "AKIAIOSFODNN7EXAMPLE",
  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
  "PLANTEDSECRETWORD",
  "xkqzvbnwtrplmd",
  "aGVsbG8gd29ybGQ",
  "correcthorsebatterystaple",
  "deadbeefcafe",
  "jane.doe@example.com",
  "+491701234567",
  "a b",
  "\u001b[31m",
];

test("a secret never shows in a name, wherever it is planted", () => {
  for (const secret of SECRETS) {
    const places = [
      get(`/x?key=${secret}`),
      get(`/x#${secret}`),
      get(`/x;key=${secret}/y`),
      get(`/x/${secret}`),
      get(`/${secret}/x`),
      get(`/x/${secret}.json`),
      get(`/x/${secret}.js`),
      get(`http://${secret}:${secret}@${secret}/x`),
      get(secret),
      `CONNECT ${secret}:443 HTTP/1.1\r\n\r\n`,
      get("/x", `Authorization: Bearer ${secret}\r\nX-${secret}: 1\r\n`),
      `POST /x HTTP/1.1\r\nContent-Length: ${secret.length}\r\n\r\n${secret}`,
      `POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;${secret}\r\nx\r\n0\r\n${secret}: x\r\n\r\n`,
    ];
    for (const place of places) {
      const found = run([client(place), server(`HTTP/1.1 200 ${secret}\r\nX: ${secret}\r\n\r\n${secret}`)]);
      for (const { name } of found.operations) {
        assert.ok(!name.includes(secret), `${secret} in ${name}`);
        assert.match(name, /^[ -~]+$/);
      }
    }
  }
});

/** A conversation in rounds: so many requests at once, then their answers. Each status is its request's alone. */
const rounds = fc.array(
  fc.array(
    fc.record({
      method: fc.constantFrom("GET", "HEAD", "POST"),
      body: fc.stringMatching(/^[a-z\r\n]{0,40}$/),
      form: fc.constantFrom("length", "chunked"),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  // No more words than one place of a route may have.
  { minLength: 1, maxLength: 5 },
);

function framed(body: string, form: string): string {
  if (form === "length") return `Content-Length: ${body.length}\r\n\r\n${body}`;
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
}

/** Request n is for `/w<letter>…` and its answer's status is 200 + n. */
function script(all: typeof rounds extends fc.Arbitrary<infer T> ? T : never): Said[] {
  const said: Said[] = [];
  let n = 0;
  for (const round of all) {
    const first = n;
    for (const { method, body, form } of round) {
      const text = method === "POST" ? framed(body, form) : "\r\n";
      said.push(client(`${method} /${word(n++)} HTTP/1.1\r\n${text}`));
    }
    round.forEach(({ method, body, form }, i) => {
      const whole = framed(body, form);
      const text = method === "HEAD" ? whole.slice(0, whole.indexOf("\r\n\r\n") + 4) : whole;
      said.push(server(`HTTP/1.1 ${300 + first + i} X\r\n${first + i === 4 ? "\r\n" : text}`));
    });
  }
  return said;
}

/** Words that are plain, one a number. */
function word(n: number): string {
  return `${"bdfgklmnprst"[n % 12]}${"aeiou"[Math.floor(n / 12)]}n`;
}

test("property: however a connection is cut into segments, the same is found", () => {
  fc.assert(
    fc.property(rounds, fc.integer({ min: 1, max: 80 }), (all, segment) => {
      const said = script(all);
      const [whole, cut] = [run(said), run(said, { segment })];
      assert.deepEqual(cut.operations, whole.operations);
      assert.equal(whole.open, 0);
      assert.deepEqual([cut.gaps, cut.leakedBytes], [0, 0]);
    }),
  );
});

test("property: taps whose clocks differ change nothing, whichever is ahead", () =>
  checkSkew(rounds.map(script), lines));

test("property: missing segments never join a request with another's answer", () => {
  fc.assert(
    fc.property(
      rounds,
      fc.integer({ min: 10, max: 80 }),
      fc.uniqueArray(fc.nat(200), { maxLength: 5 }),
      (all, segment, missing) => {
        const found = run(script(all), { segment, missing: new Set(missing) });
        for (const of of found.operations) {
          const n = of.name.slice(of.name.indexOf("/") + 1);
          for (const status of of.outcomes.keys()) assert.equal(word(status - 300), n, line(of));
          assert.ok(of.answered + of.lost <= of.requests);
        }
        assert.equal(found.leakedBytes, 0);
      },
    ),
    { numRuns: 500 },
  );
});

test("property: no bytes do harm", () => {
  const noise = fc.string({ unit: fc.constantFrom("\r", "\n", ":", " ", "0", "a", "\u0000", "\u00ff", "/") });
  const starts = fc.constantFrom(
    "",
    "GET / HTTP/1.1\r\n",
    "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length:",
  );
  const from = fc.constantFrom("client" as const, "server" as const);
  const said = fc.record({
    from,
    text: fc.tuple(starts, noise, starts, noise).map((parts) => parts.join("")),
  });
  fc.assert(
    fc.property(
      fc.array(said, { maxLength: 6 }),
      fc.integer({ min: 1, max: 50 }),
      fc.boolean(),
      (all, segment, certain) => {
        assert.equal(run(all, { segment, certain }).leakedBytes, 0);
      },
    ),
    { numRuns: 500 },
  );
});
