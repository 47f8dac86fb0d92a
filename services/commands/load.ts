import { fileURLToPath } from "node:url";
import { tryCommand } from "../host/command.js";
import { requireRoot } from "../host/requirements.js";
import { readPlan } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { counted } from "../plural.js";
import type { LoadOptions, LoadResult } from "./load-client.js";

/** Runs the load client inside the outside client's namespace, so that it comes in by the forwarded port. */
export async function labLoad(options: LoadOptions): Promise<LoadResult> {
  requireRoot();
  const plan = readPlan();
  const client = plan.outside.find((outside) => outside.name === "client");
  if (!client) throw new LabError("lab.json has no outside client");
  const main = fileURLToPath(new URL("../main.js", import.meta.url));
  const target = { host: client.hostAddress, port: plan.forward.port };
  const result = await tryCommand(
    "ip",
    [
      "netns",
      "exec",
      client.name,
      process.execPath,
      main,
      "load-client",
      JSON.stringify({ ...options, ...target }),
    ],
    { timeoutMs: (options.durationSeconds + 60) * 1000 },
  );
  if (result.code !== 0) throw new LabError(`the load client failed: ${result.stderr.trim().slice(0, 500)}`);
  return JSON.parse(result.stdout) as LoadResult;
}

export function formatLoad(result: LoadResult): string {
  const { latencyMs } = result;
  const lines = [
    `${counted(result.sent, "request")} in ${result.seconds.toFixed(1)} s (${(result.sent / result.seconds).toFixed(1)} a second), ${result.failed} failed`,
    `latency: median ${latencyMs.p50} ms, 95 % ${latencyMs.p95} ms, 99 % ${latencyMs.p99} ms, most ${latencyMs.max} ms`,
    `answers: ${Object.entries(result.statuses)
      .map(([status, count]) => `${status}: ${count}`)
      .join(", ")}`,
  ];
  if (result.retried > 0)
    lines.push(`repeated on a new connection because the kept one had closed: ${result.retried}`);
  for (const [reason, count] of Object.entries(result.errors)) lines.push(`error: ${reason}: ${count}`);
  return lines.join("\n");
}
