import { tryCommand } from "./command.js";
import { removeRules } from "./firewall.js";
import { removeNetwork } from "./network.js";
import { emptyNamespaces, stopProcess } from "./processes.js";
import { requireRoot } from "./requirements.js";
import { stopSignal } from "./start-order.js";
import { readState, removeState, withLock } from "./state.js";
import { planLab, readLab } from "./topology.js";

/** Ends and removes all the lab made, however much of it there is. False when there was nothing. */
export async function labDown(progress: (text: string) => void): Promise<boolean> {
  requireRoot();
  return withLock(async () => {
    const state = readState();
    if (!state) return false;
    progress("stopping servers");
    await Promise.all(
      Object.entries(state.processes).map(([name, record]) => stopProcess(record, stopSignal(name), 8000)),
    );
    await emptyNamespaces(state.namespaces);
    progress("removing links, namespaces and rules");
    await removeNetwork(state);
    await removeRules();
    await forgetConnections(planLab(readLab(), state));
    removeState();
    return true;
  });
}

/** The kernel would remember the lab's connections for minutes; by either end, since one may be translated. */
async function forgetConnections({ bridges, outside }: ReturnType<typeof planLab>): Promise<void> {
  const networks = [...bridges, ...outside].map((place) => ["ipv4", place.network] as const);
  const networks6 = bridges.flatMap((bridge) =>
    bridge.network6 ? [["ipv6", bridge.network6] as const] : [],
  );
  for (const [family, network] of [...networks, ...networks6])
    for (const end of ["--orig-src", "--reply-src"])
      await tryCommand("conntrack", ["-D", "-f", family, end, network]);
}
