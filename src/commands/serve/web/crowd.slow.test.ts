import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { get as getTls } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { hashSync } from "bcryptjs";
import { PATIENCE_MS, until } from "../../../until.test.fixture.js";
import { AllowedHosts } from "./allowed-hosts.js";
import { OPEN_CONFIG, type WebConfig } from "./web-config.js";
import { type Route, WebServer } from "./web-server.js";

const CROWD = 150;
const PAGE = "a line of a page\n".repeat(10_000);
const MAX_CONNECTIONS = 256;

interface Crowd {
  readonly server: WebServer;
  readonly port: number;
  readonly config: WebConfig;
  readonly held: Socket[];
}

async function begin(t: TestContext, config: WebConfig = OPEN_CONFIG, body = PAGE): Promise<Crowd> {
  const page = { status: 200, type: "text/plain", body };
  const routes = new Map<string, Route>([
    ["/metrics", { make: async () => ({ ...page, body: PAGE }), atOnce: 4 }],
    ["/large", { make: async () => page, atOnce: 4 }],
  ]);
  const compare = async (password: string, hashes: readonly string[]) =>
    hashes.map(() => password === "secret");
  const server = new WebServer(
    { routes, hosts: new AllowedHosts("127.0.0.1", []), compare, answerMs: PATIENCE_MS },
    config,
  );
  const port = await server.listen("127.0.0.1", 0);
  const held: Socket[] = [];
  t.after(async () => {
    for (const socket of held) socket.destroy();
    await server.close();
  });
  return { server, port, config, held };
}

/** Opens sockets that send these bytes and never close. */
async function hold({ port, held }: Crowd, count: number, bytes: string | Uint8Array): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    held.push(socket);
    await new Promise<void>((resolve) => {
      socket.once("connect", () => socket.write(bytes, () => resolve()));
      socket.once("close", () => resolve());
    });
  }
}

/** The status of a scrape on a connection of its own; 0: there was no answer. */
function scrape({ port, config }: Crowd): Promise<number> {
  const options = { port, host: "127.0.0.1", path: "/metrics", agent: false, auth: "alice:secret" } as const;
  return new Promise((resolve) => {
    const ask = config.tls === null ? get : getTls;
    const asked = ask({ ...options, rejectUnauthorized: false }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("close", () => resolve(bytes === PAGE.length ? response.statusCode! : 0));
    });
    asked.on("error", () => resolve(0));
  });
}

async function scrapeTimes(crowd: Crowd, times: number): Promise<void> {
  for (let i = 0; i < times; i++) assert.equal(await scrape(crowd), 200);
}

const ALICE = Buffer.from("alice:secret").toString("base64");
const asked = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

const KINDS: Readonly<Record<string, string | Uint8Array>> = {
  "silent ones": "",
  "a part of a request line": "GET / HT",
  "headers without an end": "GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
  "a body without an end": asked("/metrics", "Content-Length: 1000\r\n"),
  "a chunked body without an end": `${asked("/metrics", "Transfer-Encoding: chunked\r\n")}5\r\nab`,
  "a wrong password": asked("/metrics"),
  "a foreign Host": "GET /metrics HTTP/1.1\r\nHost: evil.example.com\r\n\r\n",
  "no HTTP": "\u0016\u0003\u0001\r\n\r\n",
  "too many headers": `GET / HTTP/1.1\r\nX: ${"x".repeat(100_000)}`,
  "a page that is not there": asked("/none", `Authorization: Basic ${ALICE}\r\n`),
  "a hundred requests sent ahead": asked("/metrics", `Authorization: Basic ${ALICE}\r\n`).repeat(100),
};

for (const [kind, bytes] of Object.entries(KINDS))
  test(`${CROWD} sockets that are held with ${kind} stop no scrape, and lose their places`, async (t) => {
    const crowd = await begin(t, { ...OPEN_CONFIG, users: new Map([["alice", hashSync("secret", 4)]]) });
    await scrapeTimes(crowd, 1);
    await hold(crowd, CROWD, bytes);
    await scrapeTimes(crowd, 5);
    await until(() => crowd.server.connections.open === 0);
  });

test("kept-alive and silent sockets beyond all places make room for new ones, the oldest first", async (t) => {
  const crowd = await begin(t);
  const { server, held } = crowd;
  await hold(crowd, 2 * MAX_CONNECTIONS, asked("/metrics"));
  for (const socket of held) socket.resume();
  await scrapeTimes(crowd, 5);
  await until(() => server.connections.open <= MAX_CONNECTIONS);
  assert.ok(server.connections.cut.get("idle")! > 0);
  await hold(crowd, 2 * MAX_CONNECTIONS, "");
  await scrapeTimes(crowd, 5);
  assert.ok(server.connections.open <= MAX_CONNECTIONS);
  assert.ok(held[0]!.destroyed || held[0]!.readableEnded);
});

test("who asks for a large page and does not read it is cut off for those who do", async (t) => {
  const crowd = await begin(t, OPEN_CONFIG, "x".repeat(16 * 1024 * 1024));
  const { server, held } = crowd;
  for (let round = 0; round < 4; round++) {
    await hold(crowd, 4, asked("/large"));
    for (const socket of held) socket.pause();
    await until(() => server.connections.open >= Math.min(4, held.length));
  }
  let served = 0;
  await until(() => {
    void scrape(crowd).then((status) => {
      if (status === 200) served++;
    });
    return served >= 5;
  });
});

test("a kept-alive connection is used again and again while others are held", async (t) => {
  const crowd = await begin(t);
  const socket = connect(crowd.port, "127.0.0.1");
  let answers = 0;
  socket.on("data", (chunk: Buffer) => {
    answers += chunk.toString("latin1").split("HTTP/1.1 200 OK").length - 1;
  });
  crowd.held.push(socket);
  for (let i = 1; i <= 5; i++) {
    socket.write(asked("/metrics"));
    await until(() => answers === i);
    await hold(crowd, 25, "GET / HT");
  }
  assert.equal(socket.destroyed, false);
});

test("an answer that refuses comes whole before the connection goes", async (t) => {
  const { port } = await begin(t);
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.write(
    `POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(1000)}`,
  );
  await until(() => socket.destroyed);
  assert.match(text, /^HTTP\/1\.1 405 [\s\S]*only GET and HEAD\n$/);
});

const hasOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

function createTlsConfig(t: TestContext): WebConfig {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-crowd-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const words =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  execFileSync("openssl", [...words.split(" "), ...files], { stdio: "ignore" });
  const read = (name: string) => readFileSync(join(folder, name));
  const context = { cert: read("cert.pem"), key: read("key.pem") };
  return { ...OPEN_CONFIG, tls: { context, clientAuth: "NoClientCert", allowedNames: null } };
}

test("TLS: sockets that never shake hands, or say nothing after it, stop no scrape and lose their places", {
  skip: !hasOpenssl && "openssl is not installed",
}, async (t) => {
  const crowd = await begin(t, createTlsConfig(t));
  const { server, held, port } = crowd;
  await hold(crowd, CROWD, "");
  await hold(crowd, 5, "GET / HTTP/1.1\r\n\r\n");
  await scrapeTimes(crowd, 5);
  await until(() => server.connections.open === 0);
  assert.equal(server.connections.cut.get("handshake"), CROWD + 5);
  for (let i = 0; i < CROWD; i++) {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => {});
    held.push(socket);
  }
  await scrapeTimes(crowd, 5);
  await until(() => server.connections.open === 0);
});
