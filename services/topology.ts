import { readFileSync } from "node:fs";
import { BlockList, isIPv4 } from "node:net";
import { z } from "zod";
import { LabError } from "./lab-error.js";

const name = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/);
// IFNAMSIZ is 16 with the final NUL, linux/if.h
const link = z.string().regex(/^[a-z][a-z0-9-]{0,14}$/);
const cidr = z.string().regex(/^[0-9a-f.:]+\/\d{1,3}$/);
const port = z.int().min(1).max(65535);

const bridgeSchema = z.object({
  name: link,
  network: cidr,
  address: z.ipv4(),
  network6: cidr.optional(),
  address6: z.ipv6().optional(),
});

const serviceSchema = z.object({
  addresses: z.array(z.union([z.ipv4(), z.ipv6()])).min(1),
  ports: z.array(port).default([]),
  /** Listens on one of `ports` at a time and changes it. */
  moving: z.boolean().default(false),
  calls: z.array(name),
  instances: z.array(z.object({ name, link })).default([]),
  outside: z.object({ link, network: cidr, hostAddress: z.ipv4() }).optional(),
});

const labSchema = z.object({
  version: z.literal(1),
  profiles: z.object({
    flat: z.object({ bridges: z.array(bridgeSchema).min(1) }),
    tiers: z.object({ bridges: z.array(bridgeSchema).min(1) }),
  }),
  forward: z.object({ port, service: name, servicePort: port }),
  policies: z.object({
    restricted: z.array(name),
    gateway: z.object({ service: name, connectionsPerMinute: z.int().min(1), burst: z.int().min(1) }),
    egress: z.object({ tcp: z.array(port), udp: z.array(port) }),
  }),
  cluster: z.object({ service: name, nodes: z.int().min(1), quorum: z.int().min(1) }),
  rotation: z.object({ everySeconds: z.int().min(5), drainSeconds: z.int().min(1) }),
  services: z.record(name, serviceSchema),
});

export type Lab = z.infer<typeof labSchema>;
export type Bridge = z.infer<typeof bridgeSchema>;
export type Profile = keyof Lab["profiles"];
export const PROFILES: readonly Profile[] = ["flat", "tiers"];

/** One server in one namespace of its own; `name` is the namespace. */
export interface Instance {
  name: string;
  service: string;
  link: string;
  bridge: string;
  address: string;
  prefix: number;
  gateway: string;
  address6?: string;
  /** Where it listens, if not at `address` alone. */
  listen?: string;
  ports: number[];
  moving: boolean;
}

/** A namespace outside the bridges, on a point-to-point link to the host. */
export interface Outside {
  name: string;
  link: string;
  address: string;
  prefix: number;
  network: string;
  hostAddress: string;
  ports: number[];
}

/** The lab of one profile: `up` builds it, the rules protect it, the services read it. */
export interface Plan {
  profile: Profile;
  /** In containers: addresses are names that the engine resolves, and a service may have any number of instances behind its own. */
  named?: true;
  policies: boolean;
  bridges: Bridge[];
  instances: Instance[];
  outside: Outside[];
  calls: Record<string, string[]>;
  forward: Lab["forward"];
  policyRules: Lab["policies"];
  cluster: Lab["cluster"];
  rotation: Lab["rotation"];
  /** Where events are written. `own`: in the state folder, and bounded. */
  events?: { path: string; own: boolean };
  /** Ed25519 public keys of the order nodes and of the gateway, base64 of SPKI DER, by instance name. */
  publicKeys: Record<string, string>;
}

export function readLab(file: URL | string = new URL("../../services/lab.json", import.meta.url)): Lab {
  const parsed = labSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new LabError(`lab.json: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

export interface PlanOptions {
  profile: Profile;
  policies: boolean;
  /** Order nodes to start; three means quorum two. Default: as lab.json says. */
  nodes?: number;
  rotateSeconds?: number;
}

export function planLab(lab: Lab, options: PlanOptions): Plan {
  const bridges = lab.profiles[options.profile].bridges;
  const cluster = clusterOf(lab, options.nodes);
  const instances: Instance[] = [];
  const outside: Outside[] = [];
  const calls: Record<string, string[]> = {};
  for (const [service, spec] of Object.entries(lab.services)) {
    calls[service] = spec.calls;
    for (const callee of spec.calls)
      if (!Object.hasOwn(lab.services, callee))
        throw new LabError(`lab.json: ${service} calls ${callee}, which is not a service`);
    if (spec.outside) outside.push(outsideOf(service, spec.addresses, spec.ports, spec.outside));
    const wanted = service === cluster.service ? cluster.nodes : spec.instances.length;
    const places = placesOf(spec.addresses, bridges);
    spec.instances.slice(0, wanted).forEach((instance, index) => {
      const place = places[index];
      if (!place)
        throw new LabError(`lab.json: ${instance.name} has no address in profile ${options.profile}`);
      instances.push({ ...instance, service, ...place, ports: spec.ports, moving: spec.moving });
    });
  }
  return {
    profile: options.profile,
    policies: options.policies,
    bridges,
    instances,
    outside,
    calls,
    forward: lab.forward,
    policyRules: lab.policies,
    cluster,
    rotation: { ...lab.rotation, everySeconds: options.rotateSeconds ?? lab.rotation.everySeconds },
    publicKeys: {},
  };
}

export function instancesOf(plan: Plan, service: string): Instance[] {
  return plan.instances.filter((instance) => instance.service === service);
}

/** Every bridge and outside link's address on the host itself. */
export function hostAddresses(plan: Plan): string[] {
  return [
    ...plan.bridges.map((bridge) => bridge.address),
    ...plan.outside.map((outside) => outside.hostAddress),
  ];
}

function clusterOf(lab: Lab, nodes = lab.cluster.nodes): Lab["cluster"] {
  const available = lab.services[lab.cluster.service]?.instances.length ?? 0;
  if (nodes < 3 || nodes > available)
    throw new LabError(`the order cluster takes 3 to ${available} nodes, not ${nodes}`, 2);
  return { ...lab.cluster, nodes, quorum: nodes === lab.cluster.nodes ? lab.cluster.quorum : nodes - 1 };
}

type Place = Pick<Instance, "bridge" | "address" | "prefix" | "gateway"> & { address6?: string };

function placesOf(addresses: string[], bridges: Bridge[]): Place[] {
  const places: Place[] = [];
  for (const bridge of bridges) {
    const own = addresses.filter((address) => isIPv4(address) && contains(bridge.network, address));
    const own6 = addresses.filter(
      (address) => !isIPv4(address) && bridge.network6 !== undefined && contains(bridge.network6, address),
    );
    own.forEach((address, index) => {
      const address6 = own6[index];
      places.push({
        bridge: bridge.name,
        address,
        prefix: prefixOf(bridge.network),
        gateway: bridge.address,
        ...(address6 === undefined ? {} : { address6 }),
      });
    });
  }
  return places;
}

function outsideOf(
  service: string,
  addresses: string[],
  ports: number[],
  spec: { link: string; network: string; hostAddress: string },
): Outside {
  return { name: service, address: addresses[0]!, prefix: prefixOf(spec.network), ports, ...spec };
}

export function prefixOf(network: string): number {
  return Number(network.slice(network.indexOf("/") + 1));
}

export function contains(network: string, address: string): boolean {
  const base = network.slice(0, network.indexOf("/"));
  const family = isIPv4(base) ? "ipv4" : "ipv6";
  if (isIPv4(address) !== (family === "ipv4")) return false;
  const list = new BlockList();
  list.addSubnet(base, prefixOf(network), family);
  return list.check(address, family);
}
