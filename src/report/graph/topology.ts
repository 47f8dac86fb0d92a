/** The topology, drawn from a Snapshot and this host's bridges: tree, Mermaid, DOT, SVG, JSON. Every name is escaped for its language. */
import type { Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { formatBytes, formatCounted, formatDuration, safeJson, visible } from "../../format.js";
import { buildTopologyGraph, limitTopologyGraph, type TopologyGraph } from "../../view/map/map-graph.js";
import { branchOf, treeOf } from "../../view/map/topology-tree.js";

/** One bridge and the owners of its ports. */
export interface Bridge {
  readonly name: string;
  readonly addresses: string;
  readonly members: readonly { readonly owner: string; readonly interface: string }[];
}

export interface Topology {
  /** Who talked to whom; null: no Snapshot yet. */
  readonly seen: Snapshot | null;
  /** Bridges of this host; null: not read. */
  readonly bridges: readonly Bridge[] | null;
}

/** Most edges of a drawing. */
const DRAWN_EDGES = 200;

/** The graph for every output format. */
export function topologyGraphOf({ seen }: Topology): TopologyGraph {
  return seen === null ? { nodes: [], edges: [] } : buildTopologyGraph(seen.tables.pairs);
}

/** Bridges of the table that `netwatch interfaces` prints. */
export function bridgesOf(interfaces: Table): Bridge[] {
  const rows = [...interfaces.rows];
  return rows
    .filter(({ kind }) => kind === "bridge")
    .map(({ interface: name, addresses }) => ({
      name: String(name),
      addresses: String(addresses ?? ""),
      members: rows
        .filter(({ master }) => master === name)
        .map((row) => ({ owner: String(row.owner ?? "?"), interface: String(row.interface) })),
    }));
}

export function* renderTree(topology: Topology): Iterable<string> {
  const { seen, bridges } = topology;
  if (seen !== null) {
    const map = topologyGraphOf(topology);
    const source = seen.ledger.files.map(({ name }) => visible(name)).join(", ");
    yield `${source}: ${formatCounted(map.nodes.length, "service")}, ${formatCounted(map.edges.length, "connected pair")} in ${formatDuration(seen.window.duration)}\n\n`;
    for (const line of treeOf(map)) {
      const carried =
        line.edge === null ? "" : `  ${formatBytes(line.edge.bytes)}${line.edge.mutual ? ", both call" : ""}`;
      yield `${branchOf(line)}${visible(line.name)}${carried}${line.again ? "  (see its other line)" : ""}\n`;
    }
  }
  for (const bridge of bridges ?? []) {
    yield `${seen === null && bridge === bridges![0] ? "" : "\n"}bridge ${visible(bridge.name)}  ${visible(bridge.addresses)}\n`;
    for (const [i, { owner, interface: link }] of bridge.members.entries())
      yield `${branchOf({ more: [i < bridge.members.length - 1] })}${visible(owner)}  (${visible(link)})\n`;
  }
}

/** Mermaid flowchart. Text is quoted; everything except letters, digits and a few marks is a character code. */
export function* renderMermaid(topology: Topology): Iterable<string> {
  const map = limitTopologyGraph(topologyGraphOf(topology), DRAWN_EDGES);
  const ids = idsOf(map);
  yield "flowchart LR\n";
  for (const { name } of map.nodes) yield `  ${ids.get(name)}["${mermaidText(name)}"]\n`;
  for (const { client, server, bytes, mutual } of map.edges)
    yield `  ${ids.get(client)} ${mutual ? "<-->" : "-->"}|"${mermaidText(formatBytes(bytes))}"| ${ids.get(server)}\n`;
  for (const [i, bridge] of (topology.bridges ?? []).entries()) {
    yield `  subgraph b${i}["${mermaidText(`bridge ${bridge.name}`)}"]\n`;
    for (const [j, { owner }] of bridge.members.entries()) yield `    b${i}m${j}["${mermaidText(owner)}"]\n`;
    yield "  end\n";
  }
}

function mermaidText(text: string): string {
  return visible(text).replace(/[^\p{L}\p{N} ._-]/gu, (c) => `#${c.codePointAt(0)};`);
}

/** Graphviz. Inside quotes a backslash and a quote are escaped; nothing else has a meaning in a plain label. */
export function* renderDot(topology: Topology): Iterable<string> {
  const map = limitTopologyGraph(topologyGraphOf(topology), DRAWN_EDGES);
  const ids = idsOf(map);
  yield "digraph netwatch {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const { name } of map.nodes) yield `  ${ids.get(name)} [label=${dotText(name)}];\n`;
  for (const { client, server, bytes, mutual } of map.edges)
    yield `  ${ids.get(client)} -> ${ids.get(server)} [label=${dotText(formatBytes(bytes))}${mutual ? ", dir=both" : ""}];\n`;
  for (const [i, bridge] of (topology.bridges ?? []).entries()) {
    yield `  subgraph cluster_${i} {\n    label=${dotText(`bridge ${bridge.name}`)};\n`;
    for (const [j, { owner }] of bridge.members.entries())
      yield `    b${i}m${j} [label=${dotText(owner)}];\n`;
    yield "  }\n";
  }
  yield "}\n";
}

function dotText(text: string): string {
  return `"${visible(text).replace(/[\\"]/g, "\\$&")}"`;
}

/** Numbers, not names, are the keys of a drawing: a name may be any text. */
function idsOf(map: TopologyGraph): ReadonlyMap<string, string> {
  return new Map(map.nodes.map(({ name }, i) => [name, `n${i}`]));
}

export function renderTopologyJson(topology: Topology): Iterable<string> {
  const { nodes, edges } = topologyGraphOf(topology);
  const { seen, bridges } = topology;
  const window = seen?.window ?? null;
  return [`${safeJson({ format: "netwatch-topology", version: 1, window, nodes, edges, bridges }, 2)}\n`];
}
