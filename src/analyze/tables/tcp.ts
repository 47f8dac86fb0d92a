/** The table of how TCP fares between services. */
import type { Analyzer } from "../analyzer.js";
import type { FlowTable } from "../flows.js";
import { Groups } from "../groups.js";
import type { EvictedTcp, Inspector } from "../inspector.js";
import type { Labels } from "../labels.js";
import { OTHER } from "../limit.js";
import { numbers, Sorter } from "../order.js";
import type { Column, Row, Table } from "../snapshot.js";
import { createHealth, readHealth, type TcpHealth } from "../tcp/health.js";
import { createTable } from "./table.js";

const COLUMNS: readonly Column[] = [
  { name: "source", title: "Source", kind: "text", priority: 1 },
  { name: "destination", title: "Destination", kind: "text", priority: 1 },
  { name: "connections", title: "Connections", kind: "count", short: "Conn", priority: 2 },
  { name: "refused", title: "Refused", kind: "count", priority: 3 },
  { name: "half_open", title: "Half open", kind: "count", priority: 3 },
  { name: "handshake_p50_ms", title: "Handshake p50", kind: "milliseconds", short: "Handshake", priority: 2 },
  { name: "handshake_p95_ms", title: "Handshake p95", kind: "milliseconds" },
  { name: "server_p50_ms", title: "Handshake p50, server's part", kind: "milliseconds" },
  { name: "rtt_p50_ms", title: "Round trip p50", kind: "milliseconds", short: "RTT", priority: 4 },
  { name: "segments", title: "Segments", kind: "count" },
  { name: "retransmissions", title: "Retransmissions", kind: "count", short: "Retr", priority: 2 },
  { name: "retransmission_ratio", title: "Retransmitted", kind: "ratio", short: "Of all", priority: 3 },
  { name: "fast_retransmissions", title: "Fast", kind: "count" },
  { name: "spurious_retransmissions", title: "Spurious", kind: "count" },
  { name: "reply_retransmissions", title: "By destination", kind: "count" },
  { name: "out_of_order", title: "Out of order", kind: "count", short: "OoO", priority: 2 },
  { name: "duplicate_acks", title: "Duplicate ACKs", kind: "count", short: "DupAck", priority: 2 },
  { name: "zero_windows", title: "Zero windows", kind: "count", short: "0win", priority: 2 },
  { name: "zero_window_ms", title: "Time at zero window", kind: "milliseconds" },
  { name: "resets", title: "Resets", kind: "count", short: "RST", priority: 2 },
  { name: "reply_resets", title: "Resets by destination", kind: "count" },
  { name: "gaps", title: "Gaps in the capture", kind: "count" },
];

/** Sums over the connections of one service to another. Durations are microseconds. */
export interface TcpSum {
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
  /** Of these, those of the side that was asked. */
  zeroWindowsByReply: number;
  zeroWindowUsByReply: number;
  resets: number;
  resetsByReply: number;
  gaps: number;
  /** Handshakes that were captured whole, and how long they took together. */
  handshakes: number;
  handshakeUs: number;
}

/** Microseconds; null: none was measured. */
interface TcpDurations {
  readonly handshakeP50: number | null;
  readonly handshakeP95: number | null;
  readonly serverP50: number | null;
  readonly tripP50: number | null;
}

/**
 * Connections of services with each other, a row for each who begins and who is asked; those in most trouble first. `look` is shown the
 * sum of each pair once, borrowed. `total`: of the connections that are kept.
 */
export function buildTcp(
  { inspector }: Analyzer,
  labels: Labels,
  pairs: TcpPairs,
  look: (pair: number, sum: Readonly<TcpSum>) => void,
): { readonly table: Table; readonly total: Readonly<TcpSum> } {
  const { evicted } = inspector;
  const order = numbers(pairs.count);
  const { ranks } = labels;
  const total = createTcpSum();
  const keys = new Float64Array(pairs.count * 4);
  for (let pair = 0; pair < pairs.count; pair++) {
    const sum = pairs.sum(pair);
    for (const key of SUM_KEYS) total[key] += sum[key];
    look(pair, sum);
    keys.set([sum.retransmissions, sum.resets, sum.zeroWindows, sum.connections], pair * 4);
  }
  const sorter = new Sorter(order)
    .by("ascending", (pair) => ranks[pairs.destination(pair)]!)
    .by("ascending", (pair) => ranks[pairs.source(pair)]!);
  for (let key = 3; key >= 0; key--) sorter.by("descending", (pair) => keys[pair * 4 + key]!);
  const table = createTable({
    name: "tcp",
    title: "TCP",
    subject: "tcp",
    top: 5,
    columns: COLUMNS,
    length: order.length,
    rowAt(i) {
      const pair = order[i]!;
      const [source, destination] = [labels.text(pairs.source(pair)), labels.text(pairs.destination(pair))];
      return tcpRow(source, destination, pairs.sum(pair), pairs.durations(pair));
    },
    other: evicted.connections > 0 ? otherRow(evicted) : null,
    omitted: evicted.connections,
    total: totalOf(total, evicted),
  });
  return { table, total };
}

/** The pairs of labels that have a connection, from who began it to who was asked. */
export class TcpPairs {
  readonly #flows: FlowTable;
  readonly #inspector: Inspector;
  readonly #sources: number[] = [];
  readonly #destinations: number[] = [];
  readonly #groups: Groups;
  readonly #health = createHealth();
  readonly #sum = createTcpSum();

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

  /** Sums a pair's connections. The result is reused by the next call. */
  sum(pair: number): Readonly<TcpSum> {
    const sum = this.#sum;
    for (const key of SUM_KEYS) sum[key] = 0;
    for (let flow = this.#groups.first(pair); flow >= 0; flow = this.#groups.next(flow)) {
      const health = this.#read(flow);
      const { orig, reply } = health;
      sum.connections += health.connections;
      sum.refused += health.refused;
      sum.halfOpen += health.unanswered;
      sum.segments += orig.segments + reply.segments;
      sum.retransmissions += orig.retransmissions + reply.retransmissions;
      sum.fast += orig.fastRetransmissions + reply.fastRetransmissions;
      sum.spurious += orig.spuriousRetransmissions + reply.spuriousRetransmissions;
      sum.byReply += reply.retransmissions;
      sum.outOfOrder += orig.outOfOrder + reply.outOfOrder;
      sum.duplicateAcks += orig.duplicateAcks + reply.duplicateAcks;
      sum.zeroWindows += orig.zeroWindows + reply.zeroWindows;
      sum.zeroWindowUs += orig.zeroWindowUs + reply.zeroWindowUs;
      sum.zeroWindowsByReply += reply.zeroWindows;
      sum.zeroWindowUsByReply += reply.zeroWindowUs;
      sum.resets += orig.resets + reply.resets;
      sum.resetsByReply += reply.resets;
      sum.gaps += orig.gaps + reply.gaps;
      if (health.handshakeUs !== null) {
        sum.handshakes++;
        sum.handshakeUs += health.handshakeUs;
      }
    }
    return sum;
  }

  /** How long a pair's handshakes and round trips took. */
  durations(pair: number): TcpDurations {
    const [handshakes, server, trips]: [number[], number[], number[]] = [[], [], []];
    for (let flow = this.#groups.first(pair); flow >= 0; flow = this.#groups.next(flow)) {
      const health = this.#read(flow);
      if (health.handshakeUs !== null) handshakes.push(health.handshakeUs);
      if (health.serverHalfUs !== null) server.push(health.serverHalfUs);
      const trip = roundTripUs(health);
      if (trip !== null) trips.push(trip);
    }
    return {
      handshakeP50: quantile(handshakes, 0.5),
      handshakeP95: quantile(handshakes, 0.95),
      serverP50: quantile(server, 0.5),
      tripP50: quantile(trips, 0.5),
    };
  }

  #read(flow: number): TcpHealth {
    const connection = connectionOf(this.#flows, this.#inspector, flow);
    return readHealth(this.#health, this.#inspector.tcp, connection, this.#flows.isBegunByB(flow));
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

/** The smallest of the values that `part` of them are not above; null: there are none. Sorts them. */
function quantile(values: number[], part: number): number | null {
  if (values.length <= 1) return values[0] ?? null;
  values.sort((x, y) => x - y);
  return values[Math.max(0, Math.ceil(part * values.length) - 1)]!;
}

export function createTcpSum(): TcpSum {
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
    zeroWindowsByReply: 0,
    zeroWindowUsByReply: 0,
    resets: 0,
    resetsByReply: 0,
    gaps: 0,
    handshakes: 0,
    handshakeUs: 0,
  };
}

const SUM_KEYS = Object.keys(createTcpSum()) as readonly (keyof TcpSum)[];

function tcpRow(
  source: string,
  destination: string,
  sum: Readonly<TcpSum>,
  { handshakeP50, handshakeP95, serverP50, tripP50 }: TcpDurations,
): Row {
  const { segments, retransmissions } = sum;
  return {
    source,
    destination,
    connections: sum.connections,
    refused: sum.refused,
    half_open: sum.halfOpen,
    handshake_p50_ms: toMs(handshakeP50),
    handshake_p95_ms: toMs(handshakeP95),
    server_p50_ms: toMs(serverP50),
    rtt_p50_ms: toMs(tripP50),
    segments,
    retransmissions,
    retransmission_ratio: segments === 0 ? 0 : Math.round((retransmissions / segments) * 1e6) / 1e6,
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

const UNKNOWN: TcpDurations = { handshakeP50: null, handshakeP95: null, serverP50: null, tripP50: null };

/** What is known of the connections that found no room. */
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

/** Of all that can be summed. */
function totalOf(all: TcpSum, evicted: EvictedTcp): Readonly<Record<string, number>> {
  const sum: TcpSum = {
    ...all,
    connections: all.connections + evicted.connections,
    retransmissions: all.retransmissions + evicted.retransmissions,
    outOfOrder: all.outOfOrder + evicted.outOfOrder,
    duplicateAcks: all.duplicateAcks + evicted.duplicateAcks,
    zeroWindows: all.zeroWindows + evicted.zeroWindows,
    resets: all.resets + evicted.resets,
  };
  const row = tcpRow(OTHER, OTHER, sum, UNKNOWN);
  return Object.fromEntries(
    COLUMNS.filter(({ kind }) => kind === "count").map(({ name }) => [name, Number(row[name])]),
  );
}
