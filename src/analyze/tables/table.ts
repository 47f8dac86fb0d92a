/** Shared by all tables: rows made when they are read, sums, order. */
import type { Analyzer } from "../analyzer.js";
import { ProtocolSlot } from "../core/layout.js";
import type { Departed } from "../flow/flows.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";

/** A table before its rows are made. */
export interface TableSource {
  readonly name: string;
  readonly title: string;
  readonly subject: Table["subject"];
  /** Rows that a summary shows. */
  readonly top: number;
  readonly tellsOf?: readonly string[];
  readonly columns: readonly Column[];
  /** Rows beside `other`. */
  readonly length: number;
  /** Makes row `i`, at every reading of the table. */
  readonly rowAt: (i: number) => Row;
  /** The row `other`, or null. */
  readonly other: Row | null;
  /** Number of rows that did not fit. */
  readonly omitted: number;
  /** Sum of all rows, `other` included. */
  readonly total: Readonly<Record<string, number>>;
}

/** A table whose rows are made one by one, whenever they are read. */
export function createTable(source: TableSource): Table {
  const { name, title, subject, top, tellsOf = [], columns, length, rowAt, other, omitted, total } = source;
  const rows = {
    length: length + (other ? 1 : 0),
    *[Symbol.iterator]() {
      for (let i = 0; i < length; i++) yield rowAt(i);
      if (other) yield other;
    },
  };
  return {
    name,
    title,
    subject,
    top,
    ...(tellsOf.length > 0 ? { tells_of: [...tellsOf] } : {}),
    columns: [...columns],
    rows,
    total,
    omitted,
  };
}

/** The part of all bytes, 0 to 1, in millionths. */
export function share(bytes: number, analyzer: Analyzer): number {
  return analyzer.bytes === 0 ? 0 : Math.round((bytes / analyzer.bytes) * 1e6) / 1e6;
}

/** Packets and bytes of all IP packets: what a table of flows adds up to. */
export function flowTotal({ packets, bytes, protocols }: Analyzer): { packets: number; bytes: number } {
  const [arp, other] = [ProtocolSlot.arp * 2, ProtocolSlot.other * 2];
  return {
    packets: packets - protocols[arp]! - protocols[other]!,
    bytes: bytes - protocols[arp + 1]! - protocols[other + 1]!,
  };
}

/** Packets and bytes of the flows that have left, both directions. */
export function departedTotal(departed: Departed): { packets: number; bytes: number } {
  return { packets: departed.packets + departed.replyPackets, bytes: departed.bytes + departed.replyBytes };
}

/** Milliseconds of microseconds, to the microsecond; null stays null. */
export function toMs(us: number | null): number | null {
  return us === null ? null : Math.round(us) / 1000;
}
