/** Containers and networks by the Docker API (Docker, and podman, which speaks it too) over its unix socket. Read only. */
import { z } from "zod";
import { formatAddress, parseAddress, parseCidr } from "../../net.js";
import { getJson, type JsonLimits, LIMITS, ServiceError } from "./json-client.js";

/** Where an engine's socket is unless DOCKER_HOST says otherwise. */
export const ENGINE_SOCKETS: readonly string[] = ["/run/docker.sock", "/run/podman/podman.sock"];

/** An engine's answer is cut at these limits, not refused. */
export const MAX_CONTAINERS = 10_000;
const MAX_NETWORKS = 2000;
const MAX_ADDRESSES = 20_000;
/** Longer names are cut. */
const MAX_NAME = 255;
/** Docker's and podman's ids are SHA-256 sums in hexadecimal; a longer one cannot belong to a namespace. */
const MAX_ID = 64;

/** A container that holds its network: one that runs, is paused, or starts. */
export interface Container {
  readonly id: string;
  /** Its name in the tables: the compose service, with the replica's number from the second on; else its own name. */
  readonly name: string;
  /** The engine's own name for it, as `docker ps` prints it. */
  readonly ownName: string;
  readonly project: string | null;
  readonly service: string | null;
  readonly replica: number | null;
  readonly addresses: readonly { readonly network: string; readonly address: string }[];
}

/** The part of a container that names need: small, so that passing it between threads costs little. */
export interface ContainerName {
  /** At most `MAX_ID` characters; empty: it had more. */
  readonly id: string;
  /** At most `MAX_NAME` characters. */
  readonly name: string;
  /** Canonical text. */
  readonly addresses: readonly string[];
  /** In the last of a list: addresses of all, and later containers, beyond the limit; absent: none. */
  readonly omitted?: number;
}

/** A network of the engine. */
export interface EngineNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** The host's bridge of it; null where it has none (host, none, overlay, macvlan). */
  readonly bridge: string | null;
  /** `172.20.0.0/16` */
  readonly subnets: readonly string[];
}

export interface Engine {
  readonly containers: readonly Container[];
  readonly networks: readonly EngineNetwork[];
  /** How many of either were left out. */
  readonly omitted: number;
}

// API 1.24 (2016) and later; only the fields in use. `null` is what older engines and podman send for missing fields.
const text = z.string().max(4096);
const containersSchema = z.array(
  z.object({
    Id: text,
    Names: z.array(text).nullish(),
    State: text.nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
    NetworkSettings: z
      .object({
        Networks: z
          .record(
            z.string(),
            z.object({ IPAddress: text.nullish(), GlobalIPv6Address: text.nullish() }).nullable(),
          )
          .nullish(),
      })
      .nullish(),
  }),
);

const networksSchema = z.array(
  z.object({
    Name: text,
    Id: text,
    Driver: text.nullish(),
    Options: z.record(z.string(), z.string()).nullish(),
    IPAM: z.object({ Config: z.array(z.object({ Subnet: text.nullish() })).nullish() }).nullish(),
  }),
);

/** libpod's own list: podman names a bridge only here. */
const libpodSchema = z.array(z.object({ name: text, network_interface: text.nullish() }));

const BRIDGE_OPTION = "com.docker.network.bridge.name";

/** Sockets to ask; only the configured one if DOCKER_HOST names a unix socket. */
export function engineSockets(dockerHost: string | undefined): readonly string[] {
  const path = /^unix:\/\/(\/.+)$/.exec(dockerHost ?? "")?.[1];
  return path === undefined ? ENGINE_SOCKETS : [path];
}

/** The running containers and networks of the engine at this socket. Throws ServiceError. */
export async function readEngine(socketPath: string, limits: JsonLimits = LIMITS): Promise<Engine> {
  const [containers, networks] = await Promise.all([
    getJson({ socketPath }, "/containers/json", containersSchema, limits),
    readNetworks(socketPath, limits),
  ]);
  const held = containers.value.filter(holdsNetwork);
  return {
    containers: nameContainers(held.slice(0, MAX_CONTAINERS)),
    networks: networks.slice(0, MAX_NETWORKS),
    omitted: Math.max(0, held.length - MAX_CONTAINERS) + Math.max(0, networks.length - MAX_NETWORKS),
  };
}

/** The names of its containers, at most `MAX_CONTAINERS` with `MAX_ADDRESSES` addresses in all. Throws ServiceError. */
export async function readContainerNames(
  socketPath: string,
  limits: JsonLimits = LIMITS,
): Promise<ContainerName[]> {
  const { value } = await getJson({ socketPath }, "/containers/json", containersSchema, limits);
  const held = value.filter(holdsNetwork);
  let room = MAX_ADDRESSES;
  let omitted = Math.max(0, held.length - MAX_CONTAINERS);
  const names = nameContainers(held.slice(0, MAX_CONTAINERS)).map(
    ({ id, name, addresses }): ContainerName => {
      const all = addresses.flatMap(({ address }) => parseAddress(address) ?? []);
      const known = all.slice(0, room);
      room -= known.length;
      omitted += all.length - known.length;
      return {
        id: id.length > MAX_ID ? "" : id,
        name: name.slice(0, MAX_NAME),
        addresses: known.map(formatAddress),
      };
    },
  );
  const last = names.pop();
  return last === undefined ? [] : [...names, omitted > 0 ? { ...last, omitted } : last];
}

/** The networks alone. Throws ServiceError. */
async function readNetworks(socketPath: string, limits: JsonLimits = LIMITS): Promise<EngineNetwork[]> {
  const { value, headers } = await getJson({ socketPath }, "/networks", networksSchema, limits);
  const bridges = new Map<string, string>();
  if (headers["libpod-api-version"] !== undefined) {
    const own = await getJson({ socketPath }, "/v4.0.0/libpod/networks/json", libpodSchema, limits);
    for (const { name, network_interface } of own.value)
      if (network_interface) bridges.set(name, network_interface);
  }
  return value.map((network) => ({
    id: network.Id,
    name: network.Name,
    driver: network.Driver ?? "",
    bridge: bridges.get(network.Name) ?? bridgeOf(network),
    subnets: (network.IPAM?.Config ?? []).flatMap(({ Subnet }) =>
      Subnet && parseCidr(Subnet) ? [Subnet] : [],
    ),
  }));
}

/** Docker's rule: the option, or `br-` and the first 12 digits of the id. */
function bridgeOf({ Driver, Id, Options }: z.infer<typeof networksSchema>[number]): string | null {
  if (Driver !== "bridge") return null;
  const named = Options && Object.hasOwn(Options, BRIDGE_OPTION) ? Options[BRIDGE_OPTION] : undefined;
  return named || `br-${Id.slice(0, 12)}`;
}

type ListedContainer = z.infer<typeof containersSchema>[number];

/** Unique names of containers: if two would get the same name, both keep the engine's own names. */
function nameContainers(listed: readonly ListedContainer[]): Container[] {
  const containers = listed.map(describe);
  const bearers = new Map<string, number>();
  for (const { name } of containers) bearers.set(name, (bearers.get(name) ?? 0) + 1);
  return containers.map((c) => (bearers.get(c.name) === 1 ? c : { ...c, name: c.ownName }));
}

/** States of Docker and podman in which a container no longer has its network. */
const ENDED: ReadonlySet<string> = new Set(["exited", "stopped", "dead", "removing"]);
/** States before the start: the container holds what it lists, which may be nothing. */
const UNSTARTED: ReadonlySet<string> = new Set(["created", "configured", "initialized"]);

/** A paused container, and one that restarts or stops, keeps its network. */
function holdsNetwork(listed: ListedContainer): boolean {
  const state = (listed.State ?? "").toLowerCase();
  if (ENDED.has(state)) return false;
  return !UNSTARTED.has(state) || addressesOf(listed).length > 0;
}

function addressesOf({ NetworkSettings }: ListedContainer): Container["addresses"] {
  return Object.entries(NetworkSettings?.Networks ?? {}).flatMap(([network, end]) =>
    [end?.IPAddress, end?.GlobalIPv6Address]
      .filter((address): address is string => Boolean(address))
      .map((address) => ({ network, address })),
  );
}

function describe(listed: ListedContainer): Container {
  const { Id, Names, Labels } = listed;
  const label = (name: string) => (Labels && Object.hasOwn(Labels, name) ? Labels[name] || null : null);
  const service = label("com.docker.compose.service") ?? label("io.podman.compose.service");
  const number = Number(label("com.docker.compose.container-number"));
  const replica = Number.isSafeInteger(number) && number > 0 ? number : null;
  const ownName = (Names?.[0] ?? "").replace(/^\//, "") || Id.slice(0, 12);
  const oneOff = label("com.docker.compose.oneoff")?.toLowerCase() === "true";
  const shown = service === null || oneOff ? ownName : (replica ?? 1) > 1 ? `${service}-${replica}` : service;
  return {
    id: Id,
    name: shown,
    ownName,
    project: label("com.docker.compose.project") ?? label("io.podman.compose.project"),
    service,
    replica,
    addresses: addressesOf(listed),
  };
}

/** The bridge of the network that `--network` names: by its name, else as compose makes it (`PROJECT_NAME`), else by the id's beginning. */
function findNetwork(networks: readonly EngineNetwork[], wanted: string): EngineNetwork[] {
  const exact = networks.filter(({ name, id }) => name === wanted || id === wanted);
  if (exact.length > 0) return exact;
  const suffixed = networks.filter(({ name }) => name.endsWith(`_${wanted}`));
  if (suffixed.length > 0) return suffixed;
  return /^[0-9a-f]{6,64}$/.test(wanted) ? networks.filter(({ id }) => id.startsWith(wanted)) : [];
}

/** The host's bridge of the network that `--network` names, from any engine that answers. Throws ServiceError that lists the available networks. */
export async function findNetworkBridge(
  sockets: readonly string[],
  wanted: string,
  limits: JsonLimits = LIMITS,
): Promise<string> {
  const answers = await Promise.allSettled(sockets.map((socket) => readNetworks(socket, limits)));
  const networks = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const refusals = answers.flatMap((answer, i) =>
    answer.status === "rejected" ? [`${sockets[i]}: ${(answer.reason as Error).message}`] : [],
  );
  if (refusals.length === answers.length) throw new ServiceError(`no engine answers: ${refusals.join("; ")}`);
  const found = findNetwork(networks, wanted);
  const list = (of: readonly EngineNetwork[]) =>
    of
      .map(({ name }) => name)
      .sort()
      .join(", ")
      .slice(0, 300);
  if (found.length === 0) throw new ServiceError(`no network ${wanted}; there are ${list(networks)}`);
  if (found.length > 1) throw new ServiceError(`${wanted} may be any of ${list(found)}`);
  const { name, driver, bridge } = found[0]!;
  if (bridge === null) throw new ServiceError(`network ${name} (${driver}) has no bridge on this host`);
  return bridge;
}
