/** Metrics of the edges: which service talks to which, by name, how well, and how it answers. */
import { edgeLabel } from "../../format.js";
import type { HistogramCounts, Labels, Metric, Reading } from "./metric.js";
import type { ExposedConnections } from "./state.js";

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
  /** null: not TCP. */
  readonly handshakes: HistogramCounts | null;
}

export interface ExposedRequests {
  readonly source: string;
  readonly destination: string;
  /** The application protocol, of a closed set. */
  readonly kind: string;
  readonly requests: number;
  readonly errors: number;
  readonly durations: HistogramCounts;
}

export interface ExposedEdges {
  /** Labels are unique and safe to show. */
  readonly edges: readonly ExposedEdge[];
  /** The same of these. */
  readonly requests: readonly ExposedRequests[];
  /** Conversations and operations counted under `~other` because the page was full. */
  readonly overflow: number;
  readonly unresolvedBytes: number;
}

/** The input of the edge metrics; each edge's labels are made once. */
interface Edges {
  readonly exposed: ExposedEdges;
  readonly edges: readonly { readonly edge: ExposedEdge; readonly labels: Labels; readonly ends: Labels }[];
  readonly requests: readonly { readonly edge: ExposedRequests; readonly labels: Labels }[];
  /** Established connections by `source\ndestination`; null: connection tracking was not asked. */
  readonly active: ReadonlyMap<string, number> | null;
}

export function prepareEdges(exposed: ExposedEdges, connections: ExposedConnections | null): Edges {
  return {
    exposed,
    edges: exposed.edges.map((edge) => {
      const { source, destination, kind } = edge;
      return { edge, labels: { source, destination, protocol: kind }, ends: { source, destination } };
    }),
    requests: exposed.requests.map((edge) => {
      const { source, destination, kind } = edge;
      return { edge, labels: { source, destination, application: kind } };
    }),
    active: connections && activeConnections(connections),
  };
}

const keyOf = (source: unknown, destination: unknown) => `${source}\n${destination}`;

function activeConnections({ tables }: ExposedConnections): ReadonlyMap<string, number> {
  const active = new Map<string, number>();
  for (const row of tables.services.rows) {
    if (row.transport !== "TCP" || row.state !== "ESTABLISHED") continue;
    const key = keyOf(edgeLabel(String(row.source)), edgeLabel(String(row.destination)));
    active.set(key, (active.get(key) ?? 0) + Number(row.connections));
  }
  return active;
}

/** Of every edge. */
function counter(what: string, help: string, value: (edge: ExposedEdge) => number): Metric<Edges> {
  const read = ({ edges }: Edges) => edges.map(({ edge, labels }): Reading => [value(edge), labels]);
  return { type: "counter", name: `netwatch_edge_${what}_total`, help, read };
}

function* ofTcp(
  { edges }: Edges,
  value: (edge: ExposedEdge) => number | HistogramCounts | null,
): Iterable<Reading> {
  for (const { edge, ends } of edges) if (edge.kind === "tcp") yield [value(edge), ends];
}

/** Of edges of TCP. */
function tcpCounter(what: string, help: string, value: (edge: ExposedEdge) => number): Metric<Edges> {
  return {
    type: "counter",
    name: `netwatch_edge_${what}_total`,
    help,
    read: (edges) => ofTcp(edges, value),
  };
}

/** Of edges of requests. */
function requestCounter(what: string, help: string, value: (edge: ExposedRequests) => number): Metric<Edges> {
  const read = ({ requests }: Edges) => requests.map(({ edge, labels }): Reading => [value(edge), labels]);
  return { type: "counter", name: `netwatch_edge_${what}_total`, help, read };
}

export const EDGE_METRICS: readonly Metric<Edges>[] = [
  counter(
    "sent_bytes",
    "Bytes on the wire from source, which began, to destination.",
    ({ sentBytes }) => sentBytes,
  ),
  counter(
    "sent_packets",
    "Packets from source, which began, to destination.",
    ({ sentPackets }) => sentPackets,
  ),
  counter(
    "received_bytes",
    "Bytes on the wire that source got back from destination.",
    ({ receivedBytes }) => receivedBytes,
  ),
  counter(
    "received_packets",
    "Packets that source got back from destination.",
    ({ receivedPackets }) => receivedPackets,
  ),
  tcpCounter("connections_opened", "TCP connections that source was seen to begin.", ({ opened }) => opened),
  tcpCounter(
    "connections_failed",
    "TCP connections of source that destination refused or did not answer.",
    ({ failed }) => failed,
  ),
  tcpCounter(
    "tcp_retransmitted_packets",
    "TCP segments that source or destination sent again.",
    ({ retransmitted }) => retransmitted,
  ),
  {
    type: "histogram",
    name: "netwatch_edge_tcp_handshake_seconds",
    help: "From the SYN of source to the ACK that ends the handshake.",
    read: (edges) => ofTcp(edges, ({ handshakes }) => handshakes),
  },
  {
    type: "gauge",
    name: "netwatch_edge_connections_active",
    help: "Established TCP connections that connection tracking knows.",
    // Of the edges on the page, 0 where there is none.
    read: (edges) =>
      ofTcp(edges, ({ source, destination }) =>
        edges.active === null ? null : (edges.active.get(keyOf(source, destination)) ?? 0),
      ),
  },
  requestCounter("requests", "Requests of source to destination.", ({ requests }) => requests),
  requestCounter(
    "request_errors",
    "Answers of destination that say the request failed.",
    ({ errors }) => errors,
  ),
  {
    type: "histogram",
    name: "netwatch_edge_request_duration_seconds",
    help: "From a request of source to the answer of destination.",
    read: ({ requests }) => requests.map(({ edge, labels }): Reading => [edge.durations, labels]),
  },
  {
    type: "counter",
    name: "netwatch_unresolved_bytes_total",
    help: "Bytes to or from an end without a name.",
    read: ({ exposed }) => [[exposed.unresolvedBytes]],
  },
  {
    type: "counter",
    name: "netwatch_series_overflow_total",
    help: "Conversations and operations counted under ~other because the page was full.",
    read: ({ exposed }) => [[exposed.overflow]],
  },
  {
    type: "gauge",
    name: "netwatch_edges",
    help: "Edges on this page.",
    read: ({ exposed }) => [[exposed.edges.length]],
  },
];
