import { placeInContainer } from "../docker/place.js";
import { readPlan } from "../host/state.js";
import { LabError } from "../lab-error.js";
import type { Instance, Plan } from "../topology.js";

/** The identity of this process: read as root at start; root is given up before the first byte from outside. */
export interface Identity {
  plan: Plan;
  instance: Instance;
}

export async function readIdentity(name: string): Promise<Identity> {
  const plan = readPlan();
  const instance = plan.instances.find((candidate) => candidate.name === name);
  if (!instance) throw new LabError(`no instance is called ${name}`, 2);
  return { plan, instance: plan.named ? await placeInContainer(plan, instance) : instance };
}

/** Everything that needs root was read before, modules included. */
export function dropRoot(user = "nobody", group = "nogroup"): void {
  if (process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(group);
  process.setuid?.(user);
}
