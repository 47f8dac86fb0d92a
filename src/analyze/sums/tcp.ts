/** Sums of TCP quality between services. */
import type { FlowTable } from "../flow/flows.js";
import { Groups } from "../flow/groups.js";
import { Keys } from "../flow/keys.js";
import type { Labels } from "../flow/labels.js";
import type { Inspector } from "../inspector.js";
import { createQuality, readQuality, roundTripUs, type TcpQuality } from "../tcp/quality.js";
import { GroupSums } from "./group-sums.js";

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
  /** Of these, those of the server. */
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
  source: number;
  destination: number;
  readonly sum: TcpSum;
}

export interface TcpSums {
  /** Pairs that have a connection: no more than connections are kept. */
  readonly count: number;
  /** Of all connections that are kept. */
  readonly total: Readonly<TcpSum>;
  /** One of the pairs. The result is reused by the next call. */
  pair(number: number): Readonly<TcpPair>;
  /** How long the handshakes and round trips of a pair took. Reads its connections each time: valid until the table changes. */
  durations(pair: number): TcpDurations;
}

/** Sums connections by who began them and who was asked. */
export function sumTcp(flows: FlowTable, inspector: Inspector, labels: Labels): TcpSums {
  const groups = new Groups(flows.count);
  // Who began, who was asked.
  const pairs = new Keys(2);
  const { key } = pairs;
  for (let flow = 0; flow < flows.count; flow++) {
    if (connectionOf(flows, inspector, flow) < 0) continue;
    const origIsB = flows.isBegunByB(flow);
    key[0] = labels.of(flow, origIsB);
    key[1] = labels.of(flow, !origIsB);
    groups.add(pairs.intern(), flow);
  }
  const health = createQuality();
  let lastRead = -1;
  const read = (flow: number): TcpQuality => {
    if (flow === lastRead) return health;
    lastRead = flow;
    return readQuality(health, inspector.tcp, connectionOf(flows, inspector, flow), flows.isBegunByB(flow));
  };
  const sums = new GroupSums(pairs.count, Column.count, (flow, into) => measure(read(flow), into));
  const totals = new Float64Array(Column.count);
  for (let pair = 0; pair < pairs.count; pair++) {
    for (let flow = groups.first(pair); flow >= 0; flow = groups.next(flow)) sums.add(pair, flow);
    const sum = sums.read(pair);
    for (let i = 0; i < Column.count; i++) totals[i] = totals[i]! + sum[i]!;
  }
  const cursor: TcpPair = { source: 0, destination: 0, sum: createTcpSum() };
  return {
    count: pairs.count,
    total: readSum(totals, createTcpSum()),
    pair(number) {
      cursor.source = pairs.word(number, 0);
      cursor.destination = pairs.word(number, 1);
      readSum(sums.read(number), cursor.sum);
      return cursor;
    },
    durations(pair) {
      const [handshakes, server, trips]: [number[], number[], number[]] = [[], [], []];
      for (let flow = groups.first(pair); flow >= 0; flow = groups.next(flow)) {
        const { handshakeUs, serverHalfUs } = read(flow);
        if (handshakeUs !== null) handshakes.push(handshakeUs);
        if (serverHalfUs !== null) server.push(serverHalfUs);
        const trip = roundTripUs(health);
        if (trip !== null) trips.push(trip);
      }
      return {
        handshakeP50: quantile(handshakes, 0.5),
        handshakeP95: quantile(handshakes, 0.95),
        serverP50: quantile(server, 0.5),
        tripP50: quantile(trips, 0.5),
      };
    },
  };
}

/** The fields of a TcpSum. */
const enum Column {
  connections = 0,
  refused = 1,
  halfOpen = 2,
  segments = 3,
  retransmissions = 4,
  fast = 5,
  spurious = 6,
  byReply = 7,
  outOfOrder = 8,
  duplicateAcks = 9,
  zeroWindows = 10,
  zeroWindowUs = 11,
  zeroWindowsByReply = 12,
  zeroWindowUsByReply = 13,
  resets = 14,
  resetsByReply = 15,
  gaps = 16,
  handshakes = 17,
  handshakeUs = 18,
  count = 19,
}

/** The fields of one connection, or of several on the same ports. */
function measure(health: TcpQuality, into: Float64Array): void {
  const { orig, reply } = health;
  into[Column.connections] = health.connections;
  into[Column.refused] = health.refused;
  into[Column.halfOpen] = health.unanswered;
  into[Column.segments] = orig.segments + reply.segments;
  into[Column.retransmissions] = orig.retransmissions + reply.retransmissions;
  into[Column.fast] = orig.fastRetransmissions + reply.fastRetransmissions;
  into[Column.spurious] = orig.spuriousRetransmissions + reply.spuriousRetransmissions;
  into[Column.byReply] = reply.retransmissions;
  into[Column.outOfOrder] = orig.outOfOrder + reply.outOfOrder;
  into[Column.duplicateAcks] = orig.duplicateAcks + reply.duplicateAcks;
  into[Column.zeroWindows] = orig.zeroWindows + reply.zeroWindows;
  into[Column.zeroWindowUs] = orig.zeroWindowUs + reply.zeroWindowUs;
  into[Column.zeroWindowsByReply] = reply.zeroWindows;
  into[Column.zeroWindowUsByReply] = reply.zeroWindowUs;
  into[Column.resets] = orig.resets + reply.resets;
  into[Column.resetsByReply] = reply.resets;
  into[Column.gaps] = orig.gaps + reply.gaps;
  into[Column.handshakes] = health.handshakeUs === null ? 0 : 1;
  into[Column.handshakeUs] = health.handshakeUs ?? 0;
}

function readSum(columns: Readonly<Float64Array>, sum: TcpSum): TcpSum {
  sum.connections = columns[Column.connections]!;
  sum.refused = columns[Column.refused]!;
  sum.halfOpen = columns[Column.halfOpen]!;
  sum.segments = columns[Column.segments]!;
  sum.retransmissions = columns[Column.retransmissions]!;
  sum.fast = columns[Column.fast]!;
  sum.spurious = columns[Column.spurious]!;
  sum.byReply = columns[Column.byReply]!;
  sum.outOfOrder = columns[Column.outOfOrder]!;
  sum.duplicateAcks = columns[Column.duplicateAcks]!;
  sum.zeroWindows = columns[Column.zeroWindows]!;
  sum.zeroWindowUs = columns[Column.zeroWindowUs]!;
  sum.zeroWindowsByReply = columns[Column.zeroWindowsByReply]!;
  sum.zeroWindowUsByReply = columns[Column.zeroWindowUsByReply]!;
  sum.resets = columns[Column.resets]!;
  sum.resetsByReply = columns[Column.resetsByReply]!;
  sum.gaps = columns[Column.gaps]!;
  sum.handshakes = columns[Column.handshakes]!;
  sum.handshakeUs = columns[Column.handshakeUs]!;
  return sum;
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
