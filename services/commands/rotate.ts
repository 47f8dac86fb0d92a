import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { registeredPorts } from "../host/health.js";
import { readPlan } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { call } from "../service/call.js";
import { registryUrl } from "../service/run-service.js";

const WAIT_MS = 120_000;

export interface Move {
  instance: string;
  from: number;
  to: number;
}

/** Asks the registry for a rotation and waits until every instance concerned has another port. */
export async function labRotate(service?: string): Promise<Move[]> {
  const plan = readPlan();
  const before = await registeredPorts(plan);
  const { status, body } = await call(`${registryUrl(plan)}/rotate`, {
    method: "POST",
    body: service === undefined ? {} : { service },
  }).catch(() => {
    throw new LabError("the service registry does not answer");
  });
  if (status !== 202) throw new LabError(z.object({ error: z.string() }).parse(body).error, 2);
  const moving = plan.instances.filter(
    (instance) =>
      instance.moving && (service === undefined || instance.service === service) && before.has(instance.name),
  );
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const after = await registeredPorts(plan);
    const moves = moving.flatMap(({ name }) => {
      const move = { instance: name, from: before.get(name)!, to: after.get(name) ?? before.get(name)! };
      return move.from === move.to ? [] : [move];
    });
    if (moves.length === moving.length) return moves;
    if (performance.now() > deadline) {
      const late = moving.filter(({ name }) => !moves.some((move) => move.instance === name));
      throw new LabError(`not moved after ${WAIT_MS / 1000} s: ${late.map(({ name }) => name).join(", ")}`);
    }
    await sleep(100);
  }
}
