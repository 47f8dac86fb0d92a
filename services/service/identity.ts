import { placeInContainer } from "../docker/place.js";
import { LabError } from "../lab-error.js";
import { readPlan } from "../state.js";
import type { Instance, Plan } from "../topology.js";

/** Who this process is: read as root at start, then root is given up before the first byte from outside. */
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

/** Everything needed of root was read before; the modules too, whatever folder they lie in. */
export function dropRoot(user = "nobody", group = "nogroup"): void {
  if (process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(group);
  process.setuid?.(user);
}
