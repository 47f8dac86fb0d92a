/** Reports what tables miss, for formats that have no room for text. */
import type { Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { describeMissing, listMissing, missingOf } from "../../view/missing.js";
import type { Terminal } from "../terminal.js";

/** Goes to stderr, so that stdout has only rows. */
export function sayMissing(snapshot: Snapshot, table: Table, terminal: Terminal): void {
  const missing = describeMissing(missingOf(snapshot, table));
  if (missing !== "") terminal.say(`${table.name}: ${missing}`);
}

/** What the other files of a folder miss: one row per table and reason; no row if nothing is known to be missing. */
export function missingTable(snapshot: Snapshot): Table {
  return {
    name: "missing",
    title: "What the tables miss",
    columns: [
      { name: "table", title: "Table", kind: "text" },
      { name: "reason", title: "Reason", kind: "text" },
      { name: "count", title: "Count", kind: "count" },
    ],
    rows: listMissing(snapshot).map((missing) => ({ ...missing })),
    total: {},
    omitted: 0,
  };
}
