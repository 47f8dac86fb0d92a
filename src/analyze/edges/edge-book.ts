/** Edges between services: counters of packets, connections and requests. They only grow. */
import { HANDSHAKE_BOUNDS, Histogram, REQUEST_BOUNDS } from "./histogram.js";
import { type Listing, SampleBudget, SeriesBook, type SeriesBounds } from "./series-book.js";

/** Traffic from one service to another and back since the start of the run. The source began the conversations. */
export interface Edge extends Listing {
  sentPackets: number;
  sentBytes: number;
  receivedPackets: number;
  receivedBytes: number;
  /** TCP conversations whose handshake was seen to begin. */
  opened: number;
  /** TCP connections refused, or given up as not answered. */
  failed: number;
  /** TCP segments that either side sent again. */
  retransmitted: number;
  /** null: not of TCP. */
  readonly handshakes: Histogram | null;
}

/** Requests from one service to another in one application protocol. */
export interface RequestEdge extends Listing {
  requests: number;
  /** Answers that say the request failed. */
  errors: number;
  readonly durations: Histogram;
}

/** The label of an end without a name: never its address. */
export const EXTERNAL = "external";

export const EDGE_PROTOCOLS = ["tcp", "udp", "icmp", "sctp", "gre", "esp", "other"] as const;

/** The label of a protocol, from a closed set. */
export function edgeProtocol(transport: string): string {
  const word = transport === "ICMPv6" ? "icmp" : transport.toLowerCase();
  return (EDGE_PROTOCOLS as readonly string[]).includes(word) ? word : "other";
}

/** A histogram's buckets, the one without a bound, its sum and its count. */
const histogramSamples = (bounds: readonly number[]) => bounds.length + 3;

/** Samples that an edge makes on a page: four counters; of TCP also connections opened, failed and active, retransmissions, handshakes. */
export function samplesOfEdge(protocol: string): number {
  return protocol === "tcp" ? 8 + histogramSamples(HANDSHAKE_BOUNDS) : 4;
}

/** The same of requests: how many, how many failed, how long they took. */
export function samplesOfRequests(): number {
  return 2 + histogramSamples(REQUEST_BOUNDS);
}

/** All edges of a page, within one bound. */
export class EdgeBook {
  readonly edges: SeriesBook<Edge>;
  readonly requests: SeriesBook<RequestEdge>;

  constructor(bounds: SeriesBounds) {
    const budget = new SampleBudget(bounds);
    this.edges = new SeriesBook(budget, createEdge, samplesOfEdge);
    this.requests = new SeriesBook(budget, createRequestEdge, samplesOfRequests);
  }
}

function createEdge(source: string, destination: string, kind: string): Edge {
  return {
    source,
    destination,
    kind,
    sentPackets: 0,
    sentBytes: 0,
    receivedPackets: 0,
    receivedBytes: 0,
    opened: 0,
    failed: 0,
    retransmitted: 0,
    handshakes: kind === "tcp" ? new Histogram(HANDSHAKE_BOUNDS) : null,
    lastUs: 0,
    state: "listed",
  };
}

function createRequestEdge(source: string, destination: string, kind: string): RequestEdge {
  const durations = new Histogram(REQUEST_BOUNDS);
  return { source, destination, kind, requests: 0, errors: 0, durations, lastUs: 0, state: "listed" };
}
