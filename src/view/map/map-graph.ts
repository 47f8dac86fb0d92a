/** Who talks to whom as a graph: one edge per pair of services, for both directions. */
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { numberOf } from "../cells.js";
import { countListed } from "../top-rows.js";

export interface TopologyEdge {
  /** The side that begins all or most conversations of the pair. */
  readonly client: string;
  readonly server: string;
  /** Bytes of both directions. */
  readonly bytes: number;
  /** Whether the server begins conversations too. */
  readonly mutual: boolean;
}

export interface TopologyNode {
  readonly name: string;
  /** Bytes to, from and within. */
  readonly bytes: number;
  /** Bytes between this service and itself. */
  readonly within: number;
}

export interface TopologyGraph {
  /** In the order of their first edge. */
  readonly nodes: readonly TopologyNode[];
  /** Most bytes first. */
  readonly edges: readonly TopologyEdge[];
}

/** A map and the bytes that it leaves out. */
export interface WholeTopology extends TopologyGraph {
  /** Bytes of all pairs, those within a service apart. */
  readonly total: number;
  /** Whether some pairs are known only by their bytes. */
  readonly partial: boolean;
}

/** Rows read from the table: later rows are too small to be drawn. */
const MAX_ROWS = 4000;

interface Half {
  bytes: number;
  conversations: number;
}

/** The graph of the largest pairs. */
export function buildTopologyGraph(pairs: Table): WholeTopology {
  const halves = readHalves(pairs);
  const edges: TopologyEdge[] = [];
  const nodes = new Map<string, { name: string; bytes: number; within: number }>();
  const node = (name: string) => {
    const known = nodes.get(name) ?? { name, bytes: 0, within: 0 };
    nodes.set(name, known);
    return known;
  };
  for (const [source, destinations] of halves) {
    for (const [destination, there] of destinations) {
      if (source === destination) {
        node(source).bytes += there.bytes;
        node(source).within += there.bytes;
        continue;
      }
      const back = halves.get(destination)?.get(source);
      if (back && isSecond(there, back, source, destination)) continue;
      const bytes = there.bytes + (back?.bytes ?? 0);
      edges.push({
        client: source,
        server: destination,
        bytes,
        mutual: back !== undefined && back.conversations > 0,
      });
      node(source).bytes += bytes;
      node(destination).bytes += bytes;
    }
  }
  edges.sort((x, y) => y.bytes - x.bytes || order(x.client, y.client) || order(x.server, y.server));
  const total = [...nodes.values()].reduce((sum, { within }) => sum - within, pairs.total.bytes ?? 0);
  return {
    nodes: [...nodes.values()],
    edges,
    total,
    partial: pairs.rows.length > MAX_ROWS || pairs.omitted > 0,
  };
}

/** The `n` largest edges and their nodes; nodes that only talk to themselves if there is room. */
export function limitTopologyGraph(map: TopologyGraph, n: number): TopologyGraph {
  const edges = map.edges.slice(0, n);
  const shown = new Set(edges.flatMap(({ client, server }) => [client, server]));
  for (const { name } of map.nodes
    .filter(({ bytes, within }) => within === bytes)
    .slice(0, Math.max(0, n - edges.length)))
    shown.add(name);
  return { nodes: map.nodes.filter(({ name }) => shown.has(name)), edges };
}

/** The connected parts of the map, in the order of their first node. */
export function splitTopologyGraph(map: TopologyGraph): TopologyGraph[] {
  const neighbours = new Map<string, string[]>(map.nodes.map(({ name }) => [name, []]));
  for (const { client, server } of map.edges) {
    neighbours.get(client)!.push(server);
    neighbours.get(server)!.push(client);
  }
  const partOf = new Map<string, number>();
  let parts = 0;
  for (const { name } of map.nodes) {
    if (partOf.has(name)) continue;
    const waiting = [name];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (partOf.has(next)) continue;
      partOf.set(next, parts);
      waiting.push(...neighbours.get(next)!);
    }
    parts++;
  }
  return Array.from({ length: parts }, (_, part) => ({
    nodes: map.nodes.filter(({ name }) => partOf.get(name) === part),
    edges: map.edges.filter(({ client }) => partOf.get(client) === part),
  }));
}

function readHalves(pairs: Table): Map<string, Map<string, Half>> {
  const halves = new Map<string, Map<string, Half>>();
  let left = Math.min(countListed(pairs), MAX_ROWS);
  for (const row of pairs.rows) {
    if (left-- <= 0) break;
    const source = String(row.source);
    const destinations = halves.get(source) ?? new Map<string, Half>();
    halves.set(source, destinations);
    const half = destinations.get(String(row.destination)) ?? { bytes: 0, conversations: 0 };
    half.bytes += numberOf(row.bytes);
    half.conversations += numberOf(row.conversations);
    destinations.set(String(row.destination), half);
  }
  return halves;
}

/** Of two directions the client's is the one that began more conversations; else the one whose source sorts first. */
function isSecond(there: Half, back: Half, source: string, destination: string): boolean {
  return (
    there.conversations - back.conversations < 0 ||
    (there.conversations === back.conversations && order(source, destination) > 0)
  );
}

function order(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
