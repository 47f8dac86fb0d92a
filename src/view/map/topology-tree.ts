/** Who calls whom as a tree: every service is opened once, where it is first reached. */
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { buildServiceMap, type MapEdge, type ServiceMap } from "./map-graph.js";

/** One line of the tree. */
export interface TreeLine {
  readonly name: string;
  /** For each level above, whether more of it comes further down; the last one is this line's own. Empty: a root. */
  readonly more: readonly boolean[];
  /** What led here; null: a root. */
  readonly edge: MapEdge | null;
  /** What it calls is listed at another line. */
  readonly again: boolean;
}

/** Lines of a tree that is too large to read end here; how many edges are left out is told by `countEdges`. */
const MAX_LINES = 2000;

export function growTree(pairs: Table): TreeLine[] {
  return treeOf(buildServiceMap(pairs));
}

/** Roots are whom nobody calls, then, of what is left in circles, the one that sends most. */
export function treeOf(map: ServiceMap): TreeLine[] {
  const calls = new Map<string, MapEdge[]>(map.nodes.map(({ name }) => [name, []]));
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
  calls: ReadonlyMap<string, readonly MapEdge[]>,
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

/** What stands in front of a line's name. */
export function branchOf({ more }: Pick<TreeLine, "more">, ascii = false): string {
  const [through, branch, last] = ascii ? ["| ", "|-", "`-"] : ["│ ", "├─", "└─"];
  if (more.length === 0) return "";
  const above = more.slice(0, -1).map((is) => (is ? `${through} ` : "   "));
  return `${above.join("")}${more.at(-1) ? branch : last} `;
}
