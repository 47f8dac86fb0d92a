/** What clients and servers of the protocols that netwatch reads say to each other. */
import { type CaptureFile, Connection, type Ends, writeDatagram } from "./frames.js";

/** A request and its answer, as bytes in Latin-1. */
export type Exchange = readonly [request: string, response: string];

/** A protocol and what is said in it. The same number always gives the same exchange. */
export interface Protocol {
  readonly title: string;
  /** netwatch's table of it. */
  readonly table: string;
  readonly port: number;
  readonly transport: "tcp" | "udp";
  /** tshark's statistics of the same. */
  readonly tshark: readonly string[];
  /** Said once, as a connection begins. */
  readonly greeting: readonly Exchange[];
  exchange(n: number): Exchange;
}

export const PROTOCOLS: readonly Protocol[] = [
  {
    title: "HTTP, bodies of 16 KiB",
    table: "http",
    port: 8080,
    transport: "tcp",
    tshark: ["-z", "http,tree"],
    greeting: [],
    exchange: (n) => [
      `GET /products/${n} HTTP/1.1\r\nHost: shop\r\nAccept: */*\r\nUser-Agent: bench\r\nCookie: ${"c".repeat(120)}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16384\r\n\r\n${"b".repeat(16_384)}`,
    ],
  },
  {
    title: "Redis, values of 1 KiB",
    table: "redis",
    port: 6379,
    transport: "tcp",
    tshark: ["-z", "io,stat,0,resp"],
    greeting: [],
    exchange: (n) => [`*2\r\n$3\r\nGET\r\n$8\r\n${8e7 + n}\r\n`, `$1024\r\n${"v".repeat(1024)}\r\n`],
  },
  {
    title: "PostgreSQL, 20 rows of 200 bytes",
    table: "postgres",
    port: 5432,
    transport: "tcp",
    tshark: ["-z", "io,stat,0,pgsql"],
    greeting: [
      [
        pgMessage("", "\0\x03\0\0user\0shop\0database\0shop\0\0"),
        pgMessage("R", "\0\0\0\0") + pgMessage("Z", "I"),
      ],
    ],
    exchange: (n) => [
      pgMessage("Q", `SELECT name, price FROM products WHERE id = ${n}\0`),
      pgMessage("T", `\0\x01name\0${"\0".repeat(18)}`) +
        pgMessage("D", `\0\x01\0\0\0\xc8${"d".repeat(200)}`).repeat(20) +
        pgMessage("C", "SELECT 20\0") +
        pgMessage("Z", "I"),
    ],
  },
  {
    title: "DNS, one address each",
    table: "dns",
    port: 53,
    transport: "udp",
    tshark: ["-z", "dns,tree"],
    greeting: [],
    exchange: (n) => {
      const question = `${dnsName(`service-${n % 500}.shop.example`)}\0\x01\0\x01`;
      const id = u16(n & 0xffff);
      return [
        `${id}\x01\0\0\x01\0\0\0\0\0\0${question}`,
        `${id}\x81\x80\0\x01\0\x01\0\0\0\0${question}\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\x0a\0${u16(n % 500)}`,
      ];
    },
  },
  {
    title: "TLS 1.3, records of 1 KiB",
    table: "tls",
    port: 443,
    transport: "tcp",
    tshark: ["-z", "io,stat,0,tls"],
    greeting: [
      [clientHello("shop.example"), serverHello() + tlsRecord(20, "\x01") + tlsRecord(23, "e".repeat(900))],
      [tlsRecord(20, "\x01") + tlsRecord(23, "f".repeat(53)), tlsRecord(23, "t".repeat(250))],
    ],
    exchange: () => [tlsRecord(23, "q".repeat(120)), tlsRecord(23, "r".repeat(1024))],
  },
];

/** A conversation of a protocol: it opens, greets, talks and closes. */
export class Talk {
  readonly #file: CaptureFile;
  readonly #ends: Ends;
  readonly #protocol: Protocol;
  readonly #connection: Connection | null;

  constructor(file: CaptureFile, ends: Ends, protocol: Protocol, number: number) {
    this.#file = file;
    this.#ends = ends;
    this.#protocol = protocol;
    this.#connection = protocol.transport === "tcp" ? new Connection(file, ends, number) : null;
  }

  open(): void {
    this.#connection?.open();
    for (const exchange of this.#protocol.greeting) this.#say(exchange);
  }

  exchange(n: number): void {
    this.#say(this.#protocol.exchange(n));
  }

  close(): void {
    this.#connection?.close();
  }

  #say(exchange: Exchange): void {
    for (const [i, text] of exchange.entries()) {
      const payload = Buffer.from(text, "latin1");
      if (this.#connection) this.#connection.say(i === 1, payload);
      else writeDatagram(this.#file, i === 1, this.#ends, payload);
    }
    this.#connection?.acknowledge(false);
  }
}

/** A PostgreSQL message: type, length with itself, body. */
function pgMessage(type: string, body: string): string {
  return type + u32(body.length + 4) + body;
}

/** Labels, each after its length (RFC 1035, 3.1). */
function dnsName(name: string): string {
  return `${name
    .split(".")
    .map((label) => String.fromCharCode(label.length) + label)
    .join("")}\0`;
}

/** A record of TLS (RFC 8446, 5.1). */
export function tlsRecord(type: number, body: string): string {
  return `${String.fromCharCode(type)}\x03\x03${u16(body.length)}${body}`;
}

/** A ClientHello for TLS 1.3 with a server's name, one cipher suite, no key share (RFC 8446, 4.1.2). */
export function clientHello(server: string): string {
  const name = `\0${u16(server.length)}${server}`;
  const extensions = tlsExtension(0, u16(name.length) + name) + tlsExtension(43, "\x02\x03\x04");
  return hello(1, `\0\x02\x13\x01\x01\0${u16(extensions.length)}${extensions}`);
}

/** The answer that chooses TLS 1.3. */
export function serverHello(): string {
  const extensions = tlsExtension(43, "\x03\x04");
  return hello(2, `\x13\x01\0${u16(extensions.length)}${extensions}`);
}

function hello(type: number, rest: string): string {
  const body = `\x03\x03${"R".repeat(32)}\0${rest}`;
  return tlsRecord(22, `${String.fromCharCode(type)}\0${u16(body.length)}${body}`);
}

function tlsExtension(type: number, body: string): string {
  return u16(type) + u16(body.length) + body;
}

function u16(value: number): string {
  return String.fromCharCode(value >> 8, value & 0xff);
}

function u32(value: number): string {
  return u16(value >>> 16) + u16(value & 0xffff);
}
