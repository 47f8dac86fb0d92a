import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { PATIENCE_MS } from "../../until.test.fixture.js";
import { answering, CONTAINERS, containerJson, NETWORKS, startEngine } from "../live/engine.test.fixture.js";
import { ENGINE_SOCKETS, engineSockets, findNetworkBridge, readEngine } from "./docker.js";
import { ServiceError } from "./json-client.js";

const SHOP = { "/containers/json": CONTAINERS, "/networks": NETWORKS };

/** Runs `check` against a fake engine. */
async function withEngine(answer: RequestListener, check: (socket: string) => Promise<void>): Promise<void> {
  const engine = await startEngine(answer);
  try {
    await check(engine.socket);
  } finally {
    await engine.close();
  }
}

test("containers go by service and replica; others by their own name", () =>
  withEngine(answering(SHOP), async (socket) => {
    const { containers, networks, omitted } = await readEngine(socket);
    assert.deepEqual(
      containers.map(({ name, addresses }) => [name, ...addresses.map(({ address }) => address)]),
      [
        ["web", "172.20.0.5"],
        ["product", "172.21.0.3"],
        ["product-2", "172.21.0.4", "fd00:0:0::4"],
        ["eager_hopper", "172.17.0.2"],
        ["__proto__", "172.17.0.3"],
        ["on-the-host"],
      ],
    );
    assert.deepEqual(
      networks.map(({ name, bridge, subnets }) => [name, bridge, ...subnets]),
      [
        ["bridge", "docker0", "172.17.0.0/16"],
        ["shop_backend", "br-7d86d31b1478", "172.21.0.0/16"],
        ["host", null],
        ["none", null],
      ],
    );
    assert.equal(omitted, 0);
  }));

test("containers keep their names in every state in which they hold an address", () => {
  const states = ["running", "paused", "restarting", "stopping", "created", "initialized", "Paused", null];
  const ended = ["exited", "stopped", "dead", "removing"];
  const listed = [...states, ...ended].map((State, i) => {
    const address = { n: { IPAddress: `172.20.1.${i}` } };
    return { ...(containerJson(`a${i}`, `${State}-${i}`, address) as object), State };
  });
  const waiting = {
    ...(containerJson("b", "waiting", { n: { IPAddress: "" } }) as object),
    State: "created",
  };
  const values = { "/containers/json": [...listed, waiting], "/networks": [] };
  return withEngine(answering(values), async (socket) =>
    assert.deepEqual(
      (await readEngine(socket)).containers.map(({ name, addresses }) => [name, addresses[0]?.address]),
      states.map((State, i) => [`${State}-${i}`, `172.20.1.${i}`]),
    ),
  );
});

test("a thousand containers are within the limits", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`com.example.label-${i}`, "x".repeat(40)]),
  );
  const list = Array.from({ length: 1000 }, (_, i) =>
    containerJson(`a${i}`, `c-${i}`, { n: { IPAddress: `10.0.${i >> 8}.${i & 255}` } }, labels),
  );
  return withEngine(answering({ "/containers/json": list, "/networks": [] }), async (socket) =>
    assert.equal((await readEngine(socket)).containers.length, 1000),
  );
});

test("two projects with one service: both go by the engine's names", () => {
  const labels = (project: string) => ({
    "com.docker.compose.project": project,
    "com.docker.compose.service": "web",
    "com.docker.compose.container-number": "1",
  });
  const list = ["a", "b"].map((p) => containerJson(p, `${p}-web-1`, {}, labels(p)));
  return withEngine(answering({ "/containers/json": list, "/networks": [] }), async (socket) => {
    assert.deepEqual(
      (await readEngine(socket)).containers.map(({ name }) => name),
      ["a-web-1", "b-web-1"],
    );
  });
});

test("podman says the bridge's name in its own list only", () => {
  const values = {
    "/containers/json": [],
    "/networks": [{ Name: "podman", Id: "2f".repeat(32), Driver: "bridge", Options: null, IPAM: null }],
    "/v4.0.0/libpod/networks/json": [{ name: "podman", network_interface: "podman0", driver: "bridge" }],
  };
  return withEngine(answering(values, { "Libpod-Api-Version": "4.3.1" }), async (socket) =>
    assert.equal((await readEngine(socket)).networks[0]?.bridge, "podman0"),
  );
});

test("--network: by name, by compose's suffix, by id; otherwise it says what there is", () =>
  withEngine(answering(SHOP), async (socket) => {
    const find = (wanted: string) => findNetworkBridge(["/nonexistent/engine.sock", socket], wanted);
    assert.equal(await find("shop_backend"), "br-7d86d31b1478");
    assert.equal(await find("backend"), "br-7d86d31b1478");
    assert.equal(await find("7d86d31b"), "br-7d86d31b1478");
    assert.equal(await find("bridge"), "docker0");
    await assert.rejects(find("front"), /no network front; there are bridge, host, none, shop_backend/);
    await assert.rejects(find("host"), /network host \(host\) has no bridge/);
    await assert.rejects(
      findNetworkBridge(["/nonexistent/engine.sock"], "x"),
      /no engine answers.*no such socket/,
    );
  }));

const LIMITS = { timeoutMs: PATIENCE_MS, bytes: 100_000, cost: { depth: 32, values: 10_000 } };
/** For who never answers; in time for no other. */
const BRIEF_MS = 200;

const BAD: readonly (readonly [string, RequestListener, RegExp])[] = [
  ["silence", () => {}, /no answer within 0.2 s/],
  ["a body that never ends", (_, response) => void response.writeHead(200).write("["), /no answer within/],
  [
    "a body that drips",
    (_, response) => {
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    },
    /no answer within/,
  ],
  ["garbage", (_, response) => void response.end("<html>"), /other than JSON/],
  ["another shape", (_, response) => void response.end('{"message":"hello"}'), /unexpected answer/],
  ["wrong types", (_, response) => void response.end('[{"Id":7,"Name":[]}]'), /unexpected answer/],
  ["deep JSON", (_, response) => void response.end("[".repeat(50_000)), /nested deeper than 32/],
  [
    "wide JSON",
    (_, response) => void response.end(`[${"{},".repeat(20_000)}{}]`),
    /answer of more than 10000 values/,
  ],
  ["a huge body", (_, response) => void response.end("[".repeat(1_000_000)), /larger than 100000 bytes/],
  [
    "a redirect",
    (_, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/containers/json" }).end(),
    /status 302 \(a redirect\)/,
  ],
  ["an error", (_, response) => void response.writeHead(500).end("{}"), /status 500/],
  ["a connection broken off", (request) => void request.socket.destroy(), /hang up|broken off/],
  [
    "a body cut short",
    (_, response) => {
      response.writeHead(200, { "content-length": "1000" }).write("[");
      setTimeout(() => response.destroy(), 20);
    },
    /cut short|broken off/,
  ],
];

for (const [what, answer, expected] of BAD)
  test(`an engine with ${what} fails in one line, without waiting for its end`, () =>
    withEngine(answer, async (socket) => {
      const isEndless = expected.source.includes("no answer within");
      const limits = isEndless ? { ...LIMITS, timeoutMs: BRIEF_MS } : LIMITS;
      await assert.rejects(readEngine(socket, limits), (error: unknown) => {
        assert.ok(error instanceof ServiceError, String(error));
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    }));

test("no socket is told from a socket that refuses", async () => {
  await assert.rejects(readEngine("/nonexistent/engine.sock"), { code: "ENOENT" });
});

test("DOCKER_HOST is followed to a unix socket alone", () => {
  assert.deepEqual(engineSockets("unix:///run/user/1000/docker.sock"), ["/run/user/1000/docker.sock"]);
  for (const other of [undefined, "", "tcp://10.0.0.1:2375", "ssh://host", "unix://relative"])
    assert.deepEqual(engineSockets(other), ENGINE_SOCKETS);
});
