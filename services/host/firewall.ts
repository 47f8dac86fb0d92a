import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Plan } from "../topology.js";
import { runCommand, tryCommand } from "./command.js";
import { renderRules, TABLE } from "./rules.js";
import { STATE_DIR } from "./state.js";

/** The lab's own chain in iptables, present only while FORWARD has a policy or rules of other programs. */
const CHAIN = "NETWATCH-LAB";
const APPLIED = `${STATE_DIR}/rules.applied`;

/** Loads the rules unless they are already loaded, so that an idle `up` does not reset their counters. */
export async function applyRules(plan: Plan): Promise<void> {
  const rules = renderRules(plan);
  const inForce = existsSync(APPLIED) ? readFileSync(APPLIED, "utf8") : "";
  if (`${rules}${await listRules()}` !== inForce) {
    await runCommand("nft", ["-f", "-"], { input: rules });
    writeFileSync(APPLIED, `${rules}${await listRules()}`, { mode: 0o600 });
  }
  for (const iptables of ["iptables", "ip6tables"]) await passForward(iptables, plan);
}

export async function removeRules(): Promise<void> {
  for (const family of ["inet", "bridge"]) await tryCommand("nft", ["delete", "table", family, TABLE]);
  for (const iptables of ["iptables", "ip6tables"]) await closeForward(iptables);
  rmSync(APPLIED, { force: true });
}

/** The rules without counters and elements of meters. */
async function listRules(): Promise<string> {
  const lists = ["inet", "bridge"].map((family) =>
    tryCommand("nft", ["-s", "-t", "list", "table", family, TABLE]),
  );
  return (await Promise.all(lists)).map((result) => result.stdout).join("");
}

/**
 * A drop in one table cannot be undone by an accept in another: where FORWARD drops (Docker sets its policy so), the
 * accept must be in that chain. The lab's own drops still hold, for the same reason.
 */
async function passForward(iptables: string, plan: Plan): Promise<void> {
  const listed = await tryCommand(iptables, ["-w", "-S", "FORWARD"]);
  if (listed.code !== 0) return;
  const lines = listed.stdout.trim().split("\n");
  if (lines.some((line) => line.includes(`-j ${CHAIN}`))) return;
  if (lines.length === 1 && lines[0] === "-P FORWARD ACCEPT") return;
  await tryCommand(iptables, ["-w", "-N", CHAIN]);
  await runCommand(iptables, ["-w", "-F", CHAIN]);
  for (const link of [
    ...plan.bridges.map((bridge) => bridge.name),
    ...plan.outside.map((outside) => outside.link),
  ])
    for (const direction of ["-i", "-o"])
      await runCommand(iptables, [
        ...["-w", "-A", CHAIN, direction, link],
        ...["-m", "comment", "--comment", "netwatch lab: its own forward chain decides", "-j", "ACCEPT"],
      ]);
  await runCommand(iptables, [
    ...["-w", "-I", "FORWARD", "1", "-m", "comment", "--comment", "netwatch lab", "-j", CHAIN],
  ]);
}

async function closeForward(iptables: string): Promise<void> {
  const listed = await tryCommand(iptables, ["-w", "-S"]).catch(() => undefined);
  if (!listed?.stdout.includes(`-N ${CHAIN}`)) return;
  await tryCommand(iptables, [
    ...["-w", "-D", "FORWARD", "-m", "comment", "--comment", "netwatch lab", "-j", CHAIN],
  ]);
  await tryCommand(iptables, ["-w", "-F", CHAIN]);
  await tryCommand(iptables, ["-w", "-X", CHAIN]);
}
