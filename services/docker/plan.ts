import { type Lab, type Plan, planLab } from "../topology.js";

/**
 * The lab in containers: the engine gives the addresses, so a name stands for each, its own for an order node and its service's for any
 * number of others. What nginx calls stays on its first port, because nginx's usual image asks no registry.
 */
export function planContainers(lab: Lab): Plan {
  const plan = planLab(lab, { profile: "tiers", policies: false });
  const still = plan.calls[plan.forward.service] ?? [];
  const seen = new Set<string>();
  const instances = plan.instances.flatMap((instance) => {
    const { service, ports } = instance;
    const name = service === plan.cluster.service ? instance.name : service;
    if (seen.has(name)) return [];
    seen.add(name);
    const place = { ...instance, name, address: name, listen: "0.0.0.0" };
    return [still.includes(service) ? { ...place, ports: ports.slice(0, 1), moving: false } : place];
  });
  return { ...plan, named: true, bridges: [], outside: [], instances };
}
