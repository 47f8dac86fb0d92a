import { z } from "zod";
import { readPlan } from "../host/state.js";
import { call } from "../service/call.js";
import { type Instance, instancesOf } from "../topology.js";

const nodeSchema = z.object({
  statement: z.string(),
  database: z.string(),
  keys: z.string(),
  proposalsRefused: z.record(z.string(), z.number()),
  votesRefused: z.record(z.string(), z.number()),
});
const voteSchema = z.object({ unanimous: z.boolean(), missing: z.array(z.string()) });

export interface ClusterCheck {
  node: string;
  /** Why this node could not lead a unanimous vote. */
  problem: string;
  unanimous: boolean;
  report?: z.infer<typeof nodeSchema>;
}

export async function labCheckCluster(): Promise<ClusterCheck[]> {
  const plan = readPlan();
  return Promise.all(instancesOf(plan, plan.cluster.service).map(checkNode));
}

async function checkNode(node: Instance): Promise<ClusterCheck> {
  const url = `http://${node.address}:${node.ports[0]}`;
  const check: ClusterCheck = { node: node.name, problem: "does not answer", unanimous: false };
  try {
    check.report = nodeSchema.parse((await call(`${url}/cluster`)).body);
    check.problem = "does not take part in votes";
    const vote = voteSchema.parse((await call(`${url}/cluster/check`, { method: "POST", body: {} })).body);
    return { ...check, unanimous: vote.unanimous, problem: vote.missing.join("; ") };
  } catch {
    return check;
  }
}

export function formatCluster(checks: readonly ClusterCheck[]): string {
  const statement = checks.find((check) => check.report)?.report?.statement;
  const lines = [statement ?? "no node answers"];
  for (const { node, problem, unanimous, report } of checks) {
    lines.push(`${node}: ${unanimous ? "leads a unanimous vote" : problem}`);
    if (!report) continue;
    const counts = Object.entries({ ...report.proposalsRefused, ...report.votesRefused });
    lines.push(
      `  database ${report.database}, keys ${report.keys}, refused so far: ${counts.map(([reason, count]) => `${reason} ${count}`).join(", ") || "nothing"}`,
    );
  }
  if (new Set(checks.flatMap((check) => check.report?.keys ?? [])).size > 1)
    lines.push("the nodes do not hold the same keys");
  return lines.join("\n");
}
