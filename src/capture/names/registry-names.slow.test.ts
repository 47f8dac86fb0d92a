import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { PATIENCE_MS } from "../../until.test.fixture.js";
import { parseHistory, readRegistry } from "./registry-names.js";

const FIXTURE = new URL("../../../../fixtures/rotation.history.json", import.meta.url);
const LIMITS = { timeoutMs: PATIENCE_MS, bytes: 1_000_000, cost: { depth: 32, values: 10_000 } };

async function withRegistry(answer: RequestListener, check: (url: URL) => Promise<void>): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await check(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test("the lab's own history: spans in microseconds, open ones without an end", () =>
  withRegistry(
    (request, response) => {
      response.writeHead(request.url === "/history" ? 200 : 404).end(readFileSync(FIXTURE));
    },
    async (url) => {
      const history = await readRegistry(url, LIMITS);
      assert.deepEqual(history[0], {
        service: "payment",
        instance: "payment",
        text: "10.0.0.80",
        port: 8003,
        fromUs: 1_795_346_440_991_000,
        toUs: 1_795_346_461_004_000,
      });
      assert.ok(history.some(({ toUs }) => toUs === Number.POSITIVE_INFINITY));
    },
  ));

test("a history of more than is kept says how much is not", () => {
  const entry = { service: "a", instance: "a", address: "10.0.0.1", port: 80, from: 1, to: null };
  const tenancies = parseHistory({ history: Array.from({ length: 20_003 }, () => entry) });
  assert.deepEqual([tenancies.length, tenancies.at(-1)!.omitted], [20_000, 3]);
  assert.equal(parseHistory({ history: [entry] })[0]!.omitted, undefined);
});

test("entries whose address is none are left out; another shape is refused", () => {
  const entry = { service: "a", instance: "a", address: "10.0.0.1", port: 80, from: 1, to: null };
  assert.equal(parseHistory({ history: [entry, { ...entry, address: "nowhere" }] }).length, 1);
  for (const wrong of [
    null,
    [],
    { history: [{ ...entry, port: 0 }] },
    { history: [{ ...entry, from: "yesterday" }] },
    { history: [{ ...entry, service: "" }] },
    { history: [{ ...entry, service: "x".repeat(300) }] },
  ])
    assert.throws(() => parseHistory(wrong));
});

test("a registry that hangs, redirects or is not there fails in time", async () => {
  await withRegistry(
    () => {},
    (url) => assert.rejects(readRegistry(url, { ...LIMITS, timeoutMs: 200 }), /no answer within 0.2 s/),
  );
  await withRegistry(
    (_, response) => void response.writeHead(301, { location: "http://127.0.0.1:1/" }).end(),
    (url) => assert.rejects(readRegistry(url, LIMITS), /status 301 \(a redirect\)/),
  );
  await assert.rejects(readRegistry(new URL("http://127.0.0.1:1"), LIMITS), /nobody listens/);
  await assert.rejects(readRegistry(new URL("https://127.0.0.1:1"), LIMITS), /only http/);
});
