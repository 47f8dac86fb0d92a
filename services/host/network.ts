import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { LabError } from "../lab-error.js";
import { type Bridge, contains, type Instance, type Outside, type Plan, prefixOf } from "../topology.js";
import { runCommand, tryCommand } from "./command.js";
import { type LabState, writeState } from "./state.js";

/** Every link the lab makes on the host carries this alias, so that it can be told from other links. */
const ALIAS = "netwatch-lab";

interface LinkInfo {
  ifname: string;
  ifalias?: string;
  master?: string;
  flags: string[];
}

/** Builds missing links, repairs incomplete ones, leaves complete ones. */
export async function buildNetwork(plan: Plan, state: LabState): Promise<void> {
  const links = await readLinks();
  const names = [...plan.instances, ...plan.outside].map((node) => node.name);
  state.namespaces = [...new Set([...state.namespaces, ...names])];
  state.links = [
    ...new Set([...state.links, ...plan.bridges.map((bridge) => bridge.name), ...linkNames(plan)]),
  ];
  writeState(state);
  const present = await namespaceNames();
  for (const netns of names) if (!present.has(netns)) await runCommand("ip", ["netns", "add", netns]);
  for (const bridge of plan.bridges) await buildBridge(bridge, links);
  for (const instance of plan.instances)
    if (!(await isWhole(instance, instance.bridge, links))) await attach(instance, links);
  for (const outside of plan.outside)
    if (!(await isWhole(outside, undefined, links))) await attachOutside(outside, links);
  for (const link of [
    ...plan.bridges.map((bridge) => bridge.name),
    ...plan.outside.map((outside) => outside.link),
  ])
    setHostSysctls(link);
}

/** Namespaces take their end of each veth pair with them; links go by name, each checked to be the lab's. */
export async function removeNetwork(state: LabState): Promise<void> {
  const present = await namespaceNames();
  for (const netns of state.namespaces)
    if (present.has(netns)) await runCommand("ip", ["netns", "delete", netns]);
  const links = await readLinks();
  for (const link of state.links)
    if (links.get(link)?.ifalias === ALIAS) await tryCommand("ip", ["link", "delete", "dev", link]);
}

async function namespaceNames(): Promise<Set<string>> {
  const text = await runCommand("ip", ["-j", "netns", "list"]);
  const list = text.trim() === "" ? [] : (JSON.parse(text) as { name: string }[]);
  return new Set(list.map((entry) => entry.name));
}

async function readLinks(): Promise<Map<string, LinkInfo>> {
  const list = JSON.parse(await runCommand("ip", ["-j", "-d", "link", "show"])) as LinkInfo[];
  return new Map(list.map((entry) => [entry.ifname, entry]));
}

function linkNames(plan: Plan): string[] {
  return [...plan.instances, ...plan.outside].map((node) => node.link);
}

/** Throws if another program has a name or a network that the lab needs. Changes nothing. */
export async function refuseForeign(plan: Plan, state: LabState): Promise<void> {
  const links = await readLinks();
  const present = await namespaceNames();
  for (const { name } of [...plan.instances, ...plan.outside])
    if (present.has(name) && !state.namespaces.includes(name))
      throw new LabError(`a namespace ${name} exists and is not the lab's; remove or rename it first`);
  for (const link of [...plan.bridges.map((bridge) => bridge.name), ...linkNames(plan)]) {
    const found = links.get(link);
    if (found && found.ifalias !== ALIAS && !state.links.includes(link))
      throw new LabError(`a link ${link} exists and is not the lab's; remove or rename it first`);
  }
  const routes = JSON.parse(await runCommand("ip", ["-j", "-4", "route", "show"])) as {
    dst: string;
    dev: string;
  }[];
  const own = new Set(state.links);
  for (const network of [...plan.bridges, ...plan.outside].map((place) => place.network))
    for (const route of routes)
      if (
        route.dst !== "default" &&
        !own.has(route.dev) &&
        (contains(network, route.dst.split("/")[0]!) ||
          (route.dst.includes("/") && contains(route.dst, network.split("/")[0]!)))
      )
        throw new LabError(
          `the lab needs ${network}, but this machine already routes ${route.dst} to ${route.dev}`,
        );
}

/** Locally administered and derived from the address, so that two recordings show the same hardware addresses. */
function macOf(address: string): string {
  const octets = address.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0"));
  return `02:6e:${octets.join(":")}`;
}

async function buildBridge(bridge: Bridge, links: Map<string, LinkInfo>): Promise<void> {
  const lines = links.has(bridge.name)
    ? []
    : [
        `link add name ${bridge.name} address ${macOf(bridge.address)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      ];
  lines.push(
    `link set dev ${bridge.name} alias ${ALIAS}`,
    `address replace ${bridge.address}/${prefixOf(bridge.network)} broadcast + dev ${bridge.name}`,
  );
  if (bridge.network6 && bridge.address6)
    lines.push(`address replace ${bridge.address6}/${prefixOf(bridge.network6)} dev ${bridge.name} nodad`);
  lines.push(`link set dev ${bridge.name} promisc on up`);
  await batch([], lines);
}

async function isWhole(
  node: { name: string; link: string; address: string },
  bridge: string | undefined,
  links: Map<string, LinkInfo>,
): Promise<boolean> {
  const link = links.get(node.link);
  if (!link?.flags.includes("UP") || link.ifalias !== ALIAS || link.master !== bridge) return false;
  const [addresses, routes] = await Promise.all([
    tryCommand("ip", ["-n", node.name, "-4", "-o", "address", "show", "dev", "eth0", "up"]),
    tryCommand("ip", ["-n", node.name, "-4", "route", "show", "default"]),
  ]);
  return addresses.stdout.includes(` ${node.address}/`) && routes.stdout.startsWith("default ");
}

async function attach(instance: Instance, links: Map<string, LinkInfo>): Promise<void> {
  await addPair(instance, links);
  await batch([], [`link set dev ${instance.link} master ${instance.bridge} addrgenmode none up`]);
  const inside = insideLines(instance.address, instance.prefix, instance.gateway);
  if (instance.address6) inside.push(`address add ${instance.address6}/64 dev eth0 nodad`);
  await batch(["-n", instance.name], inside);
  await letBindLowPorts(instance.name);
}

async function attachOutside(outside: Outside, links: Map<string, LinkInfo>): Promise<void> {
  await addPair(outside, links);
  await batch(
    [],
    [
      `link set dev ${outside.link} address ${macOf(outside.hostAddress)} addrgenmode none up`,
      `address replace ${outside.hostAddress}/${outside.prefix} dev ${outside.link}`,
    ],
  );
  await batch(["-n", outside.name], insideLines(outside.address, outside.prefix, outside.hostAddress));
  await letBindLowPorts(outside.name);
}

async function addPair(
  node: { name: string; link: string; address: string },
  links: Map<string, LinkInfo>,
): Promise<void> {
  if (links.has(node.link)) await runCommand("ip", ["link", "delete", "dev", node.link]);
  else await tryCommand("ip", ["-n", node.name, "link", "delete", "dev", "eth0"]);
  await batch(
    [],
    [
      `link add name ${node.link} type veth peer name eth0 address ${macOf(node.address)} netns ${node.name}`,
      `link set dev ${node.link} alias ${ALIAS}`,
    ],
  );
}

function insideLines(address: string, prefix: number, gateway: string): string[] {
  return [
    "link set dev lo up",
    `address add ${address}/${prefix} broadcast + dev eth0`,
    "link set dev eth0 up",
    `route add default via ${gateway}`,
  ];
}

/** Inside the namespace only: lets servers take port 80 without any privilege. */
async function letBindLowPorts(netns: string): Promise<void> {
  const file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
  await runCommand("ip", ["netns", "exec", netns, "tee", file], { input: "0" });
}

/** All three belong to the lab's own link and are removed with it; no global setting changes. */
function setHostSysctls(link: string): void {
  const directory = `/proc/sys/net/ipv4/conf/${link}`;
  for (const [name, value] of [
    ["forwarding", "1"],
    ["route_localnet", "1"],
    ["rp_filter", "1"],
  ] as const) {
    const file = `${directory}/${name}`;
    if (existsSync(file) && readFileSync(file, "utf8").trim() !== value) writeFileSync(file, value);
  }
}

/** Every name and address in `lines` comes from lab.json, whose schema admits no spaces. */
async function batch(options: string[], lines: string[]): Promise<void> {
  await runCommand("ip", [...options, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
