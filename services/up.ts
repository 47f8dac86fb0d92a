import { mkdirSync } from "node:fs";
import { applyRules } from "./firewall.js";
import { LabError } from "./lab-error.js";
import { buildNetwork, refuseForeign } from "./network.js";
import { requirePrograms, requireRoot } from "./requirements.js";
import { databasePassword, makeKeys } from "./secrets.js";
import { startAll } from "./start-order.js";
import { type LabState, readState, STATE_DIR, withLock, writeState, writeWhole } from "./state.js";
import { type Plan, type PlanOptions, planLab, readLab } from "./topology.js";

/** What is not said stays as it is, or is lab.json's own: flat, without policies. */
export type UpOptions = Partial<PlanOptions>;

/** Builds what is missing of the lab and returns when every server is healthy. */
export async function labUp(options: UpOptions, progress: (text: string) => void): Promise<Plan> {
  requireRoot();
  requirePrograms();
  const lab = readLab();
  return withLock(async () => {
    const found = readState();
    const plan = planLab(lab, settled(options, found));
    const state: LabState = {
      version: 1,
      namespaces: [],
      links: [],
      processes: {},
      ...found,
      profile: plan.profile,
      policies: plan.policies,
      nodes: plan.cluster.nodes,
      rotateSeconds: plan.rotation.everySeconds,
    };
    await refuseForeign(plan, state);
    writeState(state);
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

/** Only the policies can be switched under a running lab. */
function settled(options: UpOptions, found: LabState | undefined): PlanOptions {
  for (const name of ["profile", "nodes", "rotateSeconds"] as const)
    if (found && options[name] !== undefined && options[name] !== found[name])
      throw new LabError(
        `the lab is up with ${name} ${found[name]}, not ${options[name]}; run 'netwatch lab down' first`,
        3,
      );
  return { profile: "flat", policies: false, ...found, ...options };
}
