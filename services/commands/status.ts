import { WATCHER } from "../events/watcher.js";
import { isHealthy, registeredPorts } from "../host/health.js";
import { isAlive, lastLines, memoryOf, pidsIn } from "../host/processes.js";
import { requireRoot } from "../host/requirements.js";
import { readPlan, readState } from "../host/state.js";
import type { Plan } from "../topology.js";

export interface InstanceStatus {
  name: string;
  service: string;
  address: string;
  port: number;
  pid: number | undefined;
  state: "healthy" | "unhealthy" | "dead";
  log: string;
}

export interface LabStatus {
  profile: string;
  policies: boolean;
  instances: InstanceStatus[];
  memory: { pssKib: number; rssKib: number };
  events: { path: string; watched: boolean };
}

/** Whether a server of a lab runs. Also false if a killed lab left its namespaces behind. */
export function isLabRunning(): boolean {
  return Object.values(readState()?.processes ?? {}).some(isAlive);
}

export async function labStatus(): Promise<LabStatus> {
  requireRoot();
  const plan = readPlan();
  const state = readState();
  const ports = await registeredPorts(plan);
  const instances = await Promise.all(
    plan.instances.map(async (instance): Promise<InstanceStatus> => {
      const record = state?.processes[instance.name];
      const alive = isAlive(record);
      const healthy = alive && (await isHealthy(instance, ports));
      return {
        name: instance.name,
        service: instance.service,
        address: instance.address,
        port: ports.get(instance.name) ?? instance.ports[0] ?? 0,
        pid: alive ? record?.pid : undefined,
        state: healthy ? "healthy" : alive ? "unhealthy" : "dead",
        log: healthy ? "" : lastLines(instance.name),
      };
    }),
  );
  const pids = state ? await pidsIn(state.namespaces) : [];
  return {
    profile: plan.profile,
    policies: plan.policies,
    instances,
    memory: memoryOf(pids),
    events: { path: plan.events?.path ?? "", watched: isAlive(state?.processes[WATCHER]) },
  };
}

export function formatStatus(status: LabStatus): string {
  const rows = status.instances.map((instance) => [
    instance.name,
    `${instance.address}:${instance.port}`,
    instance.pid === undefined ? "-" : String(instance.pid),
    instance.state,
  ]);
  const table = [["INSTANCE", "LISTENS ON", "PID", "STATE"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  for (const instance of status.instances)
    if (instance.state !== "healthy")
      lines.push("", `${instance.name}, last lines of its log:`, instance.log);
  const mib = (kib: number): string => `${Math.round(kib / 1024)} MiB`;
  lines.push(
    "",
    `memory: ${mib(status.memory.pssKib)} in all (${mib(status.memory.rssKib)} counting shared pages each time)`,
    `events: ${status.events.path}${status.events.watched ? "" : `; ${WATCHER} is dead, so drops and dials are not told: run 'netwatch lab up'`}`,
  );
  return lines.join("\n");
}

export function formatTopology(plan: Plan): string {
  const lines = [`profile ${plan.profile}${plan.policies ? ", policies on" : ""}`];
  for (const bridge of plan.bridges) {
    lines.push(`${bridge.name}  ${bridge.network}  host ${bridge.address}`);
    for (const instance of plan.instances.filter((candidate) => candidate.bridge === bridge.name))
      lines.push(`  ${instance.name.padEnd(18)} ${instance.address.padEnd(14)} ${portsOf(instance.ports)}`);
  }
  for (const outside of plan.outside)
    lines.push(
      `${outside.link}  ${outside.network}  host ${outside.hostAddress}\n  ${outside.name.padEnd(18)} ${outside.address}`,
    );
  lines.push(`shop: http://localhost:${plan.forward.port}/ (forwarded to ${plan.forward.service})`);
  return lines.join("\n");
}

function portsOf(ports: readonly number[]): string {
  return ports.length > 1 ? `${ports[0]}-${ports.at(-1)}` : String(ports[0] ?? "");
}
