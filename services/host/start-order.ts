import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WATCHER } from "../events/watcher.js";
import { LabError } from "../lab-error.js";
import { databasePassword } from "../secrets.js";
import { NGINX_DIR, NGINX_USER } from "../servers/nginx.js";
import {
  GRANT,
  initPostgres,
  POSTGRES_DIR,
  POSTGRES_USER,
  postgresCommand,
  postgresHba,
  postgresIdent,
  SCHEMA,
  SHOP,
} from "../servers/postgres.js";
import { redisConfig } from "../servers/redis.js";
import type { Instance, Plan } from "../topology.js";
import { runCommand } from "./command.js";
import { isHealthy, postgresClient, registeredPorts } from "./health.js";
import { isAlive, type Launch, lastLines, launch, stopLeftovers, stopProcess } from "./processes.js";
import { type LabState, STATE_DIR, writeState } from "./state.js";

const HEALTH_TIMEOUT_MS = 120_000;
const REDIS_USER = "redis";
// a dozen small services share one machine: a small heap collected often, rather than a large one seldom
const NODE_FLAGS = ["--max-semi-space-size=2", "--max-old-space-size=64"];

/** Starts missing servers, callees before callers; each wave waits until the previous one is healthy. */
export async function startAll(plan: Plan, state: LabState, progress: (text: string) => void): Promise<void> {
  for (const outside of plan.outside)
    if (outside.ports.length > 0) ensureStarted(outside.name, serveCommand(outside.name), state);
  for (const wave of waves(plan)) {
    progress(`starting ${wave.map((instance) => instance.name).join(", ")}`);
    const ports = await registeredPorts(plan);
    await Promise.all(wave.map((instance) => startInstance(plan, instance, state, ports)));
  }
}

export async function startInstance(
  plan: Plan,
  instance: Instance,
  state: LabState,
  ports: ReadonlyMap<string, number>,
): Promise<void> {
  const record = state.processes[instance.name];
  if (isAlive(record) && (await isHealthySoon(instance, ports))) return;
  // alive, but does not answer: restart
  if (record) await stopProcess(record);
  await stopLeftovers(instance.name, record, stopSignal(instance.service));
  const command = await prepare(plan, instance);
  ensureStarted(instance.name, command, state);
  await waitHealthy(plan, instance, state);
  if (instance.service === "postgres-db") await createSchema(instance);
}

/** PostgreSQL's fast shutdown, its manual 19.5; on SIGTERM it would wait for its clients. */
export function stopSignal(service: string): NodeJS.Signals {
  return service === "postgres-db" ? "SIGINT" : "SIGTERM";
}

/** Callees first; a service that calls itself, as the order nodes do, counts as none of its own callees. */
export function waves(plan: Plan): Instance[][] {
  const done = new Set<string>();
  const result: Instance[][] = [];
  let rest = plan.instances;
  while (rest.length > 0) {
    const free = rest.filter(({ service }) =>
      plan.calls[service]!.every((callee) => callee === service || done.has(callee)),
    );
    if (free.length === 0) throw new LabError("lab.json: the services call each other in a circle");
    for (const instance of free) done.add(instance.service);
    rest = rest.filter((instance) => !free.includes(instance));
    result.push(free);
  }
  return result;
}

function ensureStarted(name: string, what: Omit<Launch, "name" | "netns">, state: LabState): void {
  if (isAlive(state.processes[name])) return;
  state.processes[name] = launch({ name, netns: name, ...what });
  writeState(state);
}

/** Starts the watcher of the rules' counters; starts it again where `changed` says that the rules changed. */
export async function ensureWatched(state: LabState, changed: boolean): Promise<void> {
  const record = state.processes[WATCHER];
  if (changed && record) await stopProcess(record);
  if (isAlive(state.processes[WATCHER])) return;
  state.processes[WATCHER] = launch({ name: WATCHER, ...serveCommand(WATCHER) });
  writeState(state);
}

function serveCommand(name: string): { command: string[] } {
  const main = fileURLToPath(new URL("../main.js", import.meta.url));
  return { command: [process.execPath, ...NODE_FLAGS, main, "serve", name] };
}

async function prepare(plan: Plan, instance: Instance): Promise<Omit<Launch, "name" | "netns">> {
  switch (instance.service) {
    case "redis-cache": {
      const directory = `${STATE_DIR}/redis`;
      await ownedDirectory(directory, REDIS_USER);
      writeFileSync(`${directory}/redis.conf`, redisConfig(instance), { mode: 0o644 });
      return { command: ["redis-server", `${directory}/redis.conf`], user: REDIS_USER, workDir: directory };
    }
    case "postgres-db": {
      await ownedDirectory(POSTGRES_DIR, POSTGRES_USER);
      await initPostgres();
      for (const [file, text] of [
        ["hba.conf", postgresHba(plan)],
        ["ident.conf", postgresIdent()],
      ] as const)
        writeFileSync(`${POSTGRES_DIR}/${file}`, text, { mode: 0o644 });
      return { command: postgresCommand(instance), user: POSTGRES_USER, workDir: POSTGRES_DIR };
    }
    case "nginx-lb":
      await ownedDirectory(NGINX_DIR, NGINX_USER);
      return serveCommand(instance.name);
    default:
      return serveCommand(instance.name);
  }
}

async function ownedDirectory(directory: string, user: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const ids = await Promise.all(["-u", "-g"].map((flag) => runCommand("id", [flag, "--", user])));
  chownSync(directory, Number(ids[0]), Number(ids[1]));
  chmodSync(directory, 0o700);
}

async function isHealthySoon(instance: Instance, ports: ReadonlyMap<string, number>): Promise<boolean> {
  for (let tries = 0; tries < 3; tries++) {
    if (await isHealthy(instance, ports)) return true;
    await sleep(300);
  }
  return false;
}

async function waitHealthy(plan: Plan, instance: Instance, state: LabState): Promise<void> {
  const deadline = performance.now() + HEALTH_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (await isHealthy(instance, new Map())) return;
    if (!isAlive(state.processes[instance.name]))
      throw new LabError(`${instance.name} ended; its log's last lines:\n${lastLines(instance.name)}`);
    // a moving service may have found its first port taken
    if (instance.moving && (await isHealthy(instance, await registeredPorts(plan)))) return;
    await sleep(50);
  }
  throw new LabError(
    `${instance.name} is not healthy after ${HEALTH_TIMEOUT_MS / 1000} s; its log's last lines:\n${lastLines(instance.name)}`,
  );
}

async function createSchema(instance: Instance): Promise<void> {
  const password = databasePassword();
  const admin = postgresClient(instance, "postgres");
  await admin.connect();
  try {
    const role = await admin.query("select 1 from pg_roles where rolname = $1", [SHOP]);
    // the password is hexadecimal digits only
    if (role.rowCount === 0) await admin.query(`create role ${SHOP} login password '${password}'`);
    const database = await admin.query("select 1 from pg_database where datname = $1", [SHOP]);
    if (database.rowCount === 0) await admin.query(`create database ${SHOP} owner ${SHOP}`);
  } finally {
    await admin.end();
  }
  const shop = postgresClient(instance, SHOP);
  await shop.connect();
  try {
    await shop.query(SCHEMA);
    await shop.query(GRANT);
  } finally {
    await shop.end();
  }
}
