/** `netwatch interfaces`, and `netwatch capture -D`: the interfaces to capture on, and the owner of each port. */
import type { Column, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { NetnsError, withNetns } from "../../capture/kernel/netns.js";
import {
  describeInterfaces,
  type HostNetwork,
  type Interface,
  readHostNetwork,
} from "../../capture/live/interfaces.js";
import { type Engine, engineSockets, readEngine } from "../../capture/names/docker.js";
import { ServiceError } from "../../capture/names/json-client.js";
import { CommandError, ExitCode } from "../../exit.js";
import { formatCell, formatCounted } from "../../format.js";
import { renderTableJson, renderTableNdjson } from "../../report/data/json.js";
import { renderTable, type TextOptions } from "../../report/text/text.js";
import type { ListFormat } from "../options.js";
import type { Terminal } from "../terminal.js";

export interface InterfacesOptions {
  readonly output?: ListFormat;
  /** List the links of this namespace instead of one's own. */
  readonly netns?: string;
}

const COLUMNS: readonly Column[] = [
  { name: "interface", title: "Interface", kind: "text" },
  { name: "kind", title: "Kind", kind: "text" },
  { name: "state", title: "State", kind: "text" },
  { name: "promiscuous", title: "Promiscuous", kind: "text" },
  { name: "mtu", title: "MTU", kind: "bytes" },
  { name: "master", title: "Bridge", kind: "text" },
  { name: "ports", title: "Ports", kind: "count" },
  { name: "owner", title: "Owner", kind: "text" },
  { name: "owner_kind", title: "Owner kind", kind: "text" },
  { name: "owner_interface", title: "Owner's interface", kind: "text" },
  { name: "addresses", title: "Addresses", kind: "text" },
  { name: "capture_point", title: "Capture on", kind: "text" },
  { name: "received_packets", title: "Received packets", kind: "packets" },
  { name: "received_bytes", title: "Received bytes", kind: "bytes" },
  { name: "received_dropped", title: "Receive drops", kind: "packets" },
  { name: "sent_packets", title: "Sent packets", kind: "packets" },
  { name: "sent_bytes", title: "Sent bytes", kind: "bytes" },
  { name: "sent_dropped", title: "Send drops", kind: "packets" },
];

/** Lists the interfaces on the terminal. */
export async function listInterfaces(options: InterfacesOptions, terminal: Terminal): Promise<ExitCode> {
  const network = readNetwork(options.netns);
  const names = await containerNames(network, terminal);
  const table = buildInterfaces(network, names);
  await terminal.write(await render(table, options.output ?? "table", terminal));
  for (const line of limits(network)) terminal.say(line);
  return ExitCode.ok;
}

function readNetwork(netns: string | undefined): HostNetwork {
  try {
    return netns === undefined ? readHostNetwork() : withNetns(netns, () => readHostNetwork());
  } catch (error) {
    if (!(error instanceof NetnsError)) throw error;
    const denied = error.code === "EPERM" || error.code === "EACCES";
    throw new CommandError(denied ? ExitCode.permission : ExitCode.noInterface, error.message);
  }
}

/** The engines' names, by id, of the containers whose namespaces were found. Asks no engine if there are none. */
async function containerNames(
  network: HostNetwork,
  terminal: Terminal,
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  if (!network.others.some(({ namespace }) => namespace.containerId !== null)) return names;
  for (const socket of engineSockets(terminal.env.DOCKER_HOST)) {
    let engine: Engine;
    try {
      engine = await readEngine(socket);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (error.code !== "ENOENT")
        terminal.say(`${socket}: ${error.message}; its containers go by their ids`);
      continue;
    }
    for (const { id, name } of engine.containers) names.set(id, name);
  }
  return names;
}

/** The interfaces as a Table. */
export function buildInterfaces(network: HostNetwork, names: ReadonlyMap<string, string>): Table {
  const rows = describeInterfaces(network).map((described) => rowOf(described, names));
  const title = `Interfaces of ${network.own.namespace.name}`;
  return { name: "interfaces", title, columns: [...COLUMNS], rows, total: {}, omitted: 0 };
}

function rowOf(described: Interface, names: ReadonlyMap<string, string>): Row {
  const { link, owner, master, ports, addresses, capturePoint } = described;
  const { counters } = link;
  const namespace = owner?.namespace;
  return {
    interface: link.name,
    kind: link.name === "lo" && link.kind === "" ? "loopback" : link.kind || "hardware",
    state: !link.up ? "down" : link.carrier ? "up" : "no carrier",
    promiscuous: link.promiscuous,
    mtu: link.mtu,
    master,
    ports,
    owner: namespace ? (names.get(namespace.containerId ?? "") ?? namespace.name) : null,
    owner_kind: namespace?.kind ?? null,
    owner_interface: owner?.link.name ?? null,
    addresses: addresses.join(" ") || null,
    capture_point: capturePoint,
    received_packets: counters.receivedPackets,
    received_bytes: counters.receivedBytes,
    received_dropped: counters.receivedDropped,
    sent_packets: counters.sentPackets,
    sent_bytes: counters.sentBytes,
    sent_dropped: counters.sentDropped,
  };
}

async function render(table: Table, output: ListFormat, terminal: Terminal): Promise<Iterable<string>> {
  switch (output) {
    case "json":
      return renderTableJson(table);
    case "ndjson":
      return renderTableNdjson(table);
    case "csv":
      return (await import("../../report/data/csv.js")).renderCsv(table);
    case "table":
      return renderInterfaces(table, terminal);
  }
}

/** The list as text: ports are indented under their bridge. */
export function renderInterfaces(table: Table, options: TextOptions): Iterable<string> {
  const cell = (name: string) => (row: Row) => formatCell("text", row[name]);
  const choice = [
    {
      title: "Interface",
      kind: "text" as const,
      text: (row: Row) => (row.master === null ? "" : "  ") + cell("interface")(row),
    },
    { title: "Kind", kind: "text" as const, text: cell("kind") },
    { title: "State", kind: "text" as const, text: cell("state") },
    { title: "Owner", kind: "text" as const, text: ownerText },
    { title: "Capture on", kind: "text" as const, text: cell("capture_point") },
  ];
  const bridge = [...table.rows].find(({ kind, state }) => kind === "bridge" && state !== "down");
  const hint = bridge
    ? "\nA bridge shows each packet once; a port only what its owner sends and gets.\n"
    : "\nNo bridge is up here.\n";
  return [...renderTable(table, options, Number.POSITIVE_INFINITY, choice), hint];
}

function ownerText({ owner, owner_interface, ports, addresses }: Row): string {
  if (owner !== null && owner !== undefined)
    return `${formatCell("text", owner)} (${formatCell("text", owner_interface)})`;
  const address = addresses === null ? "" : formatCell("text", addresses).split(" ")[0]!;
  const count = Number(ports) > 0 ? formatCounted(Number(ports), "port") : "";
  return [address, count].filter((part) => part !== "").join(", ") || "-";
}

/** What the list lacks, and why. */
function limits({ limited, unreadable, hidden }: HostNetwork): string[] {
  if (limited !== null) return [`owners are not known: ${limited}; run \`npm install koffi\``];
  if (unreadable.length > 0)
    return [
      `${formatCounted(unreadable.length, "namespace")} cannot be read (${unreadable[0]!.reason}), so some owners are not known; run \`sudo netwatch interfaces\``,
    ];
  // In a container process 1 may be invisible even to root; many invisible processes mean missing privilege.
  return hidden > 8
    ? ["owners that are containers are not known without privilege; run `sudo netwatch interfaces`"]
    : [];
}
