/** Where everything of the service map stands. Pure: a graph and sizes in, coordinates out. */
import type { MapEdge, MapNode, ServiceMap } from "./map-graph.js";
import { limitServiceMap, splitServiceMap } from "./map-graph.js";
import { packRows } from "./map-pack.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedNode extends MapNode {
  /** The middle of its box. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge extends MapEdge {
  /** From the client's box to the server's. */
  readonly points: readonly Point[];
  /** The middle of its label; null: it has none. */
  readonly label: Point | null;
}

export interface MapLayout {
  readonly width: number;
  readonly height: number;
  /** What all coordinates and sizes are to be multiplied by; at most 1. */
  readonly scale: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

export interface MapSizes {
  readonly nodeWidth: (node: MapNode) => number;
  readonly nodeHeight: number;
  readonly labelWidth: (edge: MapEdge) => number;
  readonly labelHeight: number;
}

/** Edges tried, most first, until the map can be read. */
const EDGES = [48, 36, 26, 18, 12, 8] as const;
/** Type set smaller than this part of its size cannot be read. */
const MIN_SCALE = 0.74;
/** Edges that say how much they carry. */
const LABELLED = 14;
const COMPONENT_GAP = 14;

type Dagre = typeof import("@dagrejs/dagre");

let loading: Promise<Dagre> | null = null;

/** Reads the module, once. */
export function loadMapLayout(): Promise<Dagre> {
  loading ??= import("@dagrejs/dagre");
  return loading;
}

/** The largest part of the map that can be read within the box. */
export async function layOutMap(
  map: ServiceMap,
  sizes: MapSizes,
  width: number,
  height: number,
): Promise<MapLayout> {
  const dagre = await loadMapLayout();
  let best: MapLayout | null = null;
  for (const n of EDGES) {
    if (best !== null && n >= map.edges.length && n !== EDGES.at(-1)) continue;
    const part = limitServiceMap(map, n);
    const components = splitServiceMap(part);
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

type Unscaled = Omit<MapLayout, "scale">;

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

function layOut(dagre: Dagre, map: ServiceMap, sizes: MapSizes, rankdir: "LR" | "TB"): Unscaled {
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

/** Where the smooth line along the points passes the one of them that is nearest to `place`. */
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
