import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { runBounded } from "../../until.test.fixture.js";
import { answering, CONTAINERS, containerJson, startEngine } from "../live/engine.test.fixture.js";
import { ServiceError } from "../names/json-client.js";
import { PeerThread } from "./peer-thread.js";

/** So that a busy machine changes nothing. */
const PATIENT = { limitMs: 120_000 };

/** Runs `check` with a thread and an engine that answers the list of containers so. */
async function withEngine(
  answer: RequestListener,
  check: (peers: PeerThread, socket: string) => Promise<void>,
  peers = new PeerThread(PATIENT),
): Promise<void> {
  const engine = await startEngine(answer);
  try {
    await check(peers, engine.socket);
  } finally {
    await peers.close();
    await engine.close();
  }
}

/** Runs `check`, and says how often JSON was parsed on this thread meanwhile. */
async function countingParses(check: () => Promise<void>): Promise<number> {
  const { parse } = JSON;
  let calls = 0;
  JSON.parse = (...args) => {
    calls++;
    return parse(...args);
  };
  try {
    await check();
  } finally {
    JSON.parse = parse;
  }
  return calls;
}

test("an engine's and a registry's answers are parsed beside this thread, which gets names alone", async () => {
  const listener = answering({ "/containers/json": CONTAINERS });
  await withEngine(listener, async (peers, socket) => {
    const calls = await countingParses(async () => {
      assert.deepEqual((await peers.engine(socket)).slice(0, 3), [
        { id: (CONTAINERS[0] as { Id: string }).Id, name: "web", addresses: ["172.20.0.5"] },
        { id: "aa1".padEnd(64, "0"), name: "product", addresses: ["172.21.0.3"] },
        { id: "aa2".padEnd(64, "0"), name: "product-2", addresses: ["172.21.0.4", "fd00::4"] },
      ]);
      const history = [{ service: "a", instance: "a", address: "10.0.0.1", port: 80, from: 1, to: null }];
      const registry = createServer((_, response) => response.end(JSON.stringify({ history })));
      await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
      const url = new URL(`http://127.0.0.1:${(registry.address() as AddressInfo).port}`);
      try {
        const span = { fromUs: 1000, toUs: Number.POSITIVE_INFINITY };
        assert.deepEqual(await peers.registry(url), [
          { service: "a", instance: "a", text: "10.0.0.1", port: 80, ...span },
        ]);
      } finally {
        registry.closeAllConnections();
        registry.close();
      }
    });
    assert.equal(calls, 0);
  });
});

const MB = 1024 * 1024;

/** Sends a text repeatedly until so much is sent, or the reader stops. */
function pouring(start: string, piece: string, bytes: number): RequestListener {
  return (_, response) => {
    response.write(start);
    let left = Math.ceil(bytes / piece.length);
    const pour = () => {
      while (left-- > 0 && !response.destroyed) if (!response.write(piece)) return;
      response.end();
    };
    response.on("drain", pour);
    response.on("error", () => {});
    pour();
  };
}

const container = JSON.stringify(containerJson("a", "c", { n: { IPAddress: "10.0.0.1" } }));
const HOSTILE: readonly (readonly [what: string, answer: RequestListener, reason: RegExp])[] = [
  ["16 MB of it, wide", pouring("[0", ",0".repeat(4096), 16 * MB), /more than 200000 values|larger than/],
  ["16 MB of it, deep", pouring("", "[".repeat(8192), 16 * MB), /deeper than 32|larger than/],
  ["4 MB of it, wide", pouring("[0", ",0".repeat(4096), 4 * MB), /more than 200000 values/],
  ["4 MB of it, deep", pouring("", "[".repeat(8192), 4 * MB), /deeper than 32/],
  ["a million containers", pouring(`[${container}`, `,${container}`, 1e6 * container.length), /larger than/],
  ["one long text", pouring('["', "x".repeat(MB), 7 * MB), /other than JSON/],
  ["bytes that are compressed", pouring("\x1f\x8b\x08\0", "\0\xff\x8b".repeat(1000), MB), /other than JSON/],
];

for (const [what, answer, reason] of HOSTILE)
  test(`an answer that is ${what} fails as its source's alone, and the thread asks on`, () =>
    withEngine(answer, async (peers, socket) => {
      await assert.rejects(peers.engine(socket), (error: unknown) => {
        assert.ok(error instanceof ServiceError, String(error));
        assert.match(error.message, reason);
        return true;
      });
      const good = await startEngine(answering({ "/containers/json": CONTAINERS }));
      try {
        assert.equal((await peers.engine(good.socket)).length, CONTAINERS.length);
      } finally {
        await good.close();
      }
    }));

test("an answer that drips is given up, by the one who asked too", () => {
  const drip: RequestListener = (_, response) => {
    response.write("[");
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  };
  return withEngine(
    drip,
    (peers, socket) =>
      assert.rejects(peers.engine(socket), { message: "no answer within 0.2 s", code: "ETIMEDOUT" }),
    new PeerThread({ limitMs: 200 }),
  );
});

test("as many containers and addresses as the limits let through are cut to what is kept", () => {
  const list = [
    { Id: "f".repeat(4096), Names: ["/of no id"] },
    { Id: "a", Names: ["/many"], NetworkSettings: { Networks: networksOf(30_000) } },
    ...Array.from({ length: 12_000 }, (_, i) => ({ Id: `b${i}`, Names: [`/${"n".repeat(400)}${i}`] })),
  ];
  return withEngine(answering({ "/containers/json": list }), async (peers, socket) => {
    const names = await peers.engine(socket);
    assert.equal(names.length, 10_000);
    assert.equal(names.at(-1)!.omitted, 10_000 + 2002, "addresses and containers that had no room");
    assert.deepEqual(
      names.slice(0, 3).map(({ id, name, addresses }) => [id, name.length, addresses.length]),
      [
        ["", 8, 0],
        ["a", 4, 20_000],
        ["b0", 255, 0],
      ],
    );
  });
});

function networksOf(count: number): Record<string, unknown> {
  const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, { IPAddress: address(i) }]));
}

test("a thread that dies of an answer fails what was asked, and another asks the next time", async () => {
  const networks = networksOf(48_000);
  const heavy = answering({ "/containers/json": [{ Id: "a", NetworkSettings: { Networks: networks } }] });
  const small = new PeerThread({ ...PATIENT, heapMb: 12 });
  await small.load();
  await withEngine(
    heavy,
    async (peers, socket) => {
      const good = await startEngine(answering({ "/containers/json": CONTAINERS }));
      const dying = /^the thread that asks ran out of memory$/;
      try {
        for (let i = 0; i < 3; i++) {
          const asked = await Promise.allSettled([peers.engine(socket), peers.engine(socket)]);
          for (const one of asked)
            assert.match(one.status === "rejected" ? (one.reason as Error).message : "it lives", dying);
          assert.equal((await peers.engine(good.socket)).length, CONTAINERS.length);
        }
      } finally {
        await good.close();
      }
    },
    small,
  );
});

test("an answer that has not changed is the same list, one that has is another", async () => {
  const [first, ...others] = CONTAINERS;
  let list: unknown[] = CONTAINERS;
  const listener: RequestListener = (request, response) =>
    answering({ "/containers/json": list })(request, response);
  await withEngine(listener, async (peers, socket) => {
    const before = await peers.engine(socket);
    assert.equal(await peers.engine(socket), before);
    list = others;
    const after = await peers.engine(socket);
    assert.deepEqual(after, before.slice(1));
    assert.equal(await peers.engine(socket), after);
    list = [first, ...others];
    assert.deepEqual(await peers.engine(socket), before);
  });
});

test("checks go on while the one who asks is held up, and that is in no duration", async () => {
  const asked = new Int32Array(new SharedArrayBuffer(4));
  // in a thread of its own, so that it answers while this one does not run
  const server = new Worker(
    `const { createServer } = require("node:http");
     const { parentPort, workerData } = require("node:worker_threads");
     const server = createServer((_, response) => {
       response.end("ok");
       Atomics.add(workerData, 0, 1);
       Atomics.notify(workerData, 0);
     });
     server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`,
    { eval: true, workerData: asked },
  );
  const port = await new Promise<number>((resolve) => server.once("message", resolve));
  const peers = new PeerThread();
  try {
    await peers.load();
    const target = { service: "s", address: "127.0.0.1", port, check: "http", path: "/" } as const;
    const checks = peers.health(Array.from({ length: 8 }, () => target));
    const began = performance.now();
    for (let i = 0; i < 8; i++) Atomics.wait(asked, 0, i, 60_000);
    assert.equal(Atomics.load(asked, 0), 8);
    // what arrived in between waits a while longer
    Atomics.wait(asked, 0, 8, 1000);
    const stalled = (performance.now() - began) / 1000;
    for (const { result } of await checks) {
      assert.equal(result.failure, null);
      assert.ok(result.seconds < stalled, `${result.seconds} s beside a stall of ${stalled} s`);
      assert.ok(result.ownSeconds! >= 0 && result.ownSeconds! <= result.seconds, String(result.ownSeconds));
    }
  } finally {
    await peers.close();
    await server.terminate();
  }
});

test("a process waits for its threads to load, and for none that was not closed", () => {
  const code = 'await new it.PeerThread().load(); console.log("loaded");';
  assert.equal(runBounded(new URL("./peer-thread.js", import.meta.url), code), "loaded\n");
});
