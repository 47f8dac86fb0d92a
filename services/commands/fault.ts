import { rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { registeredPorts } from "../host/health.js";
import { stopLeftovers, stopProcess } from "../host/processes.js";
import { requireRoot } from "../host/requirements.js";
import { startInstance } from "../host/start-order.js";
import { readPlan, readState, withLock, writeState } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { call } from "../service/call.js";
import { faultFile } from "../shop/orders/order-fault.js";
import type { Instance } from "../topology.js";

const healthSchema = z.object({ fault: z.string() });

/** Makes one server dead (killed), silent, lying, or ok again. Prints the new state. */
export async function labFault(name: string, kind: string): Promise<string> {
  requireRoot();
  const plan = readPlan();
  const node = plan.instances.find((instance) => instance.name === name);
  if (!node)
    throw new LabError(
      `no server is called ${JSON.stringify(name)}; there are ${plan.instances.map((instance) => instance.name).join(", ")}`,
      2,
    );
  const isOrderNode = node.service === plan.cluster.service;
  const kinds = isOrderNode ? ["dead", "silent", "lying", "ok"] : ["dead", "ok"];
  if (!kinds.includes(kind))
    throw new LabError(`${name} can be ${kinds.join(", ")}, not ${JSON.stringify(kind)}`, 2);
  return withLock(async () => {
    const state = readState();
    if (!state) throw new LabError("the lab is not up: run 'netwatch lab up' first");
    const record = state.processes[name];
    if (kind === "dead") {
      // a killed PostgreSQL leaves shared memory behind, so: immediate shutdown, its manual 19.5
      if (record) {
        await stopProcess(record, node.service === "postgres-db" ? "SIGQUIT" : "SIGKILL");
        await stopLeftovers(name, record, "SIGKILL");
      }
      delete state.processes[name];
      writeState(state);
      return `${name} is dead`;
    }
    if (kind === "ok") rmSync(faultFile(name), { force: true });
    else writeFileSync(faultFile(name), kind, { mode: 0o644 });
    await startInstance(plan, node, state, await registeredPorts(plan));
    if (isOrderNode) await waitFault(node, kind);
    return `${name} is ${kind}`;
  });
}

async function waitFault(node: Instance, kind: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await call(`http://${node.address}:${node.ports[0]}/health`, { timeoutMs: 500 }).catch(
      () => undefined,
    );
    const health = healthSchema.safeParse(answer?.body);
    if (health.success && health.data.fault === kind) return;
    await sleep(100);
  }
  throw new LabError(`${node.name} did not become ${kind}`);
}
