import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { APPLICATIONS } from "../applications.js";
import { checkDisorder, checkSkew, type FollowOptions, follow, type Said } from "../stream.test.fixture.js";
import { tlsOutcome } from "../tls/tls-outcome.js";
import { START_TLS } from "./starttls-rows.js";

const client = (text: string): Said => ({ from: "client", text });
const server = (text: string): Said => ({ from: "server", text });

const bytes = (...all: number[]): string => String.fromCharCode(...all);
const u16 = (value: number): string => bytes(value >> 8, value & 255);
const list = (text: string): string => u16(text.length) + text;
const handshake = (type: number, body: string): string => bytes(22, 3, 1) + list(bytes(type, 0) + list(body));
const RANDOM = "r".repeat(32);
const extension = (type: number, body: string): string => u16(type) + list(body);
const NAME = extension(0, list(bytes(0) + list("mail.example")));
const HELLO = handshake(
  1,
  `${u16(0x0303)}${RANDOM}${bytes(0)}${list(u16(0x1301))}${bytes(1, 0)}${list(NAME)}`,
);
const ANSWER = handshake(
  2,
  `${u16(0x0303)}${RANDOM}${bytes(0)}${u16(0x1301)}${bytes(0)}${list(extension(43, u16(0x0304)))}`,
);
const TLS: readonly Said[] = [client(HELLO), server(ANSWER), client(bytes(23, 3, 3) + list("e".repeat(90)))];

const pg = (type: string, body: string): string => `${type}\0\0${u16(body.length + 4)}${body}`;
const SSL_REQUEST = "\0\0\0\x08\x04\xd2\x16\x2f";
const GSS_REQUEST = "\0\0\0\x08\x04\xd2\x16\x30";
const STARTUP = pg("", "\0\x03\0\0user\0a\0\0");
const READY = `${pg("R", "\0\0\0\0")}${pg("Z", "I")}`;

/** A message of LDAP: its number, what it is, and the rest. */
const ldap = (number: number, what: number, body: string): string => {
  const inner = bytes(2, 1, number, what, body.length) + body;
  return `0${bytes(inner.length)}${inner}`;
};
const ldapDone = (number: number, what: number, code: number): string =>
  ldap(number, what, `${bytes(10, 1, code, 4, 0, 4, 0)}`);
const LDAP_ASKS = `${bytes(0x80, 22)}1.3.6.1.4.1.1466.20037`;

interface Talk {
  readonly before: readonly Said[];
  readonly asks: string;
  readonly agrees: string;
  readonly refuses: string;
  /** What a client says in clear. */
  readonly clear: string;
}

const TALKS: Readonly<Record<string, Talk>> = {
  smtp: {
    before: [server("220-mx\r\n220 ready\r\n"), client("EHLO a\r\n"), server("250-mx\r\n250 STARTTLS\r\n")],
    asks: "starttls\r\n",
    agrees: "220 go ahead\r\n",
    refuses: "454 not now\r\n",
    clear: "MAIL FROM:<a@b>\r\n",
  },
  ftp: {
    before: [server("220 ftp\r\n"), client("FEAT\r\n"), server("211-Features\r\n AUTH TLS\r\n211 End\r\n")],
    asks: "AUTH TLS\r\n",
    agrees: "234 go ahead\r\n",
    refuses: "530 no\r\n",
    clear: "USER a\r\n",
  },
  pop3: {
    before: [server("+OK pop\r\n"), client("CAPA\r\n"), server("+OK\r\nSTLS\r\n.\r\n")],
    asks: "STLS\r\n",
    agrees: "+OK go ahead\r\n",
    refuses: "-ERR no\r\n",
    clear: "USER a\r\n",
  },
  imap: {
    before: [server("* OK imap\r\n"), client("a1 CAPABILITY\r\n"), server("* CAPABILITY X\r\na1 OK\r\n")],
    asks: "a2 STARTTLS\r\n",
    agrees: "* OK still here\r\na2 OK go ahead\r\n",
    refuses: "a2 BAD no\r\n",
    clear: "a3 LOGIN a b\r\n",
  },
  nntp: {
    before: [server("200 news\r\n"), client("CAPABILITIES\r\n"), server("101 here\r\nSTARTTLS\r\n.\r\n")],
    asks: "STARTTLS\r\n",
    agrees: "382 go ahead\r\n",
    refuses: "580 no\r\n",
    clear: "LIST\r\n",
  },
  xmpp: {
    before: [
      client("<?xml version='1.0'?><stream:stream to='a'>"),
      server(
        `<?xml version='1.0'?><stream:stream id='${"x".repeat(300)}'><stream:features><starttls/></stream:features>`,
      ),
    ],
    asks: "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    agrees: "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    refuses: "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    clear: "<presence/>",
  },
  ldap: {
    before: [client(ldap(1, 0x60, `${bytes(2, 1, 3, 4, 0, 0x80, 0)}`)), server(ldapDone(1, 0x61, 0))],
    asks: ldap(2, 0x77, LDAP_ASKS),
    agrees: ldapDone(2, 0x78, 0),
    refuses: ldapDone(2, 0x78, 52),
    clear: ldap(3, 0x63, "x".repeat(40)),
  },
  postgres: {
    before: [client(GSS_REQUEST), server("N")],
    asks: SSL_REQUEST,
    agrees: "S",
    refuses: "N",
    clear: STARTUP,
  },
};

/** `name requests/answered versions`, of TLS alone; what is missed. */
function found(script: readonly Said[], options: FollowOptions = {}): readonly string[] {
  const { operations, missed, gaps, leakedBytes } = follow(APPLICATIONS, script, options);
  assert.equal(leakedBytes, 0);
  return [
    ...operations
      .filter(({ application }) => application === "tls")
      .map((of) => {
        const versions = [...of.outcomes.keys()].map((outcome) => tlsOutcome(outcome).version);
        return `${of.name} ${of.requests}/${of.answered} ${versions}`;
      }),
    ...missed.map(({ application, reason, count }) => `${count} × ${application} ${reason}`),
    ...(gaps > 0 ? [`${gaps} gaps`] : []),
  ];
}

const SEGMENTS = [1, 2, 7, 64, 1448];
const LINE = "mail.example 1/1 TLS 1.3";

test("each row has a conversation here", () => {
  assert.deepEqual(Object.keys(TALKS), [...START_TLS.map(({ protocol }) => protocol), "postgres"]);
});

for (const [name, { before, asks, agrees, refuses, clear }] of Object.entries(TALKS)) {
  const agreed = [...before, client(asks), server(agrees), ...TLS];

  test(`${name}: TLS is followed once the server has agreed, however it is cut`, () => {
    for (const segment of SEGMENTS) assert.deepEqual(found(agreed, { segment }), [LINE], `${segment}`);
  });

  test(`${name}: what the server refuses stays clear, and may be asked for again`, () => {
    for (const segment of SEGMENTS) {
      const refused = [...before, client(asks), server(refuses)];
      assert.deepEqual(
        found([...refused, client(clear), server(refuses)], { segment }).filter(
          (line) => !line.includes("postgres"),
        ),
        [],
      );
      assert.deepEqual(found([...refused, client(asks), server(agrees), ...TLS], { segment }), [LINE]);
    }
  });

  test(`${name}: clear bytes behind the request, sent along with it or later, hide no TLS`, () => {
    for (const segment of SEGMENTS) {
      const along = [...before, client(asks + clear), server(agrees), ...TLS];
      assert.deepEqual(found(along, { segment }), [LINE]);
      const later = [
        ...before,
        client(asks),
        client(clear),
        server(agrees),
        client(clear + HELLO),
        server(ANSWER),
      ];
      assert.deepEqual(found(later, { segment }), [LINE]);
      const cut = [
        ...before,
        client(asks),
        server(agrees),
        client(clear.slice(0, -2) + HELLO),
        server(ANSWER),
      ];
      assert.deepEqual(found(cut, { segment }), [LINE]);
    }
  });

  test(`${name}: a hello that is sent ahead waits for the server's word`, () => {
    for (const segment of SEGMENTS) {
      const ahead = [...before, client(asks + HELLO), server(agrees), server(ANSWER)];
      assert.deepEqual(found(ahead, { segment }), [LINE]);
      assert.deepEqual(found([...before, client(asks + HELLO), server(agrees + ANSWER)], { segment }), [
        LINE,
      ]);
      assert.deepEqual(found([...before, client(asks + HELLO), server(agrees)], { segment }), [
        "mail.example 1/0 ",
      ]);
    }
  });

  test(`${name}: a gap in clear hides no TLS, which says so`, () => {
    const found1 = found([...before, client(asks), server(agrees), client(clear), server(refuses), ...TLS], {
      missing: new Set([before.length]),
    });
    assert.ok(
      found1.some((line) => line.startsWith("mail.example 1/")),
      found1.join(),
    );
    assert.ok(
      found1.some((line) => line.includes("gap")),
      found1.join(),
    );
  });

  test(`property, ${name}: order within a window and skewed taps change nothing`, () => {
    const conversation = fc.constant(agreed);
    checkDisorder(conversation, found);
    checkSkew(conversation, found);
  });
}

test("postgres: a startup sent along with a refused request for encryption is answered all the same", () => {
  const script = [client(SSL_REQUEST + STARTUP), server(`N${READY}`)];
  for (const segment of SEGMENTS) {
    const { operations, missed } = follow(APPLICATIONS, script, { segment });
    assert.deepEqual(
      operations.map((of) => `${of.name} ${of.requests}/${of.answered}`),
      ["(startup) 1/1"],
    );
    assert.deepEqual(missed, []);
  }
});

test("a proxy's header before clear text changes nothing", () => {
  const { before, asks, agrees } = TALKS.smtp!;
  const header = client("PROXY TCP4 10.0.0.1 10.0.0.2 40000 25\r\n");
  const script = [header, ...before, client(asks), server(agrees), ...TLS];
  for (const segment of SEGMENTS) assert.deepEqual(found(script, { segment }), [LINE]);
});

test("postgres: what goes on in GSSAPI is read no further", () => {
  const { operations, missed } = follow(APPLICATIONS, [client(GSS_REQUEST), server("G"), ...TLS]);
  assert.deepEqual(
    operations.map((of) => `${of.application} ${of.name} ${of.requests}/${of.answered}`),
    ["postgres (encrypted) 1/1"],
  );
  assert.deepEqual(missed, []);
});

test("a connection of Redis whose first command is lost is not taken for POP3", () => {
  const { application } = follow(APPLICATIONS, [
    server("+OK\r\n"),
    client("*1\r\n$4\r\nPING\r\n"),
    server("+PONG\r\n"),
  ]);
  assert.equal(application, "redis");
});

test("property: any bytes behind the beginnings do no harm", () => {
  const begins = START_TLS.flatMap((row) =>
    row.begins.map((text) => ({ from: row.begunBy, text: text.replaceAll("\uffff", "\x05") })),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...begins),
      fc.array(
        fc.record({
          from: fc.constantFrom("client" as const, "server" as const),
          text: fc
            .string({ unit: "binary", maxLength: 300 })
            .map((text) => Buffer.from(text).toString("latin1")),
        }),
        { maxLength: 12 },
      ),
      fc.constantFrom(...SEGMENTS),
      (begin, rest, segment) => {
        found([begin, ...rest], { segment });
      },
    ),
  );
});
