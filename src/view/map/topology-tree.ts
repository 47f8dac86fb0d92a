/** Who calls whom as a tree: every service is opened once, where it is first reached. */
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { buildTopologyGraph, type TopologyEdge, type TopologyGraph } from "./map-graph.js";

/** One line of the tree. */
export interface TreeLine {
  readonly name: string;
  /** For each level above and this line's own (last): whether more lines of that level follow. Empty: a root. */
  readonly more: readonly boolean[];
  /** The edge that leads here; null: a root. */
  readonly edge: TopologyEdge | null;
  /** Its calls are listed at another line. */
  readonly again: boolean;
}

/** Most lines of a tree; `countEdges` tells how many edges are left out. */
const MAX_LINES = 2000;

export function growTree(pairs: Table): TreeLine[] {
  return treeOf(buildTopologyGraph(pairs));
}

/** Roots are the services without callers; then, of the remaining cycles, the service that sends most. */
export function treeOf(map: TopologyGraph): TreeLine[] {
  const calls = new Map<string, TopologyEdge[]>(map.nodes.map(({ name }) => [name, []]));
  const called = new Set(map.edges.map(({ server }) => server));
  for (const edge of map.edges) calls.get(edge.client)!.push(edge);
  const opened = new Set<string>();
  const lines: TreeLine[] = [];
  const roots = [...map.nodes.filter(({ name }) => !called.has(name)), ...map.nodes];
  for (const { name } of roots) {
    if (opened.has(name)) continue;
    grow({ name, more: [], edge: null }, calls, opened, lines);
  }
  return lines;
}

type Seed = Omit<TreeLine, "again">;

/** Without recursion: a chain of services can be as long as an attacker likes. */
function grow(
  root: Seed,
  calls: ReadonlyMap<string, readonly TopologyEdge[]>,
  opened: Set<string>,
  lines: TreeLine[],
): void {
  const waiting: Seed[] = [root];
  for (let seed = waiting.pop(); seed !== undefined; seed = waiting.pop()) {
    if (lines.length >= MAX_LINES) return;
    const edges = calls.get(seed.name) ?? [];
    const again = opened.has(seed.name) && edges.length > 0;
    lines.push({ ...seed, again });
    if (opened.has(seed.name)) continue;
    opened.add(seed.name);
    for (let i = edges.length - 1; i >= 0; i--)
      waiting.push({ name: edges[i]!.server, more: [...seed.more, i < edges.length - 1], edge: edges[i]! });
  }
}

/** The text before a line's name. */
export function branchOf({ more }: Pick<TreeLine, "more">, ascii = false): string {
  const [through, branch, last] = ascii ? ["| ", "|-", "`-"] : ["│ ", "├─", "└─"];
  if (more.length === 0) return "";
  const above = more.slice(0, -1).map((is) => (is ? `${through} ` : "   "));
  return `${above.join("")}${more.at(-1) ? branch : last} `;
}
