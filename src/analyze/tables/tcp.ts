/** The table of TCP quality between services. */
import type { Analyzer } from "../analyzer.js";
import { Ranking } from "../flow/order.js";
import type { DepartedTcp } from "../inspector.js";
import { OTHER } from "../snapshot/limit.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import type { TcpDurations, TcpSum } from "../sums/tcp.js";
import type { Sums } from "../sums.js";
import { createTable, toMs } from "./table.js";

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

/** Connections of services with each other, a row for each who begins and who is asked; those in most trouble first. */
export function buildTcp({ inspector }: Analyzer, { labels, tcp, scratch }: Sums): Table {
  const { departed } = inspector;
  const ranking = new Ranking(
    tcp.count,
    [
      { direction: "descending", of: (pair) => tcp.pair(pair).sum.retransmissions },
      { direction: "descending", of: (pair) => tcp.pair(pair).sum.resets },
      { direction: "descending", of: (pair) => tcp.pair(pair).sum.zeroWindows },
      { direction: "descending", of: (pair) => tcp.pair(pair).sum.connections },
      { direction: "ascending", of: (pair) => labels.placeOf(tcp.pair(pair).source) },
      { direction: "ascending", of: (pair) => labels.placeOf(tcp.pair(pair).destination) },
    ],
    scratch,
  );
  return createTable({
    name: "tcp",
    title: "TCP",
    subject: "tcp",
    top: 5,
    columns: COLUMNS,
    length: ranking.length,
    rowAt(i) {
      const pair = ranking.at(i);
      const { source, destination, sum } = tcp.pair(pair);
      return tcpRow(labels.text(source), labels.text(destination), sum, tcp.durations(pair));
    },
    other: departed.connections > 0 ? otherRow(departed) : null,
    omitted: departed.connections,
    total: totalOf(tcp.total, departed),
  });
}

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

/** What is known of the connections that are kept no more. */
function otherRow(departed: DepartedTcp): Row {
  const unknown = Object.fromEntries(COLUMNS.map(({ name }) => [name, null]));
  return {
    ...unknown,
    source: OTHER,
    destination: OTHER,
    connections: departed.connections,
    retransmissions: departed.retransmissions,
    out_of_order: departed.outOfOrder,
    duplicate_acks: departed.duplicateAcks,
    zero_windows: departed.zeroWindows,
    resets: departed.resets,
  };
}

/** Of all that can be summed. */
function totalOf(all: Readonly<TcpSum>, departed: DepartedTcp): Readonly<Record<string, number>> {
  const sum: TcpSum = {
    ...all,
    connections: all.connections + departed.connections,
    retransmissions: all.retransmissions + departed.retransmissions,
    outOfOrder: all.outOfOrder + departed.outOfOrder,
    duplicateAcks: all.duplicateAcks + departed.duplicateAcks,
    zeroWindows: all.zeroWindows + departed.zeroWindows,
    resets: all.resets + departed.resets,
  };
  const row = tcpRow(OTHER, OTHER, sum, UNKNOWN);
  return Object.fromEntries(
    COLUMNS.filter(({ kind }) => kind === "count").map(({ name }) => [name, Number(row[name])]),
  );
}
