/** Running counters of who talks to whom: they only grow, and there are only so many of them. */
import { visible } from "../format.js";

/** What one service sent to another and got back, since the run began. The source began the conversations. */
export interface EdgeCounters {
  readonly source: string;
  readonly destination: string;
  /** One of EDGE_PROTOCOLS. */
  readonly protocol: string;
  sentPackets: number;
  sentBytes: number;
  receivedPackets: number;
  receivedBytes: number;
  /** TCP conversations whose handshake was seen to begin. */
  opened: number;
}

export interface Edge extends EdgeCounters {
  /** When it last grew, in microseconds. */
  lastUs: number;
  state: "listed" | "kept" | "forgotten";
}

/** What everything beyond the bound is counted under. No name begins so: see `edgeLabel`. */
export const OTHER_EDGE = "~other";
/** What an end without a name is called: never by its address. */
export const EXTERNAL = "external";

export const EDGE_PROTOCOLS = ["tcp", "udp", "icmp", "sctp", "gre", "esp", "other"] as const;

/** The closed set's word for a protocol by its name in the tables. */
export function edgeProtocol(transport: string): string {
  const word = transport === "ICMPv6" ? "icmp" : transport.toLowerCase();
  return (EDGE_PROTOCOLS as readonly string[]).includes(word) ? word : "other";
}

const MAX_LABEL = 128;

/** A name as the value of a label: unsafe characters written out, of bounded length, not mistakable for `~other`. */
export function edgeLabel(name: string): string {
  const label = Array.from(visible(name.slice(0, MAX_LABEL)))
    .slice(0, MAX_LABEL)
    .join("");
  return label.startsWith("~") ? `\\${label}` : label;
}

/** Samples that an edge makes on a page: four counters; of TCP also the connections opened and active. */
function samplesOf(protocol: string): number {
  return protocol === "tcp" ? 6 : 4;
}

/** Edges remembered off the page, for each sample that it may have: one that comes back goes on where it was, one forgotten from 0. */
const KEPT_PER_SAMPLE = 4;

export interface EdgeBounds {
  /** Samples that the listed edges may make together. */
  readonly maxSamples: number;
  /** An edge leaves the page when it has not grown for so long. */
  readonly ttlUs: number;
}

/** The edges by their labels. Those without room are one `~other` a protocol: sums over all edges stay whole. */
export class EdgeBook {
  readonly #bounds: EdgeBounds;
  readonly #listed = new Map<string, Edge>();
  /** Off the page after their time, oldest first. */
  readonly #kept = new Map<string, Edge>();
  readonly #other = new Map<string, Edge>();
  #samples = 0;
  /** Conversations that were counted under `~other` because the page was full. */
  overflow = 0;
  /** Edges that have left the page and made room. */
  freed = 0;

  constructor(bounds: EdgeBounds) {
    this.#bounds = bounds;
  }

  /** The edge to count under: the one of these labels, or `~other` where the page is full. */
  claim(source: string, destination: string, protocol: string, nowUs: number): Edge {
    const key = `${protocol}\n${source}\n${destination}`;
    const listed = this.#listed.get(key);
    if (listed !== undefined) return listed;
    if (this.#samples + samplesOf(protocol) > this.#bounds.maxSamples) return this.other(protocol, nowUs);
    const edge = this.#kept.get(key) ?? createEdge(source, destination, protocol, nowUs);
    this.#kept.delete(key);
    this.#listed.set(key, edge);
    this.#samples += samplesOf(protocol);
    edge.state = "listed";
    edge.lastUs = nowUs;
    return edge;
  }

  /** `~other` of a protocol. */
  other(protocol: string, nowUs: number): Edge {
    let edge = this.#other.get(protocol);
    if (edge === undefined) {
      edge = createEdge(OTHER_EDGE, OTHER_EDGE, protocol, nowUs);
      this.#other.set(protocol, edge);
    }
    return edge;
  }

  /** Takes off the page what has not grown for the time it may stay. */
  expire(nowUs: number): void {
    for (const [key, edge] of this.#listed) {
      if (nowUs - edge.lastUs <= this.#bounds.ttlUs) continue;
      this.#listed.delete(key);
      this.#samples -= samplesOf(edge.protocol);
      edge.state = "kept";
      this.freed++;
      this.#kept.set(key, edge);
      if (this.#kept.size > this.#bounds.maxSamples * KEPT_PER_SAMPLE) this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    for (const [key, edge] of this.#kept) {
      this.#kept.delete(key);
      edge.state = "forgotten";
      return;
    }
  }

  /** All that is on the page, by labels; `~other` last. */
  list(): EdgeCounters[] {
    const edges = [...this.#listed.values()].sort(compareEdges);
    return [...edges, ...[...this.#other.values()].sort(compareEdges)];
  }
}

function createEdge(source: string, destination: string, protocol: string, nowUs: number): Edge {
  const counters = { sentPackets: 0, sentBytes: 0, receivedPackets: 0, receivedBytes: 0, opened: 0 };
  return { source, destination, protocol, ...counters, lastUs: nowUs, state: "listed" };
}

function compareEdges(x: EdgeCounters, y: EdgeCounters): number {
  return (
    compareText(x.source, y.source) ||
    compareText(x.destination, y.destination) ||
    compareText(x.protocol, y.protocol)
  );
}

/** By code unit: the same in every locale. */
function compareText(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
