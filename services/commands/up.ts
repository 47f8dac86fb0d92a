import { mkdirSync } from "node:fs";
import { EventFile } from "../events/event-file.js";
import { applyRules } from "../host/firewall.js";
import { buildNetwork, refuseForeign } from "../host/network.js";
import { requirePrograms, requireRoot } from "../host/requirements.js";
import { ensureWatched, startAll } from "../host/start-order.js";
import { type LabState, readState, STATE_DIR, withLock, writeState, writeWhole } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { databasePassword, fetchSecrets, makeKeys } from "../secrets.js";
import { type Plan, type PlanOptions, planLab, readLab } from "../topology.js";

/** Where events go by default. */
const OWN_EVENTS = `${STATE_DIR}/events.ndjson`;

/** Absent options keep the current value, or lab.json's: flat, without policies. */
export type UpOptions = Partial<PlanOptions> & {
  /** Append events to this file. Default: one in the state folder. */
  events?: string;
};

/** Builds missing parts of the lab and returns when every server is healthy. */
export async function labUp(options: UpOptions, progress: (text: string) => void): Promise<Plan> {
  requireRoot();
  requirePrograms();
  const lab = readLab();
  return withLock(async () => {
    const found = readState();
    const plan = planLab(lab, settled(options, found));
    const events = options.events ?? found?.events;
    plan.events = { path: events ?? OWN_EVENTS, own: events === undefined };
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
      ...(events === undefined ? {} : { events }),
    };
    await refuseForeign(plan, state);
    checkEvents(plan);
    writeState(state);
    progress(`building namespaces and links (${plan.profile})`);
    await buildNetwork(plan, state);
    await applyRules(plan);
    await fetchSecrets(plan);
    makeKeys(plan);
    databasePassword();
    mkdirSync(`${STATE_DIR}/faults`, { recursive: true, mode: 0o755 });
    writeWhole(`${STATE_DIR}/plan.json`, JSON.stringify(plan), 0o644);
    await ensureWatched(state, found?.policies !== plan.policies);
    await startAll(plan, state, progress);
    return plan;
  });
}

/** Throws if events cannot be written there; the servers themselves would continue without a log. */
function checkEvents({ events }: Plan): void {
  if (!events || events.own) return;
  try {
    new EventFile(events.path).close();
  } catch (error) {
    throw new LabError(`--events ${events.path}: ${(error as Error).message}`);
  }
}

/** Only the policies can be switched under a running lab. */
function settled(options: UpOptions, found: LabState | undefined): PlanOptions {
  for (const name of ["profile", "nodes", "rotateSeconds", "events"] as const)
    if (found && options[name] !== undefined && options[name] !== found[name])
      throw new LabError(
        `the lab is up with ${name} ${found[name] ?? OWN_EVENTS}, not ${options[name]}; run 'netwatch lab down' first`,
      );
  return { profile: "flat", policies: false, ...found, ...options };
}
