/** Connection tracking as text for a terminal. */
import type { ConnectionsSnapshot, TrackingTableName } from "../analyze/snapshot.js";
import { formatCell, formatCounted, formatInstant } from "../format.js";
import { endpoint } from "../view/cells.js";
import { renderFinding, renderTable, strong, type TextColumn, type TextOptions } from "./text.js";

/** Rows a table shows in the summary; the table of single connections is shown when asked for. */
const SUMMARY_ROWS: Readonly<Record<TrackingTableName, number>> = {
  services: 15,
  states: 10,
  nat: 10,
  established: 10,
  limits: 20,
  connections: 0,
};

const end = (title: string, name: string, port: string): TextColumn => ({
  title,
  kind: "text",
  text: (row) => endpoint(row[name], row[port]),
});
const PROTOCOL: TextColumn = {
  title: "Proto",
  kind: "text",
  text: (row) => formatCell("text", row.transport),
};

/** What is shown of each table: no wider than a line. The namespace stands in front where there are several. */
const SHOWN: Readonly<Record<TrackingTableName, readonly (string | TextColumn)[]>> = {
  services: [PROTOCOL, "source", end("Destination", "destination", "port"), "state", "connections", "bytes"],
  states: [PROTOCOL, "state", "connections"],
  nat: [
    "nat",
    "source",
    "seen_as",
    end("Destination", "destination", "destination_port"),
    end("Answered by", "server", "server_port"),
    "connections",
  ],
  established: ["service", "role", "port", "peer", "connections"],
  limits: ["entries", "limit", "use", "accounting", "bridged", "failures"],
  connections: [
    PROTOCOL,
    "state",
    end("Source", "source", "source_port"),
    end("Destination", "destination", "destination_port"),
    end("Answered by", "server", "server_port"),
    "bytes",
    "timeout",
  ],
};

/** The summary: how much is tracked, findings, the head of each table that has rows. */
export function* renderConnections(snapshot: ConnectionsSnapshot, options: TextOptions): Iterable<string> {
  const { tables, time, findings, complete } = snapshot;
  const count = formatCounted(tables.connections.rows.length, "tracked connection");
  const when = time === null ? "" : ` at ${formatInstant(time)} UTC`;
  yield `${strong(count, options)}${when}${complete ? "" : " · INCOMPLETE"}\n`;
  for (const finding of findings) yield* renderFinding(finding, options);
  for (const name of ["services", "states", "nat", "established", "limits"] as const) {
    if (tables[name].rows.length === 0) continue;
    yield "\n";
    yield* renderTrackingTable(snapshot, name, options, SUMMARY_ROWS[name]);
  }
}

/** One table with its title. */
export function* renderTrackingTable(
  { tables }: ConnectionsSnapshot,
  name: TrackingTableName,
  options: TextOptions,
  limit = Number.POSITIVE_INFINITY,
): Iterable<string> {
  const several = tables.limits.rows.length > 1;
  yield* renderTable(tables[name], options, limit, several ? ["netns", ...SHOWN[name]] : SHOWN[name]);
}
