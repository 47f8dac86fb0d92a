import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { hostname } from "node:os";
import type { Instance, Plan } from "../topology.js";

/** This container's instance: with the address that the registry sees, and compose's number in its name. */
export async function placeInContainer(plan: Plan, instance: Instance): Promise<Instance> {
  const registry = plan.instances.find(({ service }) => service === "service-registry")!;
  const address = await addressTowards(registry.address, registry.ports[0]!);
  const name =
    instance.service === plan.cluster.service ? instance.name : await replicaName(instance.name, address);
  return { ...instance, name, address };
}

/** The kernel chooses the address: connecting a datagram socket sends nothing. */
async function addressTowards(host: string, port: number): Promise<string> {
  const socket = createSocket("udp4");
  try {
    socket.connect(port, host);
    await once(socket, "connect");
    return socket.address().address;
  } finally {
    socket.close();
  }
}

/** An engine's DNS knows a container by `PROJECT-SERVICE-NUMBER.NETWORK`; the first has only the service's name, as in netwatch. */
async function replicaName(service: string, address: string): Promise<string> {
  const question = `${address.split(".").reverse().join(".")}.in-addr.arpa`;
  // `reverse` would look into /etc/hosts first, where the container has another name
  const names = await new Resolver({ timeout: 1000, tries: 1 }).resolvePtr(question).catch(() => []);
  return names.map((name) => replicaOf(service, name)).find(Boolean) ?? `${service}-${hostname()}`;
}

export function replicaOf(service: string, name: string): string | undefined {
  const label = name.split(".")[0]!;
  // compose 1 writes underscores
  const [, number] = /[-_]([1-9]\d*)$/.exec(label) ?? [];
  if (number === undefined || !label.slice(0, -number.length - 1).endsWith(service)) return undefined;
  return number === "1" ? service : `${service}-${number}`;
}
