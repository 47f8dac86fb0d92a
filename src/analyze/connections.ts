/** Connection tracking of one or more namespaces at one moment, as tables, for `netwatch connections`. */

import type { ConntrackNamespace } from "../capture/conntrack/tracker.js";
import type { Names } from "../capture/names/names.js";
import { buildConntrackConnections } from "./conntrack/connections.js";
import { EndNames } from "./conntrack/ends.js";
import { buildEstablished } from "./conntrack/established.js";
import { findConntrackFindings } from "./conntrack/findings.js";
import { buildLimits } from "./conntrack/limits.js";
import { buildNat } from "./conntrack/nat.js";
import { buildConntrackServices, buildStates } from "./conntrack/services.js";
import type { ConnectionsSnapshot, Table } from "./snapshot/snapshot.js";
import { formatTime } from "./time.js";

export interface ConnectionsContext {
  readonly producer: string;
  /** Microseconds since 1970 of the poll, or null. */
  readonly timeUs: number | null;
  /** null: show addresses. */
  readonly names: Names | null;
}

/** Builds the Snapshot. Its tables read from the namespaces' tables: use them before the next poll. */
export function buildConnectionsSnapshot(
  namespaces: readonly ConntrackNamespace[],
  { producer, timeUs, names }: ConnectionsContext,
): ConnectionsSnapshot {
  const ends = new EndNames(names);
  const placed = (table: Table) => (namespaces.length > 1 ? withNamespace(table) : table);
  return {
    format: "netwatch-connections",
    version: 1,
    producer,
    time: timeUs === null ? null : formatTime(timeUs),
    named: names !== null,
    complete: namespaces.every(
      ({ problem, odd, entries }) => problem === null && odd === 0 && entries.omitted === 0,
    ),
    findings: findConntrackFindings(namespaces, timeUs !== null),
    tables: {
      services: placed(buildConntrackServices(namespaces, ends)),
      states: placed(buildStates(namespaces)),
      nat: placed(buildNat(namespaces, ends)),
      established: placed(buildEstablished(namespaces, ends)),
      limits: placed(buildLimits(namespaces)),
      connections: placed(buildConntrackConnections(namespaces, ends)),
    },
  };
}

/** With several namespaces every table has a column for the namespace. */
function withNamespace(table: Table): Table {
  const columns = table.columns.map((column) =>
    column.name === "netns" ? { ...column, priority: 1 as const } : column,
  );
  return { ...table, columns };
}
