/** Connection tracking as text for a terminal. */
import type { ConnectionsSnapshot } from "../../analyze/snapshot/snapshot.js";
import { formatCounted, formatInstant, visible } from "../../format.js";
import { renderFinding, renderTable, strong, type TextOptions } from "./text.js";

/** The summary: counts, findings, the first rows of each table. */
export function* renderConnections(snapshot: ConnectionsSnapshot, options: TextOptions): Iterable<string> {
  const { tables, time, findings, complete } = snapshot;
  const count = formatCounted(tables.connections.rows.length, "tracked connection");
  const when = time === null ? "" : ` at ${visible(formatInstant(time))} UTC`;
  yield `${strong(count, options)}${when}${complete ? "" : " · INCOMPLETE"}\n`;
  for (const finding of findings) yield* renderFinding(finding, options);
  for (const table of Object.values(tables)) {
    if (table.rows.length === 0 || table.top === 0) continue;
    yield "\n";
    yield* renderTable(table, options, table.top);
  }
}
