import assert from "node:assert/strict";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import { APPLICATIONS } from "./applications.js";
import { type Followed, follow, type Said } from "./stream.test.fixture.js";
import { tlsOutcome } from "./tls/tls-outcome.js";

/** Real programs talk over loopback through a relay that writes down what each says. */
class Relay {
  readonly #said: Said[] = [];
  readonly #server = net.createServer((client) => this.#join(client));
  readonly #to: number;
  #startMs = 0;

  constructor(to: number) {
    this.#to = to;
  }

  async listen(): Promise<number> {
    this.#startMs = performance.now();
    return listen(this.#server);
  }

  /** What is found in it, cut into segments of `segment` bytes. */
  find(segment: number): Followed {
    return follow(APPLICATIONS, this.#said, { segment });
  }

  close(): void {
    this.#server.close();
  }

  #join(client: net.Socket): void {
    const server = net.connect(this.#to, "127.0.0.1");
    this.#pass("client", client, server);
    this.#pass("server", server, client);
  }

  #pass(from: "client" | "server", source: net.Socket, sink: net.Socket): void {
    source.on("data", (data: Buffer) => {
      const atUs = Math.round((performance.now() - this.#startMs) * 1000);
      this.#said.push({ from, text: data.toString("latin1"), atUs });
      sink.write(data);
    });
    source.on("end", () => sink.end());
    source.on("error", () => sink.destroy());
  }
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref(); // one that a failed test leaves keeps no process
  return (server.address() as net.AddressInfo).port;
}

function lines({ operations }: Followed): readonly string[] {
  return operations.map(
    (of) => `${of.name} ${of.requests}/${of.answered} ${[...of.outcomes.keys()].join(",")}`,
  );
}

const SEGMENTS = [1, 100, 1448, 100_000];

test("Node's HTTP client and server: keep-alive, chunked bodies both ways, HEAD, 100 Continue, errors, an upgrade", async () => {
  const server = http.createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const isMissing = request.url!.startsWith("/missing");
      response.writeHead(isMissing ? 404 : 200, { "x-secret": "value" });
      response.write("first ".repeat(500));
      response.end("last");
    });
  });
  server.on("upgrade", (_, socket) =>
    socket.end(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ),
  );
  const relay = new Relay(await listen(server));
  const port = await relay.listen();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: string, path: string, body: readonly string[] = [], headers = {}) =>
    new Promise<void>((resolve, reject) => {
      const request = http.request({ port, host: "127.0.0.1", agent, method, path, headers }, (response) => {
        response.resume();
        response.on("end", resolve);
      });
      request.on("upgrade", (_, socket) => {
        socket.on("close", () => resolve());
        socket.end("more");
      });
      request.on("error", reject);
      if ("expect" in headers) request.on("continue", () => request.end(body.join("")));
      else {
        for (const part of body) request.write(part);
        request.end();
      }
    });
  await ask("GET", "/products/1?key=secret");
  await ask("POST", "/orders", ["a".repeat(3000), "b", "c".repeat(70)]);
  await ask("HEAD", "/products/2");
  await ask("PUT", "/orders/3", ["body"], { expect: "100-continue", "content-length": "4" });
  await ask("GET", "/missing");
  await ask("GET", "/products/4");
  await ask("GET", "/upgrade", [], { connection: "upgrade", upgrade: "x" });
  agent.destroy();
  relay.close();
  server.close();
  for (const segment of SEGMENTS) {
    const found = relay.find(segment);
    assert.deepEqual(lines(found), [
      "GET /products/{id} 2/2 200",
      "POST /orders 1/1 200",
      "HEAD /products/{id} 1/1 200",
      "PUT /orders/{id} 1/1 200",
      "GET /missing 1/1 404",
      "GET /upgrade 1/1 101",
    ]);
    assert.deepEqual([found.application, found.open, found.gaps, found.leakedBytes], ["http", 0, 0, 0]);
  }
});

test("OpenSSL as Node has it: the name, version and protocol of a handshake; a refused one", async () => {
  // Without certificates, which only TLS 1.2 can.
  const anonymous = { ciphers: "aNULL:@SECLEVEL=0", maxVersion: "TLSv1.2" as const };
  const server = tls.createServer({ ...anonymous, ALPNProtocols: ["http/1.1"] }, (socket) =>
    socket.end("hello"),
  );
  server.on("tlsClientError", () => {});
  const port = await listen(server);
  const outcomeOf = async (options: tls.ConnectionOptions) => {
    const relay = new Relay(port);
    const through = await relay.listen();
    await new Promise<void>((resolve) => {
      const socket = tls.connect({ port: through, host: "127.0.0.1", rejectUnauthorized: false, ...options });
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
    relay.close();
    const all = SEGMENTS.map((segment) => relay.find(segment));
    for (const { application, operations, leakedBytes } of all) {
      assert.deepEqual([application, operations.length, leakedBytes], ["tls", 1, 0]);
      assert.deepEqual(operations[0]!.outcomes, all[0]!.operations[0]!.outcomes);
    }
    const [of] = all[0]!.operations;
    return { name: of!.name, errors: of!.errors, ...tlsOutcome([...of!.outcomes.keys()][0]!) };
  };
  assert.deepEqual(
    await outcomeOf({ ...anonymous, servername: "Shop.Example", ALPNProtocols: ["h2", "http/1.1"] }),
    { name: "shop.example", errors: 0, version: "TLS 1.2", alpn: "http/1.1", alert: null },
  );
  const refused = await outcomeOf({ servername: "old.example", minVersion: "TLSv1.3" });
  assert.deepEqual(refused, {
    name: "old.example",
    errors: 1,
    version: null,
    alpn: null,
    alert: "protocol_version",
  });
  server.close();
});

test("Node's HTTP/2 client: gRPC by its content type, else HTTP/2", async () => {
  const server = http2.createServer((_, response) => response.end("x"));
  const port = await listen(server);
  for (const [type, name] of [
    ["application/grpc+proto", "grpc"],
    ["application/json", "http2"],
  ] as const) {
    const relay = new Relay(port);
    const session = http2.connect(`http://127.0.0.1:${await relay.listen()}`);
    await new Promise<void>((resolve) => {
      const request = session.request({ ":method": "POST", ":path": "/shop.Cart/Add", "content-type": type });
      request.resume();
      request.on("close", resolve);
      request.end("x");
    });
    await new Promise<void>((resolve) => session.close(resolve));
    relay.close();
    for (const segment of SEGMENTS) {
      const found = relay.find(segment);
      assert.deepEqual([found.application, found.operations.length, found.leakedBytes], [name, 0, 0]);
    }
  }
  server.close();
});
