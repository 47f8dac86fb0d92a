import { tryCommand } from "../host/command.js";
import { removeRules } from "../host/firewall.js";
import { removeNetwork } from "../host/network.js";
import { emptyNamespaces, stopProcess } from "../host/processes.js";
import { requireRoot } from "../host/requirements.js";
import { stopSignal } from "../host/start-order.js";
import { readState, removeState, withLock } from "../host/state.js";
import { planLab, readLab } from "../topology.js";

/** Ends and removes everything of the lab, complete or not. False: there was nothing. */
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

/** Deletes the lab's tracked connections, which the kernel would keep for minutes; by both ends, since one may be translated. */
async function forgetConnections({ bridges, outside }: ReturnType<typeof planLab>): Promise<void> {
  const networks = [...bridges, ...outside].map((place) => ["ipv4", place.network] as const);
  const networks6 = bridges.flatMap((bridge) =>
    bridge.network6 ? [["ipv6", bridge.network6] as const] : [],
  );
  for (const [family, network] of [...networks, ...networks6])
    for (const end of ["--orig-src", "--reply-src"])
      await tryCommand("conntrack", ["-D", "-f", family, end, network]);
}
