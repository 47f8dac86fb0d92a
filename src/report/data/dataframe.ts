/** A Table as a DataFrame of danfo.js, for notebooks. The module is handed in: netwatch itself never loads it. */
import type { Cell, Table } from "../../analyze/snapshot/snapshot.js";

/** What is needed of danfo.js (or of anything that agrees with it): `import * as danfo from "danfojs"`. */
export interface DanfoModule<Frame> {
  readonly DataFrame: new (columns: Record<string, Cell[]>) => Frame;
}

/** The table's rows, column by column under the names of CSV. Numbers stay numbers; what is not known is null. */
export function toDataFrame<Frame>(danfo: DanfoModule<Frame>, table: Table): Frame {
  const columns = new Map<string, Cell[]>(table.columns.map(({ name }) => [name, []]));
  for (const row of table.rows) for (const [name, cells] of columns) cells.push(row[name] ?? null);
  return new danfo.DataFrame(Object.fromEntries(columns));
}
