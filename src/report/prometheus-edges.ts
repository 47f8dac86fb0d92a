/** Metrics of the edges: which service talks to which, by name. */
import { Family } from "./prometheus-family.js";
import type { ExposedConnections } from "./prometheus-state.js";

export interface ExposedEdge {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly opened: number;
}

export interface ExposedEdges {
  /** No two of the same labels, which are safe to show. */
  readonly edges: readonly ExposedEdge[];
  /** Conversations counted under `~other` because the page was full. */
  readonly overflow: number;
  readonly unresolvedBytes: number;
}

export function edgeFamilies(
  { edges, overflow, unresolvedBytes }: ExposedEdges,
  connections: ExposedConnections | null,
): Family[] {
  const of = (what: string, help: string) => new Family("counter", `netwatch_edge_${what}_total`, help);
  const sentBytes = of("sent_bytes", "Bytes on the wire from source, which began, to destination.");
  const sentPackets = of("sent_packets", "Packets from source, which began, to destination.");
  const receivedBytes = of("received_bytes", "Bytes on the wire that source got back from destination.");
  const receivedPackets = of("received_packets", "Packets that source got back from destination.");
  const opened = of("connections_opened", "TCP connections that source was seen to begin.");
  for (const edge of edges) {
    const { source, destination, protocol } = edge;
    const labels = { source, destination, protocol };
    sentBytes.add(edge.sentBytes, labels);
    sentPackets.add(edge.sentPackets, labels);
    receivedBytes.add(edge.receivedBytes, labels);
    receivedPackets.add(edge.receivedPackets, labels);
    if (protocol === "tcp") opened.add(edge.opened, { source, destination });
  }
  return [
    sentBytes,
    sentPackets,
    receivedBytes,
    receivedPackets,
    opened,
    ...(connections === null ? [] : [activeFamily(edges, connections)]),
    new Family("counter", "netwatch_unresolved_bytes_total", "Bytes to or from an end without a name.").add(
      unresolvedBytes,
    ),
    new Family(
      "counter",
      "netwatch_series_overflow_total",
      "Conversations counted under ~other because the page was full.",
    ).add(overflow),
    new Family("gauge", "netwatch_edges", "Edges on this page.").add(edges.length),
  ];
}

/** Of the edges on the page, 0 where there is none. */
function activeFamily(edges: readonly ExposedEdge[], { tables }: ExposedConnections): Family {
  const active = new Map<string, number>();
  const keyOf = (source: unknown, destination: unknown) => `${source}\n${destination}`;
  for (const row of tables.services.rows) {
    if (row.transport !== "TCP" || row.state !== "ESTABLISHED") continue;
    const key = keyOf(row.source, row.destination);
    active.set(key, (active.get(key) ?? 0) + Number(row.connections));
  }
  const family = new Family(
    "gauge",
    "netwatch_edge_connections_active",
    "Established TCP connections that connection tracking knows.",
  );
  for (const { source, destination, protocol } of edges)
    if (protocol === "tcp") family.add(active.get(keyOf(source, destination)) ?? 0, { source, destination });
  return family;
}
