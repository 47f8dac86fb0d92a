import { instancesOf, type Plan } from "../topology.js";
import type { App } from "./app.js";
import { dropRoot, type Identity } from "./identity.js";
import { Listener } from "./listener.js";
import { Membership } from "./membership.js";

export function registryUrl(plan: Plan): string {
  const registry = instancesOf(plan, "service-registry")[0]!;
  return `http://${registry.address}:${registry.ports[0]}`;
}

/** Gives up root, opens the port, joins the registry, runs until a signal, then leaves the registry. */
export async function runService(
  { plan, instance }: Identity,
  app: App,
  hooks: { start?: () => Promise<void>; stop?: () => Promise<void> } = {},
): Promise<void> {
  // The application loads its modules as it becomes ready.
  await app.http.ready();
  dropRoot();
  const { everySeconds, drainSeconds } = plan.rotation;
  const listener = new Listener(
    app.http,
    instance.listen ?? instance.address,
    instance.ports,
    drainSeconds * 1000,
  );
  const membership = new Membership(registryUrl(plan), instance, listener, app.http.log, everySeconds * 1000);
  const isRegistry = instance.service === "service-registry";
  await hooks.start?.();
  await listener.open();
  app.http.log.info({ address: instance.address, port: listener.port }, "listening");
  if (!isRegistry) await membership.start();
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    if (!isRegistry) await membership.stop();
    await listener.close();
    await hooks.stop?.();
    app.http.log.info("stopped");
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  process.on("SIGINT", () => void stop());
}
