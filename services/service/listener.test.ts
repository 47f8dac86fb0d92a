import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fastify from "fastify";
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

test("moves to a free port, answers on both while draining, then closes the old one", async () => {
  const [first, used, free] = await freePorts(3);
  const squatter = createServer().listen(used, "127.0.0.1");
  await once(squatter, "listening");
  const http = fastify();
  http.get("/", () => ({ ok: true }));
  const listener = new Listener(http, "127.0.0.1", [first!, used!, free!], 2000);
  try {
    await listener.open();
    assert.equal(listener.port, first);
    assert.deepEqual(await listener.rotate(), { from: first, to: free });
    assert.deepEqual(listener.draining, [first]);
    for (const port of [first, free]) assert.equal((await call(`http://127.0.0.1:${port}/`)).status, 200);
    while (listener.draining.length > 0) await sleep(20);
    await assert.rejects(call(`http://127.0.0.1:${first}/`));
    assert.equal((await call(`http://127.0.0.1:${free}/`)).status, 200);
  } finally {
    await listener.close();
    squatter.close();
  }
});

test("a request under way when the port closes is still answered", async () => {
  const ports = await freePorts(2);
  const http = fastify();
  http.get("/", async () => {
    await sleep(400);
    return { ok: true };
  });
  const listener = new Listener(http, "127.0.0.1", ports, 100);
  try {
    await listener.open();
    const slow = call(`http://127.0.0.1:${ports[0]}/`);
    await sleep(50);
    await listener.rotate();
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
