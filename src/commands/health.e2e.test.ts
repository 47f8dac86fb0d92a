/** Health of real servers on the loopback, stopped and started while they are watched. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { HealthReport } from "../analyze/snapshot/snapshot.js";
import { PeerThread } from "../capture/peers/peer-thread.js";
import { type HealthPoll, openHealthPoll } from "../engine/health/health-poll.js";
import { until } from "../until.test.fixture.js";

const peers = new PeerThread();
const folder = mkdtempSync(join(tmpdir(), "netwatch-health-"));
const children = new Set<ChildProcess>();
after(async () => {
  await peers.close();
  for (const child of children) await end(child);
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createTcp().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function start(
  command: string,
  words: readonly string[],
  ids: { uid?: number; gid?: number } = {},
): ChildProcess {
  const child = spawn(command, words, { stdio: "ignore", cwd: folder, ...ids });
  children.add(child);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGINT");
  await once(child, "exit");
}

/** Polls until the only target is in this state. */
async function untilIs(poll: HealthPoll, state: string): Promise<HealthReport["targets"][number]> {
  let target: HealthReport["targets"][number] | undefined;
  const isSo = async () => {
    target = (await poll.round()).targets[0]!;
    return target.state === state;
  };
  await until(isSo, () => `${state}: ${JSON.stringify(target)}`);
  return target!;
}

function pollOf(service: object): HealthPoll {
  const path = join(folder, "names.json");
  writeFileSync(path, JSON.stringify({ services: { it: { addresses: ["127.0.0.1"], ...service } } }));
  return openHealthPoll(path, undefined, peers);
}

const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

test("Redis is up, down when it is stopped, and up again", {
  skip: hasRedis ? false : "redis-server is not installed",
}, async () => {
  const port = await freePort();
  const redis = () => start("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", ""]);
  const poll = pollOf({ ports: [port], health: "redis" });
  assert.equal((await untilIs(poll, "down")).reason, "nobody listens");
  const first = redis();
  const up = await untilIs(poll, "up");
  assert.ok(up.latency_seconds! > 0 && up.changed !== null);
  await end(first);
  assert.equal((await untilIs(poll, "down")).reason, "nobody listens");
  const second = redis();
  await untilIs(poll, "up");
  await end(second);
});

const postgresBin = existsSync("/usr/lib/postgresql")
  ? readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`)[0]
  : undefined;
const cannot =
  postgresBin === undefined
    ? "postgresql is not installed"
    : process.geteuid?.() !== 0
      ? "needs root"
      : false;

test("PostgreSQL is ready without a password, and down when it is stopped", { skip: cannot }, async () => {
  const port = await freePort();
  const number = (flag: string) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  const ids = { uid: number("-u"), gid: number("-g") };
  chownSync(folder, ids.uid, ids.gid);
  const data = join(folder, "data");
  writeFileSync(join(folder, "password"), "secret\n", { mode: 0o644 });
  const made = spawnSync(
    `${postgresBin}/initdb`,
    ["-D", data, "-A", "scram-sha-256", "--pwfile=password", "-N"],
    { ...ids, cwd: folder },
  );
  assert.equal(made.status, 0, made.stderr.toString());
  const words = ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-k", folder, "-F"];
  const poll = pollOf({ ports: [port], health: "postgres" });
  const server = start(`${postgresBin}/postgres`, words, ids);
  await untilIs(poll, "up");
  await end(server);
  assert.equal((await untilIs(poll, "down")).reason, "nobody listens");
});

test("rounds never overlap, and a slow web server is degraded", async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    setTimeout(() => response.end("ok"), 700);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const poll = pollOf({ ports: [(server.address() as AddressInfo).port], health: "/health" });
  const [first, second] = await Promise.all([poll.round(), poll.round()]);
  assert.equal(first, second);
  assert.equal(asked, 1);
  assert.equal((await untilIs(poll, "degraded")).reason, "slow");
  server.close();
});
