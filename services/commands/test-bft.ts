import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { toleratedLiars } from "../bft/quorum.js";
import { requireRoot } from "../host/requirements.js";
import { readPlan } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { call } from "../service/call.js";
import { instancesOf, type Plan } from "../topology.js";
import { labCheckCluster } from "./check-cluster.js";
import { labFault } from "./fault.js";

/** The expected behaviour of the cluster while some nodes fail. */
export interface Trial {
  readonly faults: readonly (readonly [node: string, kind: string])[];
  readonly expected: "paid" | "ordered" | "refused";
}

export interface TrialResult extends Trial {
  readonly seen: string;
  readonly isRight: boolean;
}

const ORDERS = 3;
const WAIT_MS = 20_000;
const answerSchema = z.object({ payment: z.object({ status: z.string() }).optional() });

/** One node failing in every way, which the cluster tolerates; then more failures than the quorum allows. */
export function trialsOf(plan: Plan): Trial[] {
  const names = instancesOf(plan, plan.cluster.service).map(({ name }) => name);
  const { nodes, quorum } = plan.cluster;
  const kinds = ["dead", "silent", ...(toleratedLiars(nodes, quorum) > 0 ? ["lying"] : [])];
  const tooMany = names.slice(0, nodes - quorum + 1);
  return [
    { faults: [], expected: "paid" },
    ...kinds.map((kind): Trial => ({ faults: [[names[1]!, kind]], expected: "ordered" })),
    { faults: tooMany.map((name, i) => [name, kinds[i % kinds.length]!] as const), expected: "refused" },
  ];
}

/** Orders goods while nodes fail, and compares the results with the expected ones. Restores every node afterwards. */
export async function labTestBft(say: (line: string) => void): Promise<TrialResult[]> {
  requireRoot();
  const plan = readPlan();
  if (!(await labCheckCluster()).every(({ unanimous }) => unanimous))
    throw new LabError("the cluster is not well to begin with: netwatch lab check-cluster says why");
  const results: TrialResult[] = [];
  for (const trial of trialsOf(plan)) {
    say(`trying: ${describeFaults(trial)}`);
    try {
      for (const [node, kind] of trial.faults) await labFault(node, kind);
      const seen: string[] = [];
      for (let turn = 0; turn < ORDERS; turn++) seen.push(await order(plan));
      const isRight = seen.every((outcome) => outcome === trial.expected);
      results.push({ ...trial, seen: [...new Set(seen)].join(" and "), isRight });
    } finally {
      for (const [node] of trial.faults) await labFault(node, "ok");
    }
    await waitUnanimous();
  }
  return results;
}

async function order(plan: Plan): Promise<string> {
  const body = { customer: "test-bft@shop.example", items: [{ productId: 1, quantity: 1 }] };
  const url = `http://127.0.0.1:${plan.forward.port}/orders`;
  try {
    const answer = await call(url, { method: "POST", body, timeoutMs: WAIT_MS });
    if (answer.status === 503) return "refused";
    if (answer.status !== 201) return `status ${answer.status}`;
    return answerSchema.parse(answer.body).payment?.status === "paid" ? "paid" : "ordered";
  } catch {
    return "no answer";
  }
}

async function waitUnanimous(): Promise<void> {
  for (let waited = 0; waited < WAIT_MS; waited += 500) {
    if ((await labCheckCluster()).every(({ unanimous }) => unanimous)) return;
    await sleep(500);
  }
  throw new LabError("the cluster did not become well again");
}

const OUTCOMES = {
  paid: "orders stand and are paid",
  ordered: "orders stand, payments are refused",
  refused: "orders are refused",
} as const;

export function formatTrials(results: readonly TrialResult[]): string {
  return results
    .map(({ isRight, seen, expected, ...trial }) => {
      const was = isRight ? OUTCOMES[expected] : `should be "${OUTCOMES[expected]}", but was: ${seen}`;
      return `${isRight ? "ok    " : "WRONG "} ${describeFaults(trial)}: ${was}`;
    })
    .join("\n");
}

function describeFaults({ faults }: Pick<Trial, "faults">): string {
  return faults.map(([node, kind]) => `${node} ${kind}`).join(", ") || "every node well";
}
