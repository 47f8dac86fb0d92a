/** Measures `netwatch analyze` on captures full of payload, beside tshark's own tables of the same protocols. */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FOLDER, fileHeader, installed, measure, netwatch, row, writeRecord } from "./measure.bench.js";

const CONNECTIONS = 200;
/** Bytes of payload in a segment, and of the headers before it. */
const SEGMENT = 1448;
const HEADERS = 54;

/** A protocol to measure: what its clients and servers say. */
interface Input {
  readonly name: string;
  readonly port: number;
  readonly exchanges: number;
  readonly table: string;
  readonly tshark: readonly string[];
  /** Said once, as a connection begins. */
  readonly greeting: readonly [request: string, response: string] | null;
  exchange(n: number): readonly [request: string, response: string];
}

const INPUTS: readonly Input[] = [
  {
    name: "HTTP, bodies of 16 KiB",
    port: 8080,
    exchanges: 30_000,
    table: "http",
    tshark: ["-z", "http,tree"],
    greeting: null,
    exchange: (n) => [
      `GET /products/${n} HTTP/1.1\r\nHost: shop\r\nAccept: */*\r\nUser-Agent: bench\r\nCookie: ${"c".repeat(120)}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16384\r\n\r\n${"b".repeat(16_384)}`,
    ],
  },
  {
    name: "Redis, values of 1 KiB",
    port: 6379,
    exchanges: 240_000,
    table: "redis",
    tshark: ["-z", "io,stat,0,resp"],
    greeting: null,
    exchange: (n) => [`*2\r\n$3\r\nGET\r\n$8\r\n${8e7 + n}\r\n`, `$1024\r\n${"v".repeat(1024)}\r\n`],
  },
  {
    name: "PostgreSQL, 20 rows of 200 bytes",
    port: 5432,
    exchanges: 80_000,
    table: "postgres",
    tshark: ["-z", "io,stat,0,pgsql"],
    greeting: [
      pgMessage("", "\0\x03\0\0user\0shop\0database\0shop\0\0"),
      pgMessage("R", "\0\0\0\0") + pgMessage("Z", "I"),
    ],
    exchange: (n) => [
      pgMessage("Q", `SELECT name, price FROM products WHERE id = ${n}\0`),
      pgMessage("T", `\0\x01name\0${"\0".repeat(18)}`) +
        pgMessage("D", `\0\x01\0\0\0\xc8${"d".repeat(200)}`).repeat(20) +
        pgMessage("C", "SELECT 20\0") +
        pgMessage("Z", "I"),
    ],
  },
];

/** Prints a table of ratios a protocol. */
export async function applicationsBench(print: (line: string) => void): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  try {
    for (const input of INPUTS) {
      const { path, packets, bytes } = makeCapture(input);
      print(
        `\n${input.name}: ${input.exchanges} requests in ${packets} packets, ${Math.round(bytes / 1e6)} MB, netwatch analyze -o json --table ${input.table} = 1`,
      );
      const own = await measure(netwatch("analyze", path, "-o", "json", "--table", input.table));
      print(row("netwatch", own, own));
      const tshark = installed("tshark");
      if (tshark === null) print("  tshark         not installed");
      else print(row("tshark", await measure([tshark, "-n", "-q", ...input.tshark, "-r", path]), own));
      rmSync(path);
    }
  } finally {
    rmSync(FOLDER, { recursive: true, force: true });
  }
}

/** A PostgreSQL message: type, length with itself, body. */
function pgMessage(type: string, body: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return type + length.toString("latin1") + body;
}

/** One connection's place in its sequence numbers. */
interface Connection {
  readonly client: number;
  readonly server: number;
  readonly port: number;
  clientSeq: number;
  serverSeq: number;
}

/** Writes a capture of connections that take turns. The same input always gives the same bytes. */
function makeCapture(input: Input): { path: string; packets: number; bytes: number } {
  const path = join(FOLDER, `${input.table}.pcap`);
  const writer = new FrameWriter(path, input.port);
  const connections: Connection[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const connection = {
      client: 0x0a00_0001 + (i % 20),
      server: 0x0a01_0001 + (i % 3),
      port: 32_768 + i,
      clientSeq: i,
      serverSeq: i,
    };
    writer.handshake(connection);
    if (input.greeting) writer.exchange(connection, input.greeting);
    connections.push(connection);
  }
  for (let n = 0; n < input.exchanges; n++) writer.exchange(connections[n % CONNECTIONS]!, input.exchange(n));
  return { path, ...writer.close() };
}

class FrameWriter {
  readonly #fd: number;
  readonly #port: number;
  readonly #chunk = Buffer.alloc(1 << 20);
  #used = 0;
  #packets = 0;
  #bytes = 0;

  constructor(path: string, port: number) {
    this.#fd = openSync(path, "w", 0o600);
    this.#port = port;
    writeSync(this.#fd, fileHeader());
  }

  handshake(connection: Connection): void {
    this.#write(connection, false, 0x02, Buffer.alloc(0));
    connection.clientSeq++;
    this.#write(connection, true, 0x12, Buffer.alloc(0));
    connection.serverSeq++;
    this.#write(connection, false, 0x10, Buffer.alloc(0));
  }

  exchange(connection: Connection, [request, response]: readonly [string, string]): void {
    this.#say(connection, false, request);
    this.#say(connection, true, response);
  }

  close(): { packets: number; bytes: number } {
    this.#flush();
    closeSync(this.#fd);
    return { packets: this.#packets, bytes: this.#bytes };
  }

  #say(connection: Connection, reply: boolean, text: string): void {
    const bytes = Buffer.from(text, "latin1");
    for (let at = 0; at < bytes.length; at += SEGMENT) {
      const part = bytes.subarray(at, at + SEGMENT);
      this.#write(connection, reply, at + SEGMENT < bytes.length ? 0x10 : 0x18, part);
      if (reply) connection.serverSeq += part.length;
      else connection.clientSeq += part.length;
    }
  }

  #write(of: Connection, reply: boolean, flags: number, payload: Buffer): void {
    const length = HEADERS + payload.length;
    if (this.#used + 16 + length > this.#chunk.length) this.#flush();
    const into = this.#chunk;
    const at = this.#used;
    const us = this.#packets++ * 11;
    into.fill(0, at, at + 16 + HEADERS);
    const ends = reply
      ? { from: of.server, to: of.client, fromPort: this.#port, toPort: of.port }
      : { from: of.client, to: of.server, fromPort: of.port, toPort: this.#port };
    const ip = writeRecord(into, at, length, us, flags, ends);
    into.writeUInt32BE(reply ? of.serverSeq : of.clientSeq, ip + 24);
    into.writeUInt32BE((flags & 0x10) === 0 ? 0 : reply ? of.clientSeq : of.serverSeq, ip + 28);
    into.writeUInt16BE(64_240, ip + 34);
    payload.copy(into, at + 16 + HEADERS);
    this.#used += 16 + length;
    this.#bytes += length;
  }

  #flush(): void {
    writeSync(this.#fd, this.#chunk, 0, this.#used);
    this.#used = 0;
  }
}
