/** How TCP fares between services, summed. */
import type { FlowTable } from "../flow/flows.js";
import { Groups } from "../flow/groups.js";
import type { Labels } from "../flow/labels.js";
import type { Inspector } from "../inspector.js";
import { createHealth, readHealth, roundTripUs, type TcpHealth } from "../tcp/health.js";

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
export interface TcpDurations {
  readonly handshakeP50: number | null;
  readonly handshakeP95: number | null;
  readonly serverP50: number | null;
  readonly tripP50: number | null;
}

/** Two services, by their labels' numbers, and the connections that one began to the other. */
export interface TcpPair {
  readonly source: number;
  readonly destination: number;
  readonly sum: Readonly<TcpSum>;
}

export interface TcpSums {
  /** No more than connections are kept. */
  readonly pairs: readonly TcpPair[];
  /** Of all connections that are kept. */
  readonly total: Readonly<TcpSum>;
  /** How long the handshakes and round trips of pair `pair` took. Reads its connections each time: valid until the table changes. */
  durations(pair: number): TcpDurations;
}

/** Sums connections by who began them and who was asked. Two passes over what is kept of them. */
export function sumTcp(flows: FlowTable, inspector: Inspector, labels: Labels): TcpSums {
  const ends: { readonly source: number; readonly destination: number }[] = [];
  const groups = new Groups(flows.count);
  const known = new Map<number, number>();
  for (let flow = 0; flow < flows.count; flow++) {
    if (connectionOf(flows, inspector, flow) < 0) continue;
    const origIsB = flows.isBegunByB(flow);
    const source = labels.of(flow, origIsB);
    const destination = labels.of(flow, !origIsB);
    const key = source * labels.count + destination;
    let pair = known.get(key);
    if (pair === undefined) {
      pair = ends.push({ source, destination }) - 1;
      known.set(key, pair);
    }
    groups.add(pair, flow);
  }
  const cursor = createHealth();
  const read = (flow: number): TcpHealth =>
    readHealth(cursor, inspector.tcp, connectionOf(flows, inspector, flow), flows.isBegunByB(flow));
  const sumOf = (pair: number): TcpSum => {
    const sum = createTcpSum();
    for (let flow = groups.first(pair); flow >= 0; flow = groups.next(flow)) {
      const health = read(flow);
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
  };
  const pairs = ends.map(({ source, destination }, pair) => ({ source, destination, sum: sumOf(pair) }));
  const total = createTcpSum();
  for (const { sum } of pairs) for (const key of SUM_KEYS) total[key] += sum[key];
  const durations = (pair: number): TcpDurations => {
    const [handshakes, server, trips]: [number[], number[], number[]] = [[], [], []];
    for (let flow = groups.first(pair); flow >= 0; flow = groups.next(flow)) {
      const health = read(flow);
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
  };
  return { pairs, total, durations };
}

/** The TCP connection that is kept of a flow, or -1. */
export function connectionOf(flows: FlowTable, inspector: Inspector, flow: number): number {
  return inspector.connectionOf(flows.link(flow), flows.protocolKey(flow));
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
