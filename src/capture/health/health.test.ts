import assert from "node:assert/strict";
import { createServer as createHttp, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { PATIENCE_MS } from "../../until.test.fixture.js";
import { type CheckKind, checkHealth, type HealthTarget } from "./health.js";
import { onlyLocal, parseHealthCandidates, targetsOf } from "./health-targets.js";

const clock = {
  nowMs: () => performance.now(),
  busyMs: () => performance.eventLoopUtilization().active,
};

/** With time enough on any machine. */
const ask = (target: HealthTarget) => checkHealth(target, clock, PATIENCE_MS);

function target(server: Server, check: CheckKind, path = ""): HealthTarget {
  return { service: "s", address: "127.0.0.1", port: (server.address() as AddressInfo).port, check, path };
}

async function withServer<T>(server: Server, run: () => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await run();
  } finally {
    server.close();
  }
}

/** A server that says this once it was asked. */
function saying(answer: string | Uint8Array, asked: (question: Buffer) => void = () => {}): Server {
  return createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.on("data", (question) => {
      asked(question as Buffer);
      socket.end(answer);
    });
  });
}

async function httpFailure(listener: RequestListener): Promise<string | null> {
  const server = createHttp(listener);
  return withServer(server, async () => (await ask(target(server, "http", "/health"))).failure);
}

test("HTTP: 2xx is up, everything else is not, no redirect is followed, bodies have a limit", async () => {
  assert.equal(await httpFailure((_, response) => response.end("{}")), null);
  assert.equal(await httpFailure((_, response) => response.writeHead(503).end()), "answered with status 503");
  let asked = 0;
  const redirect: RequestListener = (_, response) => {
    asked++;
    response.writeHead(302, { location: "/health" }).end();
  };
  assert.equal(await httpFailure(redirect), "answered with status 302 (a redirect)");
  assert.equal(asked, 1);
  assert.equal(
    await httpFailure((_, response) => response.end(Buffer.alloc(1_000_000))),
    "answer larger than 65536 bytes",
  );
});

test("a server that never answers is given up at the limit, one that is gone at once", async () => {
  const silent = createServer((socket) => socket.on("error", () => {}));
  await withServer(silent, async () => {
    for (const check of ["http", "redis", "postgres"] as const) {
      const { failure } = await checkHealth(target(silent, check, "/"), clock, 80);
      assert.equal(failure, "no answer within 0.08 s", check);
    }
    assert.equal((await ask(target(silent, "tcp"))).failure, null);
  });
  const gone = {
    service: "s",
    address: "127.0.0.1",
    port: (silent.address() as AddressInfo | null)?.port ?? 1,
    path: "",
  };
  assert.equal((await ask({ ...gone, check: "tcp" })).failure, "nobody listens");
});

test("a duration says how much of it the thread was at work itself, never more than all of it", async () => {
  const server = createServer((socket) => socket.on("error", () => {}));
  await withServer(server, async () => {
    const timed = async (nows: number[], busies: number[]) => {
      const steps = { nowMs: () => nows.shift()!, busyMs: () => busies.shift()! };
      const { seconds, ownSeconds } = await checkHealth(target(server, "tcp"), steps, PATIENCE_MS);
      return [seconds, ownSeconds];
    };
    assert.deepEqual(await timed([1000, 1500], [70, 90]), [0.5, 0.02]);
    assert.deepEqual(await timed([1000, 1500], [70, 900]), [0.5, 0.5]);
  });
});

test("what answers in another language, or hangs up, is down with the reason", async () => {
  const reasons: (string | null)[] = [];
  for (const check of ["http", "redis", "postgres"] as const) {
    const server = saying("\x1b[31mgreetings to all who listen\r\n\r\n");
    reasons.push(await withServer(server, async () => (await ask(target(server, check, "/"))).failure));
    const mute = saying("");
    reasons.push(await withServer(mute, async () => (await ask(target(mute, check, "/"))).failure));
  }
  assert.deepEqual(reasons, [
    "the answer is not HTTP",
    "connection broken off",
    "the answer is not Redis's",
    "hung up without an answer",
    "the answer is not PostgreSQL's",
    "hung up without an answer",
  ]);
});

test("Redis answers PING; one that wants a password is up, one that loads is not", async () => {
  const cases = [
    ["+PONG\r\n", null],
    ["-NOAUTH Authentication required.\r\n", null],
    [
      "-LOADING Redis is loading the dataset in memory\r\n",
      "Redis says LOADING Redis is loading the dataset in memory",
    ],
  ] as const;
  for (const [answer, expected] of cases) {
    const server = saying(answer, (question) => assert.equal(question.toString(), "*1\r\n$4\r\nPING\r\n"));
    await withServer(server, async () =>
      assert.equal((await ask(target(server, "redis"))).failure, expected),
    );
  }
});

test("PostgreSQL: asking for a password or refusing a user is ready, starting up is not", async () => {
  const error = (code: string, message: string) => {
    const body = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
    const head = Buffer.alloc(5);
    head.write("E");
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const password = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 5]);
  const cases = [
    [password, null],
    [error("28000", 'role "netwatch" does not exist'), null],
    [
      error("57P03", "the database system is starting up"),
      "PostgreSQL says the database system is starting up",
    ],
    [error("53300", "sorry, too many clients already"), "PostgreSQL says sorry, too many clients already"],
  ] as const;
  for (const [answer, expected] of cases) {
    const server = saying(answer, (question) => assert.equal(question.readInt32BE(4), 196_608));
    await withServer(server, async () =>
      assert.equal((await ask(target(server, "postgres"))).failure, expected),
    );
  }
});

test("a lab file and a plain file name the services to check; one without a port cannot be checked", () => {
  const lab = parseHealthCandidates(
    JSON.stringify({
      services: {
        web: { addresses: ["10.0.0.1", "fd00::1"], ports: [80], health: "/health" },
        cache: { addresses: ["10.0.0.2"], ports: [6379] },
        db: { addresses: ["10.0.0.3"], ports: [5432] },
        away: { addresses: ["10.0.0.4"], ports: [1], health: "none" },
        client: { addresses: ["10.0.0.5"] },
        mover: { addresses: ["10.0.0.6"], ports: [8000, 8001], moving: true, health: "/" },
      },
    }),
  );
  assert.deepEqual(
    lab.map(({ service, address, check, path }) => [service, address, check, path]),
    [
      ["web", "10.0.0.1", "http", "/health"],
      ["web", "fd00::1", "http", "/health"],
      ["cache", "10.0.0.2", "redis", ""],
      ["db", "10.0.0.3", "postgres", ""],
      ["mover", "10.0.0.6", "http", "/"],
    ],
  );
  const tenancy = (port: number, toUs: number) => ({
    service: "mover",
    instance: "m",
    text: "10.0.0.6",
    port,
    fromUs: 0,
    toUs,
  });
  const ports = (tenancies: Parameters<typeof targetsOf>[1]) => targetsOf(lab, tenancies).at(-1)!.port;
  assert.equal(ports([]), 8000);
  assert.equal(ports([tenancy(8005, 9), tenancy(8001, Number.POSITIVE_INFINITY)]), 8001);
  assert.equal(targetsOf(lab, [tenancy(8005, 9)]).length, 4);
  assert.deepEqual(
    onlyLocal(lab, ["10.0.0.9/30", "not a network"]).map(({ service }) => service),
    [],
  );
  assert.equal(onlyLocal(lab, ["10.0.0.1/30"]).length, 3);
  const plain = parseHealthCandidates(
    '{"a": "10.0.0.1", "r": ["10.0.0.2:6379", "[fd00::2]:81", "10.0.0.0/8", "x:1"]}',
  );
  assert.deepEqual(
    plain.map(({ address, port, check }) => [address, port, check]),
    [
      ["10.0.0.2", 6379, "redis"],
      ["fd00::2", 81, "tcp"],
    ],
  );
  assert.throws(() => parseHealthCandidates("{"), /not JSON/);
  assert.throws(() => parseHealthCandidates('{"services": {"a": {"addresses": 1}}}'), /services/);
});
