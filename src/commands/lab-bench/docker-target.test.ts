import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { answering, containerJson, startEngine } from "../../capture/live/engine.test.fixture.js";
import { containerPids, NoDockerTarget, openDockerTarget } from "./docker-target.js";

const labels = (service: string) => ({
  "com.docker.compose.project": "shop",
  "com.docker.compose.service": service,
  "com.docker.compose.container-number": "1",
});

interface Listed {
  readonly Id: string;
  readonly Ports?: readonly object[];
}

/** A container of the project, with a port offered to the host where it is given. */
function container(id: string, service: string, address: string, port?: number): Listed {
  const json = containerJson(
    id,
    `shop-${service}-1`,
    { shop_frontend: { IPAddress: address } },
    labels(service),
  );
  const Ports = port === undefined ? [] : [{ PrivatePort: port, PublicPort: 8080, Type: "tcp" }];
  return { ...(json as Listed), Ports };
}

/** A bridge that every machine has. */
const network = (bridge: string) => ({
  Name: "shop_frontend",
  Id: "ab".repeat(32),
  Driver: "bridge",
  Options: { "com.docker.network.bridge.name": bridge },
  IPAM: { Config: [{ Subnet: "172.31.80.0/24" }] },
});

async function open(containers: readonly Listed[], limits: object = {}, bridge = "lo") {
  const details = containers.map(({ Id }) => [`/containers/${Id}/json`, { HostConfig: limits }]);
  const engine = await startEngine(
    answering({
      "/containers/json": containers,
      "/networks": [network(bridge)],
      "/version": { Version: "20.10.24" },
      ...Object.fromEntries(details),
    }),
  );
  try {
    return await openDockerTarget(["/nonexistent/engine.sock", engine.socket], "shop");
  } finally {
    await engine.close();
  }
}

const SHOP = [
  container("a1", "order-node-2", "172.31.80.42"),
  container("a2", "api-gateway", "172.31.80.20", 8081),
  container("a3", "nginx-lb", "172.31.80.10", 80),
];

test("the load goes to nginx's own address; order nodes are one service, as in the lab", async () => {
  const target = await open(SHOP);
  assert.deepEqual(
    [target.mode, target.origin, target.entrance, target.netns],
    ["docker", "http://172.31.80.10:80", "nginx-lb", null],
  );
  assert.deepEqual(target.bridges, ["lo"]);
  assert.deepEqual(Object.fromEntries(target.servers), {
    "order-service": 1,
    "api-gateway": 1,
    "nginx-lb": 1,
  });
  assert.equal(target.services.get("172.31.80.42"), "order-service");
  assert.equal(target.services.get("127.0.0.1"), "client", "the host's own end of a bridge is the load's");
  assert.match(target.facts[0]!, /^3 containers of compose project shop on engine 20\.10\.24/);
});

test("limits of containers are facts that a reader is told", async () => {
  const none = await open(SHOP);
  assert.equal(none.facts[1], "No container has a limit of CPU or memory.");
  const some = await open(SHOP.slice(2), { NanoCpus: 5e8, Memory: 160 * 2 ** 20 });
  assert.equal(some.facts[1], "Limits, which the lab's servers do not have: nginx-lb 0.5 CPU and 160 MiB.");
  const quota = await open(SHOP.slice(2), { NanoCpus: 0, CpuQuota: 150_000, CpuPeriod: 100_000, Memory: 0 });
  assert.match(quota.facts[1]!, /nginx-lb 1\.5 CPU\.$/);
  const many = ["web", "email", "payment"].map((name, i) => container(`c${i}`, name, `172.31.80.${50 + i}`));
  const alike = await open([...SHOP.slice(2), ...many], { NanoCpus: 1e9 });
  assert.match(alike.facts[1]!, /do not have: 4 containers 1 CPU each\.$/);
});

test("how long limits held containers back is the sum over all, and unknown where one does not say", async () => {
  const stats = (id: string, throttled_time: number | null) => [
    `/containers/${id.padEnd(64, "0")}/stats?stream=false&one-shot=true`,
    { cpu_stats: { throttling_data: throttled_time === null ? null : { periods: 9, throttled_time } } },
  ];
  const details = SHOP.map(({ Id }) => [`/containers/${Id}/json`, { HostConfig: {} }]);
  const read = async (last: number | null) => {
    const values = [stats("a1", 2e9), stats("a2", 0), stats("a3", last), ...details];
    const engine = await startEngine(
      answering({
        "/containers/json": SHOP,
        "/networks": [network("lo")],
        "/version": { Version: "20.10.24" },
        ...Object.fromEntries(values),
      }),
    );
    try {
      return await (await openDockerTarget([engine.socket], "shop")).throttledSeconds();
    } finally {
      await engine.close();
    }
  };
  assert.equal(await read(5e8), 2.5);
  assert.equal(await read(null), null);
});

test("what keeps an engine from being measured is said", async () => {
  const fails = (promise: Promise<unknown>, message: RegExp) =>
    assert.rejects(promise, (error) => error instanceof NoDockerTarget && message.test(error.message));
  await fails(
    openDockerTarget(["/nonexistent/engine.sock"], "shop"),
    /^\/nonexistent\/engine\.sock: no such socket$/,
  );
  await fails(open([]), /no compose project shop runs \(docker compose -f .* up -d\)/);
  await fails(open(SHOP.slice(0, 1)), /no container of the project offers a port/);
  await fails(open(SHOP, {}, "br-nowhere"), /the bridges of shop are not on this host/);
});

test("processes of containers are told by their control group, of either version", () => {
  const proc = mkdtempSync(join(tmpdir(), "netwatch-proc-"));
  const process = (pid: string, groups: string) => {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, "cgroup"), groups);
  };
  try {
    process("1", "0::/init.scope\n");
    process("20", `0::/system.slice/docker-${"a3".padEnd(64, "0")}.scope\n`);
    process("21", `12:cpu,cpuacct:/docker/${"a3".padEnd(64, "0")}\n1:name=systemd:/\n`);
    process("22", `0::/system.slice/docker-${"b4".padEnd(64, "0")}.scope\n`);
    mkdirSync(join(proc, "self"));
    assert.deepEqual(containerPids(["a3".padEnd(64, "0")], proc), [20, 21]);
  } finally {
    rmSync(proc, { recursive: true });
  }
});
