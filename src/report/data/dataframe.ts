/** A Table as a DataFrame of danfo.js, for notebooks. The caller passes the module: netwatch never loads it. */
import type { Cell, Table } from "../../analyze/snapshot/snapshot.js";

/** The required part of danfo.js (or a compatible module): `import * as danfo from "danfojs"`. */
export interface DanfoModule<Frame> {
  readonly DataFrame: new (columns: Record<string, Cell[]>) => Frame;
}

/** The table's rows, column by column under the names of CSV. Numbers stay numbers; unknown values are null. */
export function toDataFrame<Frame>(danfo: DanfoModule<Frame>, table: Table): Frame {
  const columns = new Map<string, Cell[]>(table.columns.map(({ name }) => [name, []]));
  for (const row of table.rows) for (const [name, cells] of columns) cells.push(row[name] ?? null);
  return new danfo.DataFrame(Object.fromEntries(columns));
}
