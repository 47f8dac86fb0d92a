/** The shop of services/docker/compose.yml on a container engine: found by its socket, never started or stopped. */
import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { type Container, type Engine, readEngine } from "../../capture/names/docker.js";
import { getJson, ServiceError } from "../../capture/names/json-client.js";
import { formatCounted } from "../../format.js";
import type { BenchTarget } from "./target.js";

const text = z.string().max(4096);
const portsSchema = z.array(
  z.object({
    Id: text,
    Ports: z
      .array(z.object({ PrivatePort: z.int(), PublicPort: z.int().nullish(), Type: text.nullish() }))
      .nullish(),
  }),
);
const versionSchema = z.object({ Version: text });
const detailsSchema = z.object({
  HostConfig: z.object({
    NanoCpus: z.number().nullish(),
    CpuQuota: z.number().nullish(),
    CpuPeriod: z.number().nullish(),
    Memory: z.number().nullish(),
  }),
});

/** The names of a service's servers: the only part of lab.json in use here. */
const labSchema = z.object({
  services: z.record(text, z.object({ instances: z.array(z.object({ name: text })).default([]) })),
});
/** Seen from dist/src/commands/lab-bench. */
const LAB_FILE = new URL("../../../../services/lab.json", import.meta.url);

/** Containers with one limit that are listed by name. */
const MAX_NAMED = 3;

/** `throttled_time` is nanoseconds. */
const statsSchema = z.object({
  cpu_stats: z
    .object({ throttling_data: z.object({ throttled_time: z.number().nullish() }).nullish() })
    .nullish(),
});

/** Why an engine's shop cannot be measured, in one line. */
export class NoDockerTarget extends Error {}

/** The project's containers as a target. Throws NoDockerTarget. */
export async function openDockerTarget(sockets: readonly string[], project: string): Promise<BenchTarget> {
  const refusals: string[] = [];
  for (const socketPath of sockets)
    try {
      const engine = await readEngine(socketPath);
      const containers = engine.containers.filter((container) => container.project === project);
      if (containers.length > 0) return await dockerTarget(socketPath, engine, containers, project);
      refusals.push(
        `${socketPath}: no compose project ${project} runs (docker compose -f services/docker/compose.yml up -d)`,
      );
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      refusals.push(`${socketPath}: ${error.message}`);
    }
  throw new NoDockerTarget(refusals.join("; "));
}

async function dockerTarget(
  socketPath: string,
  engine: Engine,
  containers: readonly Container[],
  project: string,
): Promise<BenchTarget> {
  const { container, port } = await findEntrance(socketPath, containers);
  const used = new Set(containers.flatMap(({ addresses }) => addresses.map(({ network }) => network)));
  const networks = engine.networks.filter(({ name, bridge }) => used.has(name) && bridge !== null);
  const bridgeOf = new Map(networks.map(({ name, bridge }) => [name, bridge!]));
  const near = container.addresses
    .map(({ network, address }) => ({ address, bridge: bridgeOf.get(network) }))
    .find(({ bridge }) => bridge !== undefined && networkInterfaces()[bridge] !== undefined);
  if (near?.bridge === undefined)
    throw new NoDockerTarget(`the bridges of ${project} are not on this host: its engine runs elsewhere`);
  const { value: version } = await getJson({ socketPath }, "/version", versionSchema);
  return {
    mode: "docker",
    origin: `http://${near.address}:${port}`,
    netns: null,
    client: `this host, over the bridge to ${serviceOf(container)}'s own address: neither NAT nor the engine's proxy`,
    facts: [
      `${formatCounted(containers.length, "container")} of compose project ${project} on engine ${version.Version}.`,
      await describeLimits(socketPath, containers),
    ],
    bridges: [...bridgeOf.values()],
    services: addressBook(containers, [...bridgeOf.values()]),
    servers: countServers(containers),
    entrance: serviceOf(container),
    pids: async () => containerPids(containers.map(({ id }) => id)),
    throttledSeconds: () => readThrottled(socketPath, containers),
    close: async () => {},
  };
}

/** As lab.json calls it: compose has a service of its own for each order node. */
function serviceOf({ service, name }: Container): string {
  const own = service ?? name;
  const { services } = labSchema.parse(JSON.parse(readFileSync(LAB_FILE, "utf8")));
  const known = Object.entries(services).find(([, { instances }]) =>
    instances.some((instance) => instance.name === own),
  );
  return known?.[0] ?? own;
}

/** The container that offers a port to the host; nginx where several do. */
async function findEntrance(
  socketPath: string,
  containers: readonly Container[],
): Promise<{ container: Container; port: number }> {
  const { value } = await getJson({ socketPath }, "/containers/json", portsSchema);
  const offered = containers.flatMap((container) => {
    const ports = value.find(({ Id }) => Id === container.id)?.Ports ?? [];
    const port = ports.find(({ PublicPort, Type }) => PublicPort && (Type ?? "tcp") === "tcp")?.PrivatePort;
    return port === undefined ? [] : [{ container, port }];
  });
  const chosen = offered.find(({ container }) => serviceOf(container).includes("nginx")) ?? offered[0];
  if (chosen === undefined)
    throw new NoDockerTarget("no container of the project offers a port to this host");
  return chosen;
}

async function describeLimits(socketPath: string, containers: readonly Container[]): Promise<string> {
  const limits = await Promise.all(
    containers.map(async (container) => {
      const { value } = await getJson({ socketPath }, `/containers/${container.id}/json`, detailsSchema);
      const { NanoCpus, CpuQuota, CpuPeriod, Memory } = value.HostConfig;
      const cpus = NanoCpus
        ? NanoCpus / 1e9
        : CpuQuota && CpuQuota > 0
          ? CpuQuota / (CpuPeriod || 100_000)
          : 0;
      const parts = [
        ...(cpus > 0 ? [`${Number(cpus.toFixed(2))} CPU`] : []),
        ...(Memory ? [`${Math.round(Memory / 2 ** 20)} MiB`] : []),
      ];
      return { name: container.name, limit: parts.join(" and ") };
    }),
  );
  const bearers = new Map<string, string[]>();
  for (const { name, limit } of limits)
    if (limit !== "") bearers.set(limit, [...(bearers.get(limit) ?? []), name]);
  if (bearers.size === 0) return "No container has a limit of CPU or memory.";
  const said = [...bearers]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([limit, names]) =>
      names.length > MAX_NAMED
        ? `${formatCounted(names.length, "container")} ${limit} each`
        : `${names.join(", ")} ${limit}`,
    );
  return `Limits, which the lab's servers do not have: ${said.join("; ")}.`;
}

/** Sum of the engine's statistics over all containers; null if one of them lacks the value. */
async function readThrottled(socketPath: string, containers: readonly Container[]): Promise<number | null> {
  const times = await Promise.all(
    containers.map(async ({ id }) => {
      const path = `/containers/${id}/stats?stream=false&one-shot=true`;
      const { value } = await getJson({ socketPath }, path, statsSchema).catch(() => ({ value: null }));
      return value?.cpu_stats?.throttling_data?.throttled_time ?? null;
    }),
  );
  return times.reduce((sum, time) => (sum === null || time === null ? null : sum + time / 1e9), 0);
}

function countServers(containers: readonly Container[]): Map<string, number> {
  const servers = new Map<string, number>();
  for (const container of containers) {
    const service = serviceOf(container);
    servers.set(service, (servers.get(service) ?? 0) + 1);
  }
  return servers;
}

/** The host's own addresses on the bridges are the load's. */
function addressBook(containers: readonly Container[], bridges: readonly string[]): Map<string, string> {
  const book = new Map<string, string>();
  for (const container of containers)
    for (const { address } of container.addresses) book.set(address, serviceOf(container));
  const own = networkInterfaces();
  for (const bridge of bridges) for (const { address } of own[bridge] ?? []) book.set(address, "client");
  return book;
}

/** Processes whose control group bears a container's id (proc(5), cgroup), versions 1 and 2. */
export function containerPids(ids: readonly string[], proc = "/proc"): number[] {
  const pids: number[] = [];
  for (const entry of readdirSync(proc)) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const groups = readFileSync(`${proc}/${entry}/cgroup`, "utf8");
      if (ids.some((id) => groups.includes(id))) pids.push(Number(entry));
    } catch {
      // it ended in between
    }
  }
  return pids;
}
