import { removeRules } from "./firewall.js";
import { removeNetwork } from "./network.js";
import { emptyNamespaces, stopProcess } from "./processes.js";
import { requireRoot } from "./requirements.js";
import { readState, removeState, withLock } from "./state.js";

/** Ends and removes all the lab made, however much of it there is. False when there was nothing. */
export async function labDown(progress: (text: string) => void): Promise<boolean> {
  requireRoot();
  return withLock(async () => {
    const state = readState();
    if (!state) return false;
    progress("stopping servers");
    await Promise.all(
      Object.entries(state.processes).map(([name, record]) =>
        // PostgreSQL: fast shutdown, its manual 19.5
        stopProcess(record, name === "postgres-db" ? "SIGINT" : "SIGTERM", 8000),
      ),
    );
    await emptyNamespaces(state.namespaces);
    progress("removing links, namespaces and rules");
    await removeNetwork(state);
    await removeRules();
    removeState();
    return true;
  });
}
