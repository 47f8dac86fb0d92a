import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import fastify from "fastify";
import { PATIENCE_MS, until } from "../../src/until.test.fixture.js";
import { call } from "./call.js";
import { Listener } from "./listener.js";

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

test("moves to a free port and answers on both while draining", async () => {
  const [first, used, free] = await freePorts(3);
  const squatter = createServer().listen(used, "127.0.0.1");
  await once(squatter, "listening");
  const http = fastify();
  http.get("/", () => ({ ok: true }));
  const listener = new Listener(http, "127.0.0.1", [first!, used!, free!], PATIENCE_MS);
  try {
    await listener.open();
    assert.equal(listener.port, first);
    assert.deepEqual(await listener.rotate(), { from: first, to: free });
    assert.deepEqual(listener.draining, [first]);
    for (const port of [first, free]) assert.equal((await call(`http://127.0.0.1:${port}/`)).status, 200);
  } finally {
    await listener.close();
    squatter.close();
  }
});

test("the port before is closed once it is drained", async () => {
  const ports = await freePorts(2);
  const http = fastify();
  http.get("/", () => ({ ok: true }));
  const listener = new Listener(http, "127.0.0.1", ports, 1);
  try {
    await listener.open();
    const { from, to } = await listener.rotate();
    await until(() => listener.draining.length === 0);
    await assert.rejects(call(`http://127.0.0.1:${from}/`));
    assert.equal((await call(`http://127.0.0.1:${to}/`)).status, 200);
  } finally {
    await listener.close();
  }
});

/** Whether new connections are refused there. */
async function isClosed(port: number): Promise<boolean> {
  return call(`http://127.0.0.1:${port}/none`).then(
    () => false,
    () => true,
  );
}

test("a request under way when the port closes is still answered", async () => {
  const ports = await freePorts(2);
  const http = fastify();
  let answer: ((body: object) => void) | undefined;
  http.get(
    "/",
    () =>
      new Promise<object>((resolve) => {
        answer = resolve;
      }),
  );
  const listener = new Listener(http, "127.0.0.1", ports, 100);
  try {
    await listener.open();
    const slow = call(`http://127.0.0.1:${ports[0]}/`, { timeoutMs: PATIENCE_MS });
    await until(() => answer !== undefined);
    await listener.rotate();
    await until(() => isClosed(ports[0]!));
    answer!({ ok: true });
    assert.equal((await slow).status, 200);
  } finally {
    await listener.close();
  }
});

test("with every port taken the rotation fails and the old port stays", async () => {
  const [only] = await freePorts(1);
  const listener = new Listener(fastify(), "127.0.0.1", [only!], 100);
  try {
    await listener.open();
    await assert.rejects(listener.rotate(), /no port is free/);
    assert.equal(listener.port, only);
  } finally {
    await listener.close();
  }
});
