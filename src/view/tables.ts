/** The tables of a Snapshot, and the columns that fit a view. Tables describe themselves. */
import type { Column, Snapshot, Table } from "../analyze/snapshot/snapshot.js";

/** The tables of requests, in order. */
export function requestTables({ tables }: Snapshot): readonly Table[] {
  return Object.values(tables).filter(({ subject }) => subject === "requests");
}

/**
 * The columns to show by `priority`, first those that identify a row. If a table has no
 * priorities, all.
 */
export function columnsUpTo({ columns }: Table, priority: 1 | 2 | 3 | 4): readonly Column[] {
  if (columns.every((column) => column.priority === undefined)) return columns;
  const shown = columns.filter((column) => (column.priority ?? Number.POSITIVE_INFINITY) <= priority);
  return [
    ...shown.filter((column) => column.priority === 1),
    ...shown.filter((column) => column.priority !== 1),
  ];
}

/** The short title. */
export function shortTitle({ short, title }: Column): string {
  return short ?? title;
}
