/** The table of conversations. */
import { protocolName } from "../../net.js";
import type { Analyzer } from "../analyzer.js";
import { addEvidence, EVIDENCE_COLUMNS } from "../conntrack/joined.js";
import type { Evidence } from "../evidence.js";
import { communityId } from "../flow/communityid.js";
import type { Departed, Flow, FlowTable } from "../flow/flows.js";
import type { Labels } from "../flow/labels.js";
import { type Key, Ranking } from "../flow/order.js";
import type { Scratch } from "../flow/scratch.js";
import { OTHER } from "../snapshot/limit.js";
import type { Cell, Column, Row, Table } from "../snapshot/snapshot.js";
import type { Sums } from "../sums.js";
import { formatTime } from "../time.js";
import { createTable } from "./table.js";
import { NO_TCP, TCP_COLUMNS, TcpCells, type TcpRow, tcpTotal } from "./tcp-cells.js";

const COLUMNS: readonly Column[] = [
  { name: "transport", title: "Transport", kind: "text", short: "Proto", priority: 1 },
  { name: "source", title: "Source", kind: "text", priority: 1, with: "source_port" },
  { name: "source_port", title: "Port", kind: "port" },
  { name: "destination", title: "Destination", kind: "text", priority: 1, with: "destination_port" },
  { name: "destination_port", title: "Port", kind: "port" },
  { name: "packets", title: "Packets", kind: "packets", priority: 2, with: "reply_packets" },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2, with: "reply_bytes" },
  { name: "reply_packets", title: "Reply packets", kind: "packets" },
  { name: "reply_bytes", title: "Reply bytes", kind: "bytes" },
  { name: "start", title: "Start", kind: "time", priority: 4 },
  { name: "duration", title: "Duration", kind: "seconds", priority: 2 },
  { name: "orientation", title: "Source known by", kind: "text" },
  { name: "source_address", title: "Source address", kind: "text" },
  { name: "destination_address", title: "Destination address", kind: "text" },
  { name: "community_id", title: "Community ID", kind: "text" },
  ...TCP_COLUMNS,
];

/** Every conversation, both directions in one row; the source is the end that began it, as far as that can be told. */
export function buildConversations(
  analyzer: Analyzer,
  { labels, addresses, tcp: { total }, scratch }: Sums,
  evidence: Evidence | null,
): Table {
  const { flows } = analyzer;
  const ranking = rankConversations(flows, addresses, scratch);
  const tcp = new TcpCells(analyzer);
  return createTable({
    name: "conversations",
    title: "Conversations",
    subject: "traffic",
    top: 5,
    columns: evidence ? [...COLUMNS, ...EVIDENCE_COLUMNS] : COLUMNS,
    length: ranking.length,
    rowAt(i) {
      const flow = ranking.at(i);
      const origIsB = flows.isBegunByB(flow);
      const ends = {
        source: labels.text(labels.of(flow, origIsB)),
        destination: labels.text(labels.of(flow, !origIsB)),
        sourceAddress: addresses.text(addresses.of(flow, origIsB)),
        destinationAddress: addresses.text(addresses.of(flow, !origIsB)),
      };
      const row = conversationRow(flows.read(flow), ends, tcp.of(flow));
      return evidence ? addEvidence(row, evidence.judge(flow)) : row;
    },
    other: flows.departed.flows > 0 ? otherConversations(flows.departed, evidence) : null,
    omitted: flows.departed.flows,
    total: { ...conversationTotal(flows), ...tcpTotal(total) },
  });
}

/** Most bytes first, then by addresses, ports and protocol. */
function rankConversations(flows: FlowTable, addresses: Labels, scratch: Scratch): Ranking {
  const keys: Key[] = [
    { direction: "descending", of: (flow) => flows.bytes(flow, false) + flows.bytes(flow, true) },
    { direction: "ascending", of: (flow) => addresses.placeOf(addresses.of(flow, false)) },
    { direction: "ascending", of: (flow) => addresses.placeOf(addresses.of(flow, true)) },
    { direction: "ascending", of: (flow) => flows.port(flow, false) },
    { direction: "ascending", of: (flow) => flows.port(flow, true) },
    { direction: "ascending", of: (flow) => flows.protocolKey(flow) },
  ];
  return new Ranking(flows.count, keys, scratch);
}

function conversationTotal(flows: FlowTable): Readonly<Record<string, number>> {
  const { packets, bytes, replyPackets, replyBytes } = flows.departed;
  const total = { packets, bytes, reply_packets: replyPackets, reply_bytes: replyBytes };
  for (let i = 0; i < flows.count; i++) {
    const origIsB = flows.isBegunByB(i);
    total.packets += flows.packets(i, origIsB);
    total.bytes += flows.bytes(i, origIsB);
    total.reply_packets += flows.packets(i, !origIsB);
    total.reply_bytes += flows.bytes(i, !origIsB);
  }
  return total;
}

/** Labels of the ends of a conversation. */
interface Ends {
  readonly source: string;
  readonly destination: string;
  readonly sourceAddress: string;
  readonly destinationAddress: string;
}

function conversationRow(flow: Flow, ends: Ends, tcp: TcpRow): Record<string, Cell> {
  return {
    transport: protocolName(flow.protocol, flow.version),
    source: ends.source,
    source_port: flow.sourcePort,
    destination: ends.destination,
    destination_port: flow.destinationPort,
    packets: flow.packets,
    bytes: flow.bytes,
    reply_packets: flow.replyPackets,
    reply_bytes: flow.replyBytes,
    start: flow.startUs === null ? null : formatTime(flow.startUs),
    duration: flow.startUs === null || flow.endUs === null ? null : (flow.endUs - flow.startUs) / 1e6,
    orientation: flow.orientation,
    source_address: ends.sourceAddress,
    destination_address: ends.destinationAddress,
    community_id: communityId(flow),
    // Written out: a spread costs more than all the rest of the row.
    application: tcp.application,
    tcp_state: tcp.tcp_state,
    completeness: tcp.completeness,
    handshake_ms: tcp.handshake_ms,
    server_ms: tcp.server_ms,
    rtt_ms: tcp.rtt_ms,
    retransmissions: tcp.retransmissions,
    out_of_order: tcp.out_of_order,
    duplicate_acks: tcp.duplicate_acks,
    zero_windows: tcp.zero_windows,
    resets: tcp.resets,
  };
}

function otherConversations(departed: Departed, evidence: Evidence | null): Row {
  const unknown = {
    source_port: null,
    destination_port: null,
    start: null,
    duration: null,
    source_address: null,
    destination_address: null,
  };
  const row = {
    transport: OTHER,
    source: OTHER,
    destination: OTHER,
    packets: departed.packets,
    bytes: departed.bytes,
    reply_packets: departed.replyPackets,
    reply_bytes: departed.replyBytes,
    orientation: null,
    community_id: null,
    ...unknown,
    ...NO_TCP,
  };
  return evidence ? addEvidence(row, null) : row;
}
