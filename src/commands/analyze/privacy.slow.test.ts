import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TABLE_NAMES } from "../../analyze/tables.js";
import {
  join as bytesOf,
  ethernet,
  ipv4,
  pcapFile,
  u8,
  u16,
  u32,
  udp,
} from "../../capture/file/sample.test.fixture.js";
import { lastSnapshotPath } from "../../engine/recording/state-folder.js";
import { OUTPUT_FORMATS } from "../options.js";
import { report } from "../report.js";
import { metrics } from "../serve/metrics.js";
import { createFakeTerminal, type FakeTerminal } from "../terminal.test.fixture.js";
import { analyze } from "./analyze.js";

/** Stands in every place that must stay unseen, with a number, so that a leak says where it is from. */
const secret = (place: number) => `zq7secret${String(place).padStart(2, "0")}`;
const SECRET = /zq7secret\d*/gi;

const latin1 = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));
const raw = (...pieces: readonly Uint8Array[]) => Buffer.from(bytesOf(...pieces)).toString("latin1");
const resp = (...words: readonly string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
/** A message of PostgreSQL: type, length, body. */
const message = (type: string, body: string) => type + raw(u32(body.length + 4)) + body;
const record = (type: number, body: string) => raw(u8(type, 3, 1), u16(body.length)) + body;

/** What a client and a server say in turn, client first. */
interface Talk {
  readonly port: number;
  readonly turns: readonly string[];
}

const BODY = `{"card":"${secret(1)}"}`;
const HTTP: Talk = {
  port: 8080,
  turns: [
    `POST /checkout/orders/${secret(2)};v=${secret(3)}?token=${secret(4)}#${secret(5)} HTTP/1.1\r\nHost: ${secret(6)}.example\r\nCookie: sid=${secret(7)}\r\nAuthorization: Bearer ${secret(8)}\r\nX-${secret(9)}: 1\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
    `HTTP/1.1 500 ${secret(10)}\r\nSet-Cookie: sid=${secret(11)}\r\nTransfer-Encoding: chunked\r\n\r\n9;x=${secret(12)}\r\n${secret(13).slice(0, 9)}\r\n0\r\nX-Trailer: ${secret(14)}\r\n\r\n`,
    `GET http://${secret(15)}:${secret(16)}@host/checkout/orders?${secret(17)} HTTP/1.1\r\nHost: h\r\n\r\n`,
    `HTTP/1.1 302 Found\r\nLocation: /${secret(18)}\r\nContent-Length: 0\r\n\r\n`,
  ],
};
const REDIS: Talk = {
  port: 6379,
  turns: [
    resp("AUTH", secret(20), secret(21)) + resp("SET", secret(22), secret(23)),
    `-WRONGPASS ${secret(24)}\r\n+OK\r\n`,
    resp("GET", secret(25)) + resp(secret(26), secret(27)),
    `$11\r\n${secret(28)}\r\n-ERR unknown command '${secret(29)}'\r\n`,
  ],
};
const STARTUP = `${raw(u32(196_608))}user\0${secret(30)}\0database\0${secret(31)}\0application_name\0${secret(32)}\0\0`;
const POSTGRES: Talk = {
  port: 5432,
  turns: [
    raw(u32(STARTUP.length + 4)) + STARTUP,
    message("R", raw(u32(3))),
    message("p", `${secret(33)}\0`),
    message("R", raw(u32(0))) + message("S", `search_path\0${secret(34)}\0`) + message("Z", "I"),
    message("Q", `SELECT ${secret(35)} FROM ${secret(36)} WHERE x = '${secret(37)}' -- ${secret(38)}\0`),
    message("E", `SERROR\0C42P01\0M${secret(39)}\0D${secret(40)}\0\0`) + message("Z", "I"),
    message("P", `${secret(41)}\0INSERT INTO ${secret(42)} VALUES ($1)\0\0\0`) +
      message("B", `\0${secret(41)}\0\0\0\0\u0001${raw(u32(11))}${secret(43)}\0\0`) +
      message("E", `\0${raw(u32(0))}`) +
      message("S", ""),
    message("1", "") + message("2", "") + message("C", "INSERT 0 1\0") + message("Z", "I"),
  ],
};
const label = (text: string) => raw(u8(text.length)) + text;
const QUESTION = `${label(secret(50))}${label("example")}\0${raw(u16(1), u16(1))}`;
const HELLO = `${raw(u16(0x0303))}${secret(60)}${"r".repeat(21)}\0${raw(u16(2), u16(0x1301), u8(1, 0))}`;
const NAME = "vault.example";
const SNI = raw(u16(0), u16(NAME.length + 5), u16(NAME.length + 3), u8(0), u16(NAME.length)) + NAME;
const handshake = (type: number, body: string) => record(22, raw(u8(type, 0), u16(body.length)) + body);
const TLS: Talk = {
  port: 443,
  turns: [
    handshake(1, `${HELLO}${raw(u16(SNI.length))}${SNI}`),
    handshake(2, `${raw(u16(0x0303))}${secret(61)}${"r".repeat(21)}\0${raw(u16(0x1301), u8(0), u16(0))}`),
  ],
};

const CLIENT = u8(10, 1, 1, 1);
const SERVER = u8(10, 1, 1, 2);
const [SYN, ACK, PSH] = [0x02, 0x10, 0x08];

function capture(): Uint8Array {
  const packets: { timeUs: number; bytes: Uint8Array }[] = [];
  let timeUs = 1_700_000_000_000_000;
  const add = (isServer: boolean, payload: Uint8Array, protocol: number) => {
    const [source, destination] = isServer ? [SERVER, CLIENT] : [CLIENT, SERVER];
    timeUs += 100;
    packets.push({ timeUs, bytes: ethernet(ipv4(payload, { source, destination, protocol })) });
  };
  for (const { port, turns } of [HTTP, REDIS, POSTGRES, TLS]) {
    const next = [1000, 5000];
    const send = (isServer: boolean, flags: number, text: string) => {
      const [from, to] = isServer ? [port, 40_000] : [40_000, port];
      const [seq, ack] = isServer ? [next[1]!, next[0]!] : [next[0]!, next[1]!];
      const head = bytesOf(u16(from), u16(to), u32(seq), u32(ack), u8(5 << 4, flags));
      add(isServer, bytesOf(head, u16(1024), u16(0), u16(0), latin1(text)), 6);
      next[isServer ? 1 : 0]! += text.length + ((flags & SYN) === 0 ? 0 : 1);
    };
    send(false, SYN, "");
    send(true, SYN | ACK, "");
    send(false, ACK, "");
    turns.forEach((text, i) => {
      send(i % 2 === 1, PSH | ACK, text);
    });
  }
  const counts = (answers: number) => raw(u16(1), u16(answers), u16(0), u16(0));
  const answer = `${raw(u16(0xc00c), u16(16), u16(1), u32(60), u16(12), u8(11))}${secret(51)}`;
  add(false, udp(40_000, 53, latin1(raw(u16(7), u16(0x0100)) + counts(0) + QUESTION)), 17);
  add(true, udp(53, 40_000, latin1(raw(u16(7), u16(0x8180)) + counts(1) + QUESTION + answer)), 17);
  return pcapFile(packets);
}

/** Everything that can be said of a capture, by the kind of output. */
async function sayAll(file: string, redact: boolean, terminal: FakeTerminal): Promise<Map<string, string>> {
  const said = new Map<string, string>();
  const isolated = async (name: string, run: (inner: FakeTerminal) => Promise<unknown>) => {
    const inner = createFakeTerminal();
    await run(inner);
    said.set(name, [inner.out(), ...inner.said].join("\n"));
    inner.dispose();
  };
  for (const output of OUTPUT_FORMATS)
    for (const table of [undefined, ...TABLE_NAMES]) {
      if (output === "csv" && table === undefined) continue;
      const options = { output, redact, ...(table === undefined ? {} : { table }) };
      await isolated(`${output} ${table}`, (inner) => analyze([file], options, "netwatch 0", inner));
    }
  await isolated("metrics", (inner) => metrics([file], {}, "netwatch 0", inner));
  const outDir = join(terminal.folder, `out-${redact}`);
  await analyze([file], { output: "table", redact, outDir }, "netwatch 0", terminal);
  for (const name of readdirSync(outDir)) said.set(name, readFileSync(join(outDir, name), "latin1"));
  said.set("kept", readFileSync(lastSnapshotPath(terminal.env), "utf8"));
  const pdf = join(terminal.folder, `${redact}.pdf`);
  await report(pdf, { read: [file], redact, date: new Date(0) }, "netwatch 0", terminal);
  said.set("pdf", spawnSync("pdftotext", ["-layout", pdf, "-"], { encoding: "utf8" }).stdout ?? "");
  said.set("pdf's bytes", readFileSync(pdf, "latin1"));
  return said;
}

test("no payload, header, query, key, value, SQL, DNS name or password is in any output; --redact hides routes and server names", async () => {
  const terminal = createFakeTerminal();
  const file = join(terminal.folder, "secrets.pcap");
  writeFileSync(file, capture());
  assert.ok((readFileSync(file, "latin1").match(SECRET)?.length ?? 0) >= 45);
  const open = await sayAll(file, false, terminal);
  const redacted = await sayAll(file, true, terminal);
  for (const [name, text] of [...open, ...redacted]) assert.deepEqual(text.match(SECRET) ?? [], [], name);

  // Everything was read, so that there was something to leak.
  const json = open.get("json undefined")!;
  for (const operation of ["POST /checkout/orders/{id}", "AUTH", "SET", "SELECT", "INSERT", "A", NAME])
    assert.ok(
      json.includes(`"operation":"${operation}"`) || json.includes(`"operation": "${operation}"`),
      operation,
    );
  assert.match(open.get("csv http")!, /checkout/);

  for (const [name, text] of redacted) assert.doesNotMatch(text, /checkout|vault\.example/, name);
  assert.match(redacted.get("csv http")!, /POST \{route 1\}/);
  assert.match(redacted.get("csv http")!, /GET \{route 2\}/);
  assert.match(redacted.get("csv tls")!, /\{name \d+\}/);
  assert.match(redacted.get("csv postgres")!, /SELECT/);
  terminal.dispose();
});

test("a snapshot that shows routes is not reported as if it did not", async () => {
  const terminal = createFakeTerminal();
  const file = join(terminal.folder, "secrets.pcap");
  writeFileSync(file, capture());
  const pdf = join(terminal.folder, "a.pdf");
  const fromKept = () => report(pdf, { redact: true, date: new Date(0) }, "netwatch 0", terminal);
  await analyze([file], { output: "table" }, "netwatch 0", terminal);
  await assert.rejects(fromKept, /made without --redact/);
  await analyze([file], { output: "table", redact: true }, "netwatch 0", terminal);
  await fromKept();
  terminal.dispose();
});
