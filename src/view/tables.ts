/** Which tables a Snapshot has, and which of their columns a view has room for. A table says so itself. */
import type { Column, Snapshot, Table } from "../analyze/snapshot/snapshot.js";

/** Tables of what services ask of each other, in their order. */
export function requestTables({ tables }: Snapshot): readonly Table[] {
  return Object.values(tables).filter(({ subject }) => subject === "requests");
}

/**
 * The columns that matter enough to be shown by `priority`, in front those that say who a row is about. Of a table that does not say
 * what matters, all.
 */
export function columnsUpTo({ columns }: Table, priority: 1 | 2 | 3 | 4): readonly Column[] {
  if (columns.every((column) => column.priority === undefined)) return columns;
  const shown = columns.filter((column) => (column.priority ?? Number.POSITIVE_INFINITY) <= priority);
  return [
    ...shown.filter((column) => column.priority === 1),
    ...shown.filter((column) => column.priority !== 1),
  ];
}

/** The title where there is little room. */
export function shortTitle({ short, title }: Column): string {
  return short ?? title;
}
