/** What connection tracking says of one or more namespaces at one moment, as tables: the value that `netwatch connections` shows. */

import type { TrackedNamespace } from "../capture/conntrack/tracker.js";
import type { Names } from "../capture/names/names.js";
import type { ConnectionsSnapshot, Table } from "./snapshot/snapshot.js";
import { formatTime } from "./time.js";
import { buildTracked } from "./tracking/connections.js";
import { EndNames } from "./tracking/ends.js";
import { buildEstablished } from "./tracking/established.js";
import { findTrackingFindings } from "./tracking/findings.js";
import { buildLimits } from "./tracking/limits.js";
import { buildNat } from "./tracking/nat.js";
import { buildStates, buildTrackedServices } from "./tracking/services.js";

export interface ConnectionsContext {
  readonly producer: string;
  /** Microseconds since 1970 of the poll, or null. */
  readonly timeUs: number | null;
  /** null: show addresses. */
  readonly names: Names | null;
}

/** Builds the Snapshot. Its tables read from the namespaces' tables: use them before the next poll. */
export function buildConnectionsSnapshot(
  namespaces: readonly TrackedNamespace[],
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
    findings: findTrackingFindings(namespaces, timeUs !== null),
    tables: {
      services: placed(buildTrackedServices(namespaces, ends)),
      states: placed(buildStates(namespaces)),
      nat: placed(buildNat(namespaces, ends)),
      established: placed(buildEstablished(namespaces, ends)),
      limits: placed(buildLimits(namespaces)),
      connections: placed(buildTracked(namespaces, ends)),
    },
  };
}

/** Where there are several, every list says which namespace a row is of. */
function withNamespace(table: Table): Table {
  const columns = table.columns.map((column) =>
    column.name === "netns" ? { ...column, priority: 1 as const } : column,
  );
  return { ...table, columns };
}
