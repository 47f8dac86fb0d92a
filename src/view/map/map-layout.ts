/** The layout of the service map. Pure: a graph and sizes in, coordinates out. */
import type { TopologyEdge, TopologyGraph, TopologyNode } from "./map-graph.js";
import { limitTopologyGraph, splitTopologyGraph } from "./map-graph.js";
import { packRows } from "./map-pack.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedNode extends TopologyNode {
  /** The middle of its box. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge extends TopologyEdge {
  /** From the client's box to the server's. */
  readonly points: readonly Point[];
  /** Centre of its label; null: no label. */
  readonly label: Point | null;
}

export interface TopologyLayout {
  readonly width: number;
  readonly height: number;
  /** Factor for all coordinates and sizes; at most 1. */
  readonly scale: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

export interface TopologySizes {
  readonly nodeWidth: (node: TopologyNode) => number;
  readonly nodeHeight: number;
  readonly labelWidth: (edge: TopologyEdge) => number;
  readonly labelHeight: number;
}

/** Numbers of edges to try, largest first, until the map is readable. */
const EDGES = [48, 36, 26, 18, 12, 8] as const;
/** Smallest readable scale of the text. */
const MIN_SCALE = 0.74;
/** Number of edges with a label. */
const LABELLED = 14;
const COMPONENT_GAP = 14;

type Dagre = typeof import("@dagrejs/dagre");

let loading: Promise<Dagre> | null = null;

/** Loads the module once. */
export function loadTopologyLayout(): Promise<Dagre> {
  loading ??= import("@dagrejs/dagre");
  return loading;
}

/** The largest part of the map that is readable in the box. */
export async function layOutTopology(
  map: TopologyGraph,
  sizes: TopologySizes,
  width: number,
  height: number,
): Promise<TopologyLayout> {
  const dagre = await loadTopologyLayout();
  let best: TopologyLayout | null = null;
  for (const n of EDGES) {
    if (best !== null && n >= map.edges.length && n !== EDGES.at(-1)) continue;
    const part = limitTopologyGraph(map, n);
    const components = splitTopologyGraph(part);
    for (const direction of ["LR", "TB"] as const) {
      const layouts = components.map((component) => layOut(dagre, component, sizes, direction));
      const layout = join(layouts, width);
      const scale = Math.min(1, width / layout.width, height / layout.height);
      if (best === null || best.scale < scale) best = { ...layout, scale };
      if (scale >= MIN_SCALE) return { ...layout, scale };
    }
  }
  return best!;
}

type Unscaled = Omit<TopologyLayout, "scale">;

/** Parts of the map beside and below each other, as one layout. */
function join(parts: readonly Unscaled[], width: number): Unscaled {
  const packing = packRows(parts, width, COMPONENT_GAP);
  const moved = parts.map(({ nodes, edges }, i) => {
    const { x, y } = packing.corners[i]!;
    const move = <P extends Point>(point: P): P => ({ ...point, x: point.x + x, y: point.y + y });
    return {
      nodes: nodes.map(move),
      edges: edges.map((edge) => ({
        ...edge,
        points: edge.points.map(move),
        label: edge.label && move(edge.label),
      })),
    };
  });
  const edges = moved.flatMap((part) => part.edges).sort((x, y) => y.bytes - x.bytes);
  return { width: packing.width, height: packing.height, nodes: moved.flatMap((part) => part.nodes), edges };
}

function layOut(dagre: Dagre, map: TopologyGraph, sizes: TopologySizes, rankdir: "LR" | "TB"): Unscaled {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({
    rankdir,
    nodesep: rankdir === "LR" ? 9 : 18,
    ranksep: rankdir === "LR" ? 44 : 38,
    edgesep: 8,
    marginx: 6,
    marginy: 6,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  // Numbers, not names, are the graph's keys: a name may be any text.
  const ids = new Map(map.nodes.map((node, i) => [node.name, String(i)]));
  for (const node of map.nodes)
    graph.setNode(ids.get(node.name)!, { width: sizes.nodeWidth(node), height: sizes.nodeHeight });
  map.edges.forEach((edge, i) => {
    const label =
      i < LABELLED ? { width: sizes.labelWidth(edge), height: sizes.labelHeight, labelpos: "c" } : {};
    graph.setEdge(ids.get(edge.client)!, ids.get(edge.server)!, { ...label, weight: i < LABELLED ? 3 : 1 });
  });
  dagre.layout(graph);
  const nodes = map.nodes.map((node) => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(ids.get(node.name)!) as Partial<PlacedNode>;
    return { ...node, x, y, width, height };
  });
  const edges = map.edges.map((edge, i) => {
    const placed = graph.edge(ids.get(edge.client)!, ids.get(edge.server)!) as {
      points: Point[];
      x?: number;
      y?: number;
    };
    const points = placed.points.map(({ x, y }) => ({ x, y }));
    const label =
      i < LABELLED && placed.x !== undefined && placed.y !== undefined ? { x: placed.x, y: placed.y } : null;
    return { ...edge, points, label: label && onCurve(points, label) };
  });
  const { width = 1, height = 1 } = graph.graph() as { width?: number; height?: number };
  return { width, height, nodes, edges };
}

/** Point of the smooth line beside the control point nearest to `place`. */
function onCurve(points: readonly Point[], place: Point): Point {
  const distance = ({ x, y }: Point) => Math.hypot(x - place.x, y - place.y);
  let nearest = 0;
  points.forEach((point, i) => {
    if (distance(point) < distance(points[nearest]!)) nearest = i;
  });
  const [before, at, after] = [points[nearest - 1], points[nearest]!, points[nearest + 1]];
  if (!before || !after) return at;
  return { x: (before.x + 4 * at.x + after.x) / 6, y: (before.y + 4 * at.y + after.y) / 6 };
}
