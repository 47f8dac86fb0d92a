/** The first rows of a table, and the rest. */
import type { Column, Row, Table } from "../analyze/snapshot/snapshot.js";
import { formatCount } from "../format.js";
import { AT_LEAST, isAtLeast, isUnknown, numberOf, sumOf, UNKNOWN } from "./cells.js";

export interface TopRows {
  readonly rows: readonly Row[];
  /** Rows left out, and their sums. */
  readonly more: number;
  /** null: the table does not sum them. */
  readonly packets: number | null;
  readonly bytes: number | null;
}

/** Number of rows without `other`. */
export function countListed(table: Table): number {
  return table.rows.length - (table.omitted > 0 ? 1 : 0);
}

/** The first `n` rows; the rest is counted, and summed from the table's totals, both directions if a row has two. */
export function takeTop(table: Table, n: number): TopRows {
  const rows: Row[] = [];
  const listed = countListed(table);
  for (const row of table.rows) {
    if (rows.length >= Math.min(n, listed)) break;
    rows.push(row);
  }
  return {
    rows,
    more: listed - rows.length + table.omitted,
    packets: sumOf(restOf(table, rows, "packets"), restOf(table, rows, "reply_packets")),
    bytes: sumOf(restOf(table, rows, "bytes"), restOf(table, rows, "reply_bytes")),
  };
}

/** A column's sum without the first rows; null: the table has no such sum. */
function restOf(table: Table, head: readonly Row[], column: string): number | null {
  const total = table.total[column];
  return total === undefined ? null : head.reduce((sum, row) => sum - numberOf(row[column]), total);
}

/** The same for counts, as text: unknown if a row's count is unknown, a lower bound if answers of a row were not seen. */
export function showRest(table: Table, head: readonly Row[], column: Column): string {
  const rest = restOf(table, head, column.name);
  let misses = false;
  let i = 0;
  for (const row of table.rows)
    if (i++ >= head.length) misses ||= isUnknown(column, row) || isAtLeast(column, row);
  if (rest === null || (rest === 0 && misses)) return UNKNOWN;
  return misses ? `${AT_LEAST}${formatCount(rest)}` : formatCount(rest);
}
