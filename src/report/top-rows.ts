/** The head of a table, and what is left out of it. */
import type { Row, Table } from "../analyze/snapshot.js";
import { numberOf } from "../view/cells.js";

export interface TopRows {
  readonly rows: readonly Row[];
  /** Rows left out, and their sums. */
  readonly more: number;
  readonly packets: number;
  readonly bytes: number;
}

/** Number of rows that stand for themselves. */
export function countListed(table: Table): number {
  return table.rows.length - (table.omitted > 0 ? 1 : 0);
}

/** The first `n` rows; the rest only counted, and summed from the table's totals, both directions where a row has two. */
export function takeTop(table: Table, n: number): TopRows {
  const rows: Row[] = [];
  const listed = countListed(table);
  for (const row of table.rows) {
    if (rows.length >= Math.min(n, listed)) break;
    rows.push(row);
  }
  const rest = (column: string) =>
    rows.reduce((sum, row) => sum - numberOf(row[column]), table.total[column] ?? 0);
  return {
    rows,
    more: listed - rows.length + table.omitted,
    packets: rest("packets") + rest("reply_packets"),
    bytes: rest("bytes") + rest("reply_bytes"),
  };
}
