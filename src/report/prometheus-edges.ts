/** Metrics of the edges: which service talks to which, by name, how well, and how it answers. */
import { Family } from "./prometheus-family.js";
import type { ExposedConnections } from "./prometheus-state.js";

/** Cumulative counts up to each bound, in seconds. */
export interface ExposedHistogram {
  readonly bounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly count: number;
  readonly sum: number;
}

export interface ExposedEdge {
  readonly source: string;
  readonly destination: string;
  /** The protocol, of a closed set. */
  readonly kind: string;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly opened: number;
  readonly failed: number;
  readonly retransmitted: number;
  /** null: not of TCP. */
  readonly handshakes: ExposedHistogram | null;
}

export interface ExposedRequests {
  readonly source: string;
  readonly destination: string;
  /** The application protocol, of a closed set. */
  readonly kind: string;
  readonly requests: number;
  readonly errors: number;
  readonly durations: ExposedHistogram;
}

export interface ExposedEdges {
  /** No two of the same labels, which are safe to show. */
  readonly edges: readonly ExposedEdge[];
  /** The same of these. */
  readonly requests: readonly ExposedRequests[];
  /** Conversations and operations counted under `~other` because the page was full. */
  readonly overflow: number;
  readonly unresolvedBytes: number;
}

export function edgeFamilies(exposed: ExposedEdges, connections: ExposedConnections | null): Family[] {
  const { edges, overflow, unresolvedBytes } = exposed;
  return [
    ...trafficFamilies(edges),
    ...tcpFamilies(edges.filter(({ kind }) => kind === "tcp")),
    ...(connections === null ? [] : [activeFamily(edges, connections)]),
    ...requestFamilies(exposed.requests),
    new Family("counter", "netwatch_unresolved_bytes_total", "Bytes to or from an end without a name.").add(
      unresolvedBytes,
    ),
    new Family(
      "counter",
      "netwatch_series_overflow_total",
      "Conversations and operations counted under ~other because the page was full.",
    ).add(overflow),
    new Family("gauge", "netwatch_edges", "Edges on this page.").add(edges.length),
  ];
}

function counter(what: string, help: string): Family {
  return new Family("counter", `netwatch_edge_${what}_total`, help);
}

function trafficFamilies(edges: readonly ExposedEdge[]): Family[] {
  const sentBytes = counter("sent_bytes", "Bytes on the wire from source, which began, to destination.");
  const sentPackets = counter("sent_packets", "Packets from source, which began, to destination.");
  const receivedBytes = counter("received_bytes", "Bytes on the wire that source got back from destination.");
  const receivedPackets = counter("received_packets", "Packets that source got back from destination.");
  for (const edge of edges) {
    const { source, destination, kind } = edge;
    const labels = { source, destination, protocol: kind };
    sentBytes.add(edge.sentBytes, labels);
    sentPackets.add(edge.sentPackets, labels);
    receivedBytes.add(edge.receivedBytes, labels);
    receivedPackets.add(edge.receivedPackets, labels);
  }
  return [sentBytes, sentPackets, receivedBytes, receivedPackets];
}

function tcpFamilies(edges: readonly ExposedEdge[]): Family[] {
  const opened = counter("connections_opened", "TCP connections that source was seen to begin.");
  const failed = counter(
    "connections_failed",
    "TCP connections of source that destination refused or did not answer.",
  );
  const retransmitted = counter(
    "tcp_retransmitted_packets",
    "TCP segments that source or destination sent again.",
  );
  const handshake = new Family(
    "histogram",
    "netwatch_edge_tcp_handshake_seconds",
    "From the SYN of source to the ACK that ends the handshake.",
  );
  for (const { source, destination, handshakes, ...edge } of edges) {
    const labels = { source, destination };
    opened.add(edge.opened, labels);
    failed.add(edge.failed, labels);
    retransmitted.add(edge.retransmitted, labels);
    if (handshakes !== null) handshake.addHistogram(handshakes, labels);
  }
  return [opened, failed, retransmitted, handshake];
}

function requestFamilies(edges: readonly ExposedRequests[]): Family[] {
  const requests = counter("requests", "Requests of source to destination.");
  const errors = counter("request_errors", "Answers of destination that say the request failed.");
  const duration = new Family(
    "histogram",
    "netwatch_edge_request_duration_seconds",
    "From a request of source to the answer of destination.",
  );
  for (const { source, destination, kind, ...edge } of edges) {
    const labels = { source, destination, application: kind };
    requests.add(edge.requests, labels);
    errors.add(edge.errors, labels);
    duration.addHistogram(edge.durations, labels);
  }
  return [requests, errors, duration];
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
  for (const { source, destination, kind } of edges)
    if (kind === "tcp") family.add(active.get(keyOf(source, destination)) ?? 0, { source, destination });
  return family;
}
