/** The cells of TCP and its application protocol in the table of conversations. */
import type { Analyzer } from "../analyzer.js";
import type { Cell, Column } from "../snapshot/snapshot.js";
import { connectionOf, type TcpSum } from "../sums/tcp.js";
import { createQuality, readQuality, roundTripUs } from "../tcp/quality.js";
import { toMs } from "./table.js";

export const TCP_COLUMNS = [
  { name: "application", title: "Application", kind: "text", short: "App", priority: 4 },
  { name: "tcp_state", title: "State", kind: "text", priority: 4 },
  { name: "completeness", title: "Completeness", kind: "code" },
  { name: "handshake_ms", title: "Handshake", kind: "milliseconds" },
  { name: "server_ms", title: "Handshake, server's part", kind: "milliseconds" },
  { name: "rtt_ms", title: "Round trip", kind: "milliseconds" },
  { name: "retransmissions", title: "Retransmissions", kind: "count" },
  { name: "out_of_order", title: "Out of order", kind: "count" },
  { name: "duplicate_acks", title: "Duplicate ACKs", kind: "count" },
  { name: "zero_windows", title: "Zero windows", kind: "count" },
  { name: "resets", title: "Resets", kind: "count" },
] as const satisfies readonly Column[];

/** The cells of a conversation, by column. */
export type TcpRow = Readonly<Record<(typeof TCP_COLUMNS)[number]["name"], Cell>>;

/** The cells of a conversation that is no TCP connection, or one that found no room. */
export const NO_TCP = Object.fromEntries(TCP_COLUMNS.map(({ name }) => [name, null])) as TcpRow;

/** Makes the cells of flows, one after another. */
export class TcpCells {
  readonly #analyzer: Analyzer;
  readonly #quality = createQuality();

  constructor(analyzer: Analyzer) {
    this.#analyzer = analyzer;
  }

  of(flow: number): TcpRow {
    const { flows, inspector } = this.#analyzer;
    const connection = connectionOf(flows, inspector, flow);
    if (connection < 0) {
      const application = inspector.applicationOfUdp(flows.link(flow), flows.protocolKey(flow));
      return application === null ? NO_TCP : { ...NO_TCP, application: application.name };
    }
    const health = readQuality(this.#quality, inspector.tcp, connection, flows.isBegunByB(flow));
    const { orig, reply } = health;
    return {
      application: inspector.applicationOf(connection)?.name ?? null,
      tcp_state: health.state,
      completeness: health.completeness,
      handshake_ms: toMs(health.handshakeUs),
      server_ms: toMs(health.serverHalfUs),
      rtt_ms: toMs(roundTripUs(health)),
      retransmissions: orig.retransmissions + reply.retransmissions,
      out_of_order: orig.outOfOrder + reply.outOfOrder,
      duplicate_acks: orig.duplicateAcks + reply.duplicateAcks,
      zero_windows: orig.zeroWindows + reply.zeroWindows,
      resets: orig.resets + reply.resets,
    };
  }
}

/** The sums of what can be summed. */
export function tcpTotal(sum: Readonly<TcpSum>): Readonly<Record<string, number>> {
  return {
    retransmissions: sum.retransmissions,
    out_of_order: sum.outOfOrder,
    duplicate_acks: sum.duplicateAcks,
    zero_windows: sum.zeroWindows,
    resets: sum.resets,
  };
}
