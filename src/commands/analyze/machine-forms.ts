/** A Snapshot, or one table of it, in machine-readable formats. */
import type { ConnectionsSnapshot, Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { renderCsv } from "../../report/data/csv.js";
import { renderSnapshotJson, renderTableJson, renderTableNdjson } from "../../report/data/json.js";

type MachineFormat = "json" | "ndjson" | "csv";

/** `table`: only this one; null: the whole Snapshot, which has no CSV form. */
export function renderForm(
  format: MachineFormat,
  snapshot: Snapshot | ConnectionsSnapshot,
  table: Table | null,
): Iterable<string> {
  switch (format) {
    case "json":
      return table ? renderTableJson(table) : renderSnapshotJson(snapshot, true);
    case "ndjson":
      return table ? renderTableNdjson(table) : renderSnapshotJson(snapshot, false);
    case "csv":
      return renderCsv(table!);
  }
}
