import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { POSTGRES_SETTINGS } from "../servers/postgres.js";
import { redisConfig } from "../servers/redis.js";
import { instancesOf, readLab } from "../topology.js";
import { planContainers } from "./plan.js";

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly [key: string]: unknown;
}

const FOLDER = new URL("../../../services/docker/", import.meta.url);
const TEXT = readFileSync(new URL("compose.yml", FOLDER), "utf8");
const SERVICES = (parse(TEXT, { merge: true }) as { services: Record<string, Service> }).services;
const PLAN = planContainers(readLab());
/** Long-running services by their kind in the plan; `prepare` ends. */
const LASTING = Object.entries(SERVICES).filter(([name]) => name !== "prepare");

function networksOf(name: string): string[] {
  const { networks = [] } = SERVICES[name]!;
  return Array.isArray(networks) ? [...networks] : Object.keys(networks);
}

test("compose.yml runs every instance of the plan, and nothing else", () => {
  assert.deepEqual(LASTING.map(([name]) => name).sort(), PLAN.instances.map(({ name }) => name).sort());
  for (const [name, { image, environment }] of LASTING)
    if (image === "netwatch-shop") assert.equal(environment?.SHOP_INSTANCE, name);
});

test("each starts when the services it calls by lab.json are healthy, and shares a network with them", () => {
  for (const { name, service } of PLAN.instances) {
    const callees = PLAN.calls[service]!.filter((callee) => callee !== service)
      // nginx's usual image asks no registry
      .filter((callee) => name !== "nginx-lb" || callee !== "service-registry")
      .flatMap((callee) => instancesOf(PLAN, callee).map((instance) => instance.name));
    const { prepare, ...awaited } = SERVICES[name]!.depends_on ?? {};
    assert.deepEqual(Object.keys(awaited).sort(), callees.sort(), name);
    assert.deepEqual(new Set(Object.values(awaited).map(({ condition }) => condition)).size <= 1, true);
    for (const [callee, { condition }] of Object.entries(awaited)) {
      assert.equal(condition, "service_healthy", `${name} on ${callee}`);
      const shared = networksOf(callee).filter((network) => networksOf(name).includes(network));
      assert.notEqual(shared.length, 0, `${name} cannot reach ${callee}`);
    }
    if (prepare) assert.equal(prepare.condition, "service_completed_successfully");
  }
});

test("the database network holds the two stores and who calls them, the frontend neither store", () => {
  const inside = LASTING.map(([name]) => name).filter((name) => networksOf(name).includes("database"));
  const callers = PLAN.instances.filter(({ service }) =>
    PLAN.calls[service]!.some((callee) => callee === "redis-cache" || callee === "postgres-db"),
  );
  assert.deepEqual(inside.sort(), ["redis-cache", "postgres-db", ...callers.map(({ name }) => name)].sort());
  for (const store of ["redis-cache", "postgres-db"]) assert.deepEqual(networksOf(store), ["database"]);
});

test("every container has limits, a root that is read only, no privileges, and a user that is not root", () => {
  for (const [name, service] of Object.entries(SERVICES)) {
    const { read_only, cap_drop, security_opt, mem_limit, cpus, pids_limit } = service;
    assert.deepEqual([read_only, cap_drop, security_opt], [true, ["ALL"], ["no-new-privileges:true"]], name);
    for (const limit of [mem_limit, cpus, pids_limit]) assert.ok(limit, name);
    if (name !== "prepare") assert.equal(service.cap_add, undefined, name);
    // the shop's own image contains its user and its health check
    if (service.image !== "netwatch-shop") {
      assert.match(String(service.user), /^[1-9]\d*:/, name);
      assert.ok(service.healthcheck, name);
    }
  }
  const dockerfile = readFileSync(new URL("Dockerfile", FOLDER), "utf8");
  const shop = dockerfile.slice(dockerfile.indexOf(" AS shop\n"), dockerfile.indexOf(" AS netwatch\n"));
  assert.match(shop, /^USER [1-9]/m);
  assert.match(shop, /^HEALTHCHECK /m);
});

test("who holds a key or the password is alone with it", () => {
  const owners = new Map(
    SERVICES.prepare!.command!.slice(1).map((text) => {
      const [file, uid, gid = uid] = text.split(":");
      return [file!.replace("/run/netwatch-lab/keys/", ""), { uid, gid }] as const;
    }),
  );
  const users = new Map(LASTING.map(([name, { user }]) => [name, String(user ?? "10000:10000").split(":")]));
  for (const name of ["api-gateway", ...instancesOf(PLAN, "order-service").map((node) => node.name)]) {
    const owner = owners.get(`${name}.pem`);
    const readers = [...users].filter(([, [uid, gid]]) => uid === owner?.uid || gid === owner?.gid);
    assert.deepEqual(
      readers.map(([reader]) => reader),
      [name],
    );
  }
  const password = owners.get("postgres.password");
  assert.equal(password?.uid, "0");
  assert.deepEqual(
    [...users].filter(([, [, gid]]) => gid === password?.gid).map(([name]) => name),
    instancesOf(PLAN, "order-service").map(({ name }) => name),
  );
});

test("no secret is in the files, and every variable has its default in .env", () => {
  const defaults = readFileSync(new URL(".env", FOLDER), "utf8");
  const known = [...defaults.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  for (const [, name] of TEXT.matchAll(/\$\{([A-Z_]+)/g)) assert.ok(known.includes(name!), name);
  assert.doesNotMatch(TEXT + defaults, /(PASSWORD|SECRET|TOKEN)\w*["']?\s*[:=]\s*["']?[^/\s"']/);
});

test("the servers run with the lab's settings", () => {
  const postgres = SERVICES["postgres-db"]!.command!;
  assert.deepEqual(
    postgres.filter((word) => word.includes("=")),
    Object.entries({ listen_addresses: "*", ...POSTGRES_SETTINGS }).map(
      ([name, value]) => `${name}=${value}`,
    ),
  );
  const redis = SERVICES["redis-cache"]!.command!;
  const elsewhere = /^(bind|port|unixsocket|unixsocketperm|daemonize|dir) /;
  for (const line of redisConfig(instancesOf(PLAN, "redis-cache")[0]!).split("\n")) {
    if (line === "" || elsewhere.test(line)) continue;
    const [name, value] = line.split(" ");
    assert.equal(redis[redis.indexOf(`--${name}`) + 1], value === '""' ? "" : value, line);
  }
});
