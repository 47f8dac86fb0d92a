import { type Lab, type Plan, planLab } from "../topology.js";

/**
 * The lab in containers: the engine assigns the addresses, so the plan has names instead: its own for an order node, its service's for
 * all others. The services behind nginx stay on their first port, because nginx's usual image asks no registry.
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
