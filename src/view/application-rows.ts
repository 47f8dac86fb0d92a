/** Requests between services, of any protocol: the rows of all application tables. */
import type { Row, Snapshot, Table } from "../analyze/snapshot/snapshot.js";
import { requestTables } from "./tables.js";
import { countListed } from "./top-rows.js";

/** The tables that have a row. */
export function applicationTables(snapshot: Snapshot): readonly Table[] {
  return requestTables(snapshot).filter(({ rows }) => rows.length > 0);
}

/** The `n` rows of all application tables with the largest `weight`, without those of weight 0. Of equal ones the first. */
export function heaviestOperations(
  snapshot: Snapshot,
  n: number,
  weight: (row: Row) => number,
): readonly Row[] {
  const rows = applicationTables(snapshot).flatMap((table) => {
    const listed = countListed(table);
    return [...table.rows].slice(0, listed);
  });
  return rows
    .filter((row) => weight(row) > 0)
    .sort((x, y) => weight(y) - weight(x))
    .slice(0, n);
}
