import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { runCommand } from "../host/command.js";
import { STATE_DIR } from "../host/state.js";
import { contains, type Plan, PROFILES, planLab, readLab } from "../topology.js";

/** Host-wide values of the settings that the lab changes for its own links. Without forwarding: container engines set it. */
const HOST_SETTINGS = [
  "conf/all/route_localnet",
  "conf/default/route_localnet",
  "conf/all/rp_filter",
  "conf/default/rp_filter",
  "ip_unprivileged_port_start",
];

export function hostSettings(): Record<string, string> {
  return Object.fromEntries(
    HOST_SETTINGS.map((name) => [name, readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").trim()]),
  );
}

/** What any lab left behind, without other programs' links, namespaces and rules. */
export async function labRemains(): Promise<string[]> {
  const plans = PROFILES.map((profile) => planLab(readLab(), { profile, policies: true }));
  return [
    ...(await linksOf(plans)),
    ...(await routesOf(plans)),
    ...(await namespacesOf(plans)),
    ...(await rules()),
    ...processes(),
    ...sockets(),
  ];
}

async function list<T>(...words: string[]): Promise<T[]> {
  const text = await runCommand("ip", ["-j", ...words]);
  return text.trim() === "" ? [] : (JSON.parse(text) as T[]);
}

async function linksOf(plans: readonly Plan[]): Promise<string[]> {
  const names = new Set(
    plans.flatMap(({ bridges, instances, outside }) => [
      ...bridges.map(({ name }) => name),
      ...[...instances, ...outside].map(({ link }) => link),
    ]),
  );
  const links = await list<{ ifname: string; ifalias?: string }>("link", "show");
  return links
    .filter(({ ifname, ifalias }) => names.has(ifname) || ifalias?.includes("netwatch-lab"))
    .map(({ ifname }) => `link ${ifname}`);
}

async function routesOf(plans: readonly Plan[]): Promise<string[]> {
  const networks = plans.flatMap(({ bridges, outside }) => [
    ...[...bridges, ...outside].map(({ network }) => network),
    ...bridges.flatMap(({ network6 }) => network6 ?? []),
  ]);
  const routes = [
    ...(await list<{ dst: string }>("-4", "route", "show", "table", "all")),
    ...(await list<{ dst: string }>("-6", "route", "show", "table", "all")),
  ];
  return routes
    .map(({ dst }) => dst)
    .filter((dst) => dst !== "default")
    .filter((dst) => networks.some((network) => contains(network, dst.split("/")[0]!)))
    .map((dst) => `route ${dst}`);
}

async function namespacesOf(plans: readonly Plan[]): Promise<string[]> {
  const names = new Set(
    plans.flatMap(({ instances, outside }) => [...instances, ...outside].map(({ name }) => name)),
  );
  const found = await list<{ name: string }>("netns", "list");
  return found.filter(({ name }) => names.has(name)).map(({ name }) => `namespace ${name}`);
}

async function rules(): Promise<string[]> {
  const lines = (await runCommand("nft", ["-s", "list", "ruleset"])).split("\n");
  return lines.filter((line) => /netwatch_lab|NETWATCH-LAB/.test(line));
}

/** Processes whose output goes to a lab's log: one in this /run, for a lab beside containers has another. */
function processes(): string[] {
  const { dev } = statSync("/run");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const output = `/proc/${pid}/fd/1`;
        return readlinkSync(output).startsWith(STATE_DIR) && statSync(output).dev === dev;
      } catch {
        return false;
      }
    })
    .map((pid) => `process ${pid}`);
}

/** Socket files and abstract names (proc(5), net/unix). */
function sockets(): string[] {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.includes("netwatch-lab"));
}
