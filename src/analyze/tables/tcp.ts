/** The table of how TCP fares between services. */
import type { Analyzer } from "../analyzer.js";
import type { FlowTable } from "../flows.js";
import { Groups } from "../groups.js";
import type { EvictedTcp, Inspector } from "../inspector.js";
import type { Labels } from "../labels.js";
import { OTHER } from "../limit.js";
import { numbers, Sorter } from "../order.js";
import type { Column, Row, Table } from "../snapshot.js";
import { createHealth, readHealth, type SideHealth, type TcpHealth } from "../tcp/health.js";
import { createTable } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "source", title: "Source", kind: "text" },
  { name: "destination", title: "Destination", kind: "text" },
  { name: "connections", title: "Connections", kind: "count" },
  { name: "refused", title: "Refused", kind: "count" },
  { name: "half_open", title: "Half open", kind: "count" },
  { name: "handshake_p50_ms", title: "Handshake p50", kind: "milliseconds" },
  { name: "handshake_p95_ms", title: "Handshake p95", kind: "milliseconds" },
  { name: "server_p50_ms", title: "Handshake p50, server's part", kind: "milliseconds" },
  { name: "rtt_p50_ms", title: "Round trip p50", kind: "milliseconds" },
  { name: "segments", title: "Segments", kind: "count" },
  { name: "retransmissions", title: "Retransmissions", kind: "count" },
  { name: "retransmission_ratio", title: "Retransmitted", kind: "ratio" },
  { name: "fast_retransmissions", title: "Fast", kind: "count" },
  { name: "spurious_retransmissions", title: "Spurious", kind: "count" },
  { name: "reply_retransmissions", title: "By destination", kind: "count" },
  { name: "out_of_order", title: "Out of order", kind: "count" },
  { name: "duplicate_acks", title: "Duplicate ACKs", kind: "count" },
  { name: "zero_windows", title: "Zero windows", kind: "count" },
  { name: "zero_window_ms", title: "Time at zero window", kind: "milliseconds" },
  { name: "resets", title: "Resets", kind: "count" },
  { name: "reply_resets", title: "Resets by destination", kind: "count" },
  { name: "gaps", title: "Gaps in the capture", kind: "count" },
];

/** Sums over the connections of one service to another. Durations are microseconds. */
interface TcpSum {
  connections: number;
  refused: number;
  halfOpen: number;
  segments: number;
  retransmissions: number;
  fast: number;
  spurious: number;
  byReply: number;
  outOfOrder: number;
  duplicateAcks: number;
  zeroWindows: number;
  zeroWindowUs: number;
  resets: number;
  resetsByReply: number;
  gaps: number;
}

/** Connections of services with each other, a row for each who begins and who is asked; those in most trouble first. */
export function buildTcp({ flows, inspector }: Analyzer, labels: Labels): Table {
  const pairs = new TcpPairs(flows, inspector, labels);
  const { evicted } = inspector;
  const order = numbers(pairs.count);
  const sums = Array.from({ length: pairs.count }, (_, pair) => pairs.sum(pair));
  new Sorter(order)
    .by("ascending", (pair) => labels.ranks[pairs.destination(pair)]!)
    .by("ascending", (pair) => labels.ranks[pairs.source(pair)]!)
    .by("descending", (pair) => sums[pair]!.connections)
    .by("descending", (pair) => sums[pair]!.zeroWindows)
    .by("descending", (pair) => sums[pair]!.resets)
    .by("descending", (pair) => sums[pair]!.retransmissions);
  return createTable({
    name: "tcp",
    title: "TCP",
    columns: COLUMNS,
    length: order.length,
    rowAt(i) {
      const pair = order[i]!;
      const ends = {
        source: labels.text(pairs.source(pair)),
        destination: labels.text(pairs.destination(pair)),
      };
      return { ...ends, ...sumCells(sums[pair]!), ...durationCells(pairs.durations(pair)) };
    },
    other: evicted.connections > 0 ? otherRow(evicted) : null,
    omitted: evicted.connections,
    total: totalOf(sums, evicted),
  });
}

/** The pairs of labels that have a connection, from who began it to who was asked. */
class TcpPairs {
  readonly #flows: FlowTable;
  readonly #inspector: Inspector;
  readonly #sources: number[] = [];
  readonly #destinations: number[] = [];
  readonly #groups: Groups;
  readonly #health = createHealth();

  constructor(flows: FlowTable, inspector: Inspector, labels: Labels) {
    this.#flows = flows;
    this.#inspector = inspector;
    this.#groups = new Groups(flows.count);
    const known = new Map<number, number>();
    for (let flow = 0; flow < flows.count; flow++) {
      if (connectionOf(flows, inspector, flow) < 0) continue;
      const origIsB = flows.isBegunByB(flow);
      const source = labels.of(flow, origIsB);
      const destination = labels.of(flow, !origIsB);
      const key = source * labels.count + destination;
      let pair = known.get(key);
      if (pair === undefined) {
        pair = this.#sources.push(source) - 1;
        this.#destinations.push(destination);
        known.set(key, pair);
      }
      this.#groups.add(pair, flow);
    }
  }

  get count(): number {
    return this.#sources.length;
  }

  source(pair: number): number {
    return this.#sources[pair]!;
  }

  destination(pair: number): number {
    return this.#destinations[pair]!;
  }

  sum(pair: number): TcpSum {
    const sum = createSum();
    this.#each(pair, (health) => {
      const { orig, reply } = health;
      const both = (count: (side: SideHealth) => number) => count(orig) + count(reply);
      sum.connections += health.connections;
      sum.refused += health.refused;
      sum.halfOpen += health.unanswered;
      sum.segments += both((side) => side.segments);
      sum.retransmissions += both((side) => side.retransmissions);
      sum.fast += both((side) => side.fastRetransmissions);
      sum.spurious += both((side) => side.spuriousRetransmissions);
      sum.byReply += reply.retransmissions;
      sum.outOfOrder += both((side) => side.outOfOrder);
      sum.duplicateAcks += both((side) => side.duplicateAcks);
      sum.zeroWindows += both((side) => side.zeroWindows);
      sum.zeroWindowUs += both((side) => side.zeroWindowUs);
      sum.resets += both((side) => side.resets);
      sum.resetsByReply += reply.resets;
      sum.gaps += both((side) => side.gaps);
    });
    return sum;
  }

  /** The handshakes, the servers' parts of them, and the round trips of a pair's connections, each in ascending order. */
  durations(pair: number): readonly [Float64Array, Float64Array, Float64Array] {
    const [handshakes, server, trips]: [number[], number[], number[]] = [[], [], []];
    this.#each(pair, (health) => {
      if (health.handshakeUs !== null) handshakes.push(health.handshakeUs);
      if (health.serverHalfUs !== null) server.push(health.serverHalfUs);
      const trip = roundTripUs(health);
      if (trip !== null) trips.push(trip);
    });
    return [sorted(handshakes), sorted(server), sorted(trips)];
  }

  #each(pair: number, visit: (health: TcpHealth) => void): void {
    const { tcp } = this.#inspector;
    for (let flow = this.#groups.first(pair); flow >= 0; flow = this.#groups.next(flow)) {
      const connection = connectionOf(this.#flows, this.#inspector, flow);
      visit(readHealth(this.#health, tcp, connection, this.#flows.isBegunByB(flow)));
    }
  }
}

/** The TCP connection that is kept of a flow, or -1. */
export function connectionOf(flows: FlowTable, inspector: Inspector, flow: number): number {
  return inspector.connectionOf(flows.link(flow), flows.protocolKey(flow));
}

/** From one end to the other and back: the mean of both parts, where both were measured. */
export function roundTripUs({ orig, reply }: TcpHealth): number | null {
  return orig.rttUs === null || reply.rttUs === null ? null : orig.rttUs + reply.rttUs;
}

/** Milliseconds of microseconds, to the microsecond; null stays null. */
export function toMs(us: number | null): number | null {
  return us === null ? null : Math.round(us) / 1000;
}

function sorted(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** The smallest of the values that `part` of them are not above; null: there are none. */
function quantile(ascending: Float64Array, part: number): number | null {
  return ascending.length === 0 ? null : ascending[Math.max(0, Math.ceil(part * ascending.length) - 1)]!;
}

function createSum(): TcpSum {
  return {
    connections: 0,
    refused: 0,
    halfOpen: 0,
    segments: 0,
    retransmissions: 0,
    fast: 0,
    spurious: 0,
    byReply: 0,
    outOfOrder: 0,
    duplicateAcks: 0,
    zeroWindows: 0,
    zeroWindowUs: 0,
    resets: 0,
    resetsByReply: 0,
    gaps: 0,
  };
}

/** The cells that can be summed, and the ratio of two of them. */
function sumCells(sum: TcpSum): Record<string, number> {
  return {
    connections: sum.connections,
    refused: sum.refused,
    half_open: sum.halfOpen,
    segments: sum.segments,
    retransmissions: sum.retransmissions,
    retransmission_ratio:
      sum.segments === 0 ? 0 : Math.round((sum.retransmissions / sum.segments) * 1e6) / 1e6,
    fast_retransmissions: sum.fast,
    spurious_retransmissions: sum.spurious,
    reply_retransmissions: sum.byReply,
    out_of_order: sum.outOfOrder,
    duplicate_acks: sum.duplicateAcks,
    zero_windows: sum.zeroWindows,
    zero_window_ms: Math.round(sum.zeroWindowUs) / 1000,
    resets: sum.resets,
    reply_resets: sum.resetsByReply,
    gaps: sum.gaps,
  };
}

function durationCells([handshakes, server, trips]: readonly [
  Float64Array,
  Float64Array,
  Float64Array,
]): Row {
  return {
    handshake_p50_ms: toMs(quantile(handshakes, 0.5)),
    handshake_p95_ms: toMs(quantile(handshakes, 0.95)),
    server_p50_ms: toMs(quantile(server, 0.5)),
    rtt_p50_ms: toMs(quantile(trips, 0.5)),
  };
}

function otherRow(evicted: EvictedTcp): Row {
  const unknown = Object.fromEntries(COLUMNS.map(({ name }) => [name, null]));
  return {
    ...unknown,
    source: OTHER,
    destination: OTHER,
    connections: evicted.connections,
    retransmissions: evicted.retransmissions,
    out_of_order: evicted.outOfOrder,
    duplicate_acks: evicted.duplicateAcks,
    zero_windows: evicted.zeroWindows,
    resets: evicted.resets,
  };
}

/** Of what is known of the connections that found no room, too. */
function totalOf(sums: readonly TcpSum[], evicted: EvictedTcp): Readonly<Record<string, number>> {
  const all = createSum();
  for (const sum of sums) for (const key of Object.keys(all) as (keyof TcpSum)[]) all[key] += sum[key];
  all.connections += evicted.connections;
  all.retransmissions += evicted.retransmissions;
  all.outOfOrder += evicted.outOfOrder;
  all.duplicateAcks += evicted.duplicateAcks;
  all.zeroWindows += evicted.zeroWindows;
  all.resets += evicted.resets;
  const { retransmission_ratio: _, zero_window_ms: __, ...total } = sumCells(all);
  return total;
}
