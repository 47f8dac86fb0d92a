import { mkdirSync } from "node:fs";
import { applyRules } from "./firewall.js";
import { LabError } from "./lab-error.js";
import { buildNetwork } from "./network.js";
import { requirePrograms, requireRoot } from "./requirements.js";
import { databasePassword, makeKeys } from "./secrets.js";
import { startAll } from "./start-order.js";
import { type LabState, readState, STATE_DIR, withLock, writeState, writeWhole } from "./state.js";
import { type Plan, type PlanOptions, planLab, readLab } from "./topology.js";

/** Builds what is missing of the lab and returns when every server is healthy. */
export async function labUp(options: PlanOptions, progress: (text: string) => void): Promise<Plan> {
  requireRoot();
  requirePrograms();
  const plan = planLab(readLab(), options);
  return withLock(async () => {
    const state = stateFor(plan);
    progress(`building namespaces and links (${plan.profile})`);
    await buildNetwork(plan, state);
    await applyRules(plan);
    makeKeys(plan);
    databasePassword();
    mkdirSync(`${STATE_DIR}/faults`, { recursive: true, mode: 0o755 });
    writeWhole(`${STATE_DIR}/plan.json`, JSON.stringify(plan), 0o644);
    await startAll(plan, state, progress);
    return plan;
  });
}

function stateFor(plan: Plan): LabState {
  const wanted = {
    profile: plan.profile,
    policies: plan.policies,
    nodes: plan.cluster.nodes,
    rotateSeconds: plan.rotation.everySeconds,
  };
  const found = readState();
  if (found && (found.profile !== wanted.profile || found.nodes !== wanted.nodes))
    throw new LabError(
      `the lab is up as ${found.profile} with ${found.nodes} order nodes; run 'netwatch lab down' first`,
      3,
    );
  const state: LabState = {
    version: 1,
    namespaces: [],
    links: [],
    processes: {},
    ...found,
    ...wanted,
  };
  writeState(state);
  return state;
}
