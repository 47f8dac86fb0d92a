import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get, request } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { compareSync, hashSync } from "bcryptjs";
import { until } from "../../../until.test.fixture.js";
import { AllowedHosts } from "./allowed-hosts.js";
import { OPEN_CONFIG, type WebConfig } from "./web-config.js";
import { type Route, WebServer, type WebServerParts } from "./web-server.js";

const LONG = "a line\n".repeat(1000);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const compare = async (password: string, hashes: readonly string[]) =>
  hashes.map((hash) => compareSync(password, hash));

function serverOf(parts: Pick<WebServerParts, "routes" | "answerMs">, config = OPEN_CONFIG): WebServer {
  return new WebServer({ hosts: new AllowedHosts("127.0.0.1", ["x"]), compare, ...parts }, config);
}

async function begin(t: TestContext, config: WebConfig = OPEN_CONFIG, more: Record<string, Route> = {}) {
  const routes = new Map<string, Route>([
    ["/metrics", { make: async () => ({ status: 200, type: "text/plain", body: LONG }), atOnce: 2 }],
    ...Object.entries(more),
  ]);
  const server = serverOf({ routes }, config);
  const port = await server.listen("127.0.0.1", 0);
  t.after(() => server.close());
  return { server, port };
}

async function ask(port: number, path: string, options: object = {}): Promise<Answer> {
  const asked = request({ port, path, host: "127.0.0.1", agent: new Agent(), ...options });
  asked.end();
  const [response] = await once(asked, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

/** Sends bytes, gives what comes back until the server hangs up. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

test("a page is sent whole, gzipped for who takes it, with HEAD only its heading", async (t) => {
  const { port } = await begin(t);
  const plain = await ask(port, "/metrics?x=1");
  assert.equal(plain.status, 200);
  assert.equal(plain.body.toString(), LONG);
  const zipped = await ask(port, "/metrics", { headers: { "accept-encoding": "gzip, deflate" } });
  assert.equal(zipped.headers["content-encoding"], "gzip");
  assert.equal(gunzipSync(zipped.body).toString(), LONG);
  const head = await ask(port, "/metrics", { method: "HEAD" });
  assert.equal(head.headers["content-length"], String(LONG.length));
  assert.equal(head.body.length, 0);
});

test("what is not a GET of a page is refused by its own code and counted by a closed set of reasons", async (t) => {
  const { server, port } = await begin(t);
  assert.equal((await ask(port, "/nothing")).status, 404);
  assert.equal((await ask(port, "/constructor")).status, 404);
  const posted = await ask(port, "/metrics", { method: "POST" });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.allow, "GET, HEAD");
  assert.equal((await ask(port, "/metrics", { headers: { "content-length": "5" } })).status, 413);
  assert.equal((await ask(port, "/metrics", { headers: { host: "evil.example.com" } })).status, 421);
  assert.match(
    await raw(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(9000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  assert.match(await raw(port, "\u0016\u0003\u0001 no HTTP at all\r\n\r\n"), /^HTTP\/1\.1 400 /);
  const counted = [...server.refused].filter(([, count]) => count > 0);
  assert.deepEqual(
    new Map(counted),
    new Map([
      ["body", 1],
      ["host", 1],
      ["malformed", 1],
      ["method", 1],
      ["path", 2],
      ["too_large", 1],
    ]),
  );
});

test("more pages at once than may be get 503 and the rest is served", async (t) => {
  const waiting: (() => void)[] = [];
  const slow: Route = {
    make: () =>
      new Promise((resolve) => waiting.push(() => resolve({ status: 200, type: "text/plain", body: "x" }))),
    atOnce: 2,
  };
  const { port } = await begin(t, OPEN_CONFIG, { "/slow": slow });
  const served = [ask(port, "/slow"), ask(port, "/slow")];
  await until(() => waiting.length === 2);
  const refused = await ask(port, "/slow");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers["retry-after"], "1");
  for (const go of waiting) go();
  assert.deepEqual(
    (await Promise.all(served)).map(({ status }) => status),
    [200, 200],
  );
});

test("with users only who knows the password is let in, and a page that fails says nothing of itself", async (t) => {
  const users = new Map([["alice", hashSync("secret", 4)]]);
  const fails: Route = { make: () => Promise.reject(new Error("of the inside")), atOnce: 1 };
  const { server, port } = await begin(t, { ...OPEN_CONFIG, users }, { "/fails": fails });
  const refused = await ask(port, "/metrics");
  assert.equal(refused.status, 401);
  assert.match(String(refused.headers["www-authenticate"]), /^Basic realm=/);
  assert.equal((await ask(port, "/metrics", { auth: "alice:wrong" })).status, 401);
  assert.equal((await ask(port, "/metrics", { auth: "alice:secret" })).status, 200);
  const failed = await ask(port, "/fails", { auth: "alice:secret" });
  assert.equal(failed.status, 500);
  assert.doesNotMatch(failed.body.toString(), /inside/);
  server.use(OPEN_CONFIG);
  assert.equal((await ask(port, "/metrics")).status, 200);
});

test("a client without a request is cut off, and a closing server does not wait long", async (t) => {
  const { server, port } = await begin(t);
  const agent = new Agent({ keepAlive: true });
  get({ port, host: "127.0.0.1", path: "/metrics", agent }).on("response", (response) => response.resume());
  const answer = await raw(port, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  assert.match(answer, /^HTTP\/1\.1 408 /);
  assert.equal(server.refused.get("timeout"), 1);
  await server.close();
  agent.destroy();
});

test("who asks and does not read is cut off after a while, and others are served meanwhile", async (t) => {
  const large = "x".repeat(64 * 1024 * 1024);
  let isAsked = false;
  const makeLarge = async () => {
    isAsked = true;
    return { status: 200, type: "text/plain", body: large };
  };
  const routes = new Map<string, Route>([
    ["/large", { make: makeLarge, atOnce: 1 }],
    ["/small", { make: async () => ({ status: 200, type: "text/plain", body: "small" }), atOnce: 1 }],
  ]);
  const server = serverOf({ routes, answerMs: 500 });
  const port = await server.listen("127.0.0.1", 0);
  t.after(() => server.close());
  const slow = connect(port, "127.0.0.1");
  slow.on("error", () => {});
  slow.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  slow.pause();
  await until(() => isAsked);
  assert.equal((await ask(port, "/small")).body.toString(), "small");
  await until(() => server.refused.get("timeout")! > 0);
  assert.equal((await ask(port, "/small")).body.toString(), "small");
  slow.destroy();
});
