/** Limits the rows of a Snapshot: the cut rows are summed in each table's last row, `other`. */
import type { Cell, Row, Snapshot, Table, Tables } from "./snapshot.js";

/** The label of the row that sums what did not fit. */
export const OTHER = "other";

/** The same Snapshot with at most `limit` rows a table beside `other`, and the rows as arrays. Owns its data. */
export function limitSnapshot(snapshot: Snapshot, limit: number): Snapshot {
  const tables = Object.entries(snapshot.tables).map(([name, table]) => [name, limitTable(table, limit)]);
  return { ...snapshot, tables: Object.fromEntries(tables) as Tables };
}

/** The first `limit` rows and, where there are more, one for the rest. Reads no row beyond the limit. */
export function limitTable(table: Table, limit: number): Table {
  const listed = table.rows.length - (table.omitted > 0 ? 1 : 0);
  const kept: Row[] = [];
  for (const row of table.rows) {
    if (kept.length === Math.min(limit, listed)) break;
    kept.push(row);
  }
  const omitted = table.omitted + listed - kept.length;
  return { ...table, rows: omitted > 0 ? [...kept, restOf(table, kept)] : kept, omitted };
}

/** The row for everything not in `kept`: the total minus those. Its texts are `other`; cells without a sum are null. */
function restOf(table: Table, kept: readonly Row[]): Row {
  const rest: Record<string, Cell> = {};
  table.columns.forEach(({ name, kind }, i) => {
    const total = table.total[name];
    if (total === undefined) {
      rest[name] = i === 0 || name === "source" || name === "destination" ? OTHER : null;
      return;
    }
    const left = kept.reduce((sum, row) => sum - Number(row[name]), total);
    rest[name] = kind === "ratio" ? Math.max(0, Number(left.toFixed(12))) : left;
  });
  return rest;
}
