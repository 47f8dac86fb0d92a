import pg from "pg";
import { z } from "zod";
import { POSTGRES_DIR, POSTGRES_USER } from "../servers/postgres.js";
import { pingRedis } from "../servers/redis.js";
import { call } from "../service/call.js";
import { type Instance, instancesOf, type Plan } from "../topology.js";

const memberSchema = z.object({
  members: z.array(z.object({ instance: z.string(), port: z.int(), draining: z.array(z.int()) })),
});

/** The registered port of each instance; empty if the registry does not answer. */
export async function registeredPorts(plan: Plan): Promise<Map<string, number>> {
  const registry = instancesOf(plan, "service-registry")[0]!;
  try {
    const { body } = await call(`http://${registry.address}:${registry.ports[0]}/status`, {
      timeoutMs: 3000,
    });
    return new Map(memberSchema.parse(body).members.map((member) => [member.instance, member.port]));
  } catch {
    return new Map();
  }
}

/** Asks the server itself, as a client would. */
export async function isHealthy(instance: Instance, ports: ReadonlyMap<string, number>): Promise<boolean> {
  if (instance.service === "redis-cache") return pingRedis();
  if (instance.service === "postgres-db") return pingPostgres(instance);
  const port = ports.get(instance.name) ?? instance.ports[0];
  if (port === undefined) return false;
  return call(`http://${instance.address}:${port}/health`, { timeoutMs: 3000 }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function pingPostgres(instance: Instance): Promise<boolean> {
  const client = postgresClient(instance, "postgres");
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** As the owner, over the socket file that only root and the owner may use. */
export function postgresClient(instance: Instance, database: string): pg.Client {
  const client = new pg.Client({
    host: POSTGRES_DIR,
    port: instance.ports[0]!,
    user: POSTGRES_USER,
    database,
    connectionTimeoutMillis: 3000,
    query_timeout: 5000,
  });
  client.on("error", () => {});
  return client;
}
