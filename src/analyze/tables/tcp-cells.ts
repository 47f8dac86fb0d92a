/** What the table of conversations says of TCP and of the protocol over it. */
import type { Analyzer } from "../analyzer.js";
import type { ApplicationName } from "../app/application.js";
import type { Column, Row } from "../snapshot.js";
import { createHealth, readHealth } from "../tcp/health.js";
import { connectionOf, roundTripUs, toMs } from "./tcp.js";

export const TCP_COLUMNS: readonly Column[] = [
  { name: "application", title: "Application", kind: "text" },
  { name: "tcp_state", title: "State", kind: "text" },
  { name: "completeness", title: "Completeness", kind: "code" },
  { name: "handshake_ms", title: "Handshake", kind: "milliseconds" },
  { name: "server_ms", title: "Handshake, server's part", kind: "milliseconds" },
  { name: "rtt_ms", title: "Round trip", kind: "milliseconds" },
  { name: "retransmissions", title: "Retransmissions", kind: "count" },
  { name: "out_of_order", title: "Out of order", kind: "count" },
  { name: "duplicate_acks", title: "Duplicate ACKs", kind: "count" },
  { name: "zero_windows", title: "Zero windows", kind: "count" },
  { name: "resets", title: "Resets", kind: "count" },
];

/** The columns that are summed. */
const SUMMED = TCP_COLUMNS.filter(({ kind }) => kind === "count").map(({ name }) => name);

/** The cells of a conversation that is no TCP connection, or one that found no room. */
export const NO_TCP: Row = Object.fromEntries(TCP_COLUMNS.map(({ name }) => [name, null]));

const DNS: Row = { ...NO_TCP, application: "dns" satisfies ApplicationName };

/** Makes the cells of flows, one after another. */
export class TcpCells {
  readonly #analyzer: Analyzer;
  readonly #health = createHealth();

  constructor(analyzer: Analyzer) {
    this.#analyzer = analyzer;
  }

  of(flow: number): Row {
    const { flows, inspector } = this.#analyzer;
    const connection = connectionOf(flows, inspector, flow);
    if (connection < 0) return inspector.isDns(flows.link(flow), flows.protocolKey(flow)) ? DNS : NO_TCP;
    const health = readHealth(this.#health, inspector.tcp, connection, flows.isBegunByB(flow));
    const { orig, reply } = health;
    return {
      application: inspector.applicationOf(connection),
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

  /** Sums over all flows of what can be summed. */
  total(): Readonly<Record<string, number>> {
    const total: Record<string, number> = Object.fromEntries(SUMMED.map((name) => [name, 0]));
    for (let flow = 0; flow < this.#analyzer.flows.count; flow++) {
      const cells = this.of(flow);
      for (const name of SUMMED) total[name] = total[name]! + Number(cells[name]);
    }
    return total;
  }
}
