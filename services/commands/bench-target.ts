import { pidsIn } from "../host/processes.js";
import { readPlan, readState, withLock } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { counted } from "../plural.js";
import { type Plan, readLab } from "../topology.js";
import { labDown } from "./down.js";
import { type InstanceStatus, labStatus } from "./status.js";
import { labUp } from "./up.js";

/** No rotation during a measurement. */
const NEVER_SECONDS = 86_400;

/**
 * The lab in network namespaces as a target of netwatch's `lab bench` (lab.slow.test.ts checks the shape): the running lab, else a temporary one. Waits for a lab command that is
 * at work. Throws LabError if the running lab cannot be reached from here: it would measure refused connections.
 */
export async function openLabTarget(progress: (text: string) => void) {
  const found = await withLock(async () => readState() && { plan: readPlan(), status: await labStatus() });
  if (found) {
    const broken = found.status.instances.filter(({ state }) => state !== "healthy");
    if (broken.length > 0) throw new LabError(`the lab that is up is not whole: ${listStates(broken)}`);
    return labTarget(found.plan, false, async () => {});
  }
  const close = async (): Promise<void> => void (await labDown(progress));
  try {
    return labTarget(await labUp({ rotateSeconds: NEVER_SECONDS }, progress), true, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** The message has a cure; a lab in another network namespace looks the same from here. */
function listStates(instances: readonly InstanceStatus[]): string {
  const said = instances.map(({ name, state }) => `${name} is ${state}`).join(", ");
  return `${said}; run 'netwatch lab up' where it was brought up`;
}

function labTarget(plan: Plan, own: boolean, close: () => Promise<void>) {
  const client = plan.outside.find((outside) => outside.name === "client");
  if (!client) throw new LabError("lab.json has no outside client");
  const namespaces = plan.instances.map((instance) => instance.name);
  return {
    mode: "lab" as const,
    origin: `http://${client.hostAddress}:${plan.forward.port}`,
    netns: client.name,
    client: `namespace ${client.name}, through the host's port ${plan.forward.port} (DNAT) and the bridge to ${plan.forward.service}`,
    facts: factsOf(plan, own),
    bridges: plan.bridges.map((bridge) => bridge.name),
    services: addressBook(plan),
    servers: countServers(plan),
    entrance: plan.forward.service,
    pids: () => pidsIn(namespaces),
    throttledSeconds: async () => null,
    close,
  };
}

function factsOf(plan: Plan, own: boolean): string[] {
  const facts = [
    `${counted(plan.instances.length, "server")} in network namespaces of this host, profile ${plan.profile}, ${own ? "brought up for this run" : "up before"}; no limit of CPU or memory.`,
  ];
  if (plan.policies)
    facts.push(
      "The lab's policies are on: every packet also passes their rules, and connections are limited.",
    );
  if (!own && plan.rotation.everySeconds < NEVER_SECONDS)
    facts.push(`Moving services change their port every ${plan.rotation.everySeconds} s, in a round too.`);
  if (plan.bridges.length > 1)
    facts.push("Packets between two tiers cross two bridges and count twice on the wire.");
  return facts;
}

function countServers(plan: Plan): Map<string, number> {
  const servers = new Map<string, number>();
  for (const { service } of plan.instances) servers.set(service, (servers.get(service) ?? 0) + 1);
  return servers;
}

function addressBook(plan: Plan): Map<string, string> {
  const book = new Map<string, string>();
  const lab = readLab();
  for (const { address, address6, service } of plan.instances) {
    book.set(address, service);
    if (address6 !== undefined) book.set(address6, service);
  }
  for (const { address, name } of plan.outside) book.set(address, name);
  for (const address of lab.services.host?.addresses ?? []) book.set(address, "host");
  return book;
}
