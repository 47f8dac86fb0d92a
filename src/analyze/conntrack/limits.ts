/** How full each namespace's table is, what it is set to do, and what went wrong. */

import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import { createTable } from "../tables/table.js";

const COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "entries", title: "Entries", kind: "count", priority: 2 },
  { name: "limit", title: "Limit", kind: "count", priority: 2 },
  { name: "use", title: "Use", kind: "ratio", priority: 2 },
  { name: "accounting", title: "Accounting", kind: "text", priority: 2 },
  { name: "bridged", title: "Bridged traffic", kind: "text", priority: 2 },
  { name: "insert_failed", title: "Insert failed", kind: "count" },
  { name: "dropped", title: "Dropped", kind: "count" },
  { name: "early_dropped", title: "Early dropped", kind: "count" },
  { name: "resyncs", title: "Resyncs", kind: "count" },
  { name: "failures", title: "Polls failed", kind: "count", priority: 2 },
];

/** One row a namespace, in the order given. */
export function buildLimits(namespaces: readonly ConntrackNamespace[]): Table {
  const rows = namespaces.map(rowOf);
  const total: Record<string, number> = {};
  // Of what is not known of one, the sum is not known.
  for (const name of ["entries", "insert_failed", "dropped", "early_dropped", "resyncs", "failures"])
    if (rows.every((row) => row[name] !== null))
      total[name] = rows.reduce((sum, row) => sum + Number(row[name]), 0);
  return createTable({
    name: "limits",
    title: "Connection tracking",
    subject: "tracking",
    top: 20,
    columns: COLUMNS,
    length: rows.length,
    rowAt: (i) => rows[i]!,
    other: null,
    omitted: 0,
    total,
  });
}

function rowOf({ netns, entries, isUnknown, facts, resyncs, failures }: ConntrackNamespace): Row {
  const trouble = facts?.failures ?? null;
  return {
    netns,
    entries: isUnknown ? null : entries.count + entries.omitted,
    limit: facts?.limit ?? null,
    use: facts && facts.limit > 0 ? facts.count / facts.limit : null,
    accounting: facts ? onOff(facts.accounting) : null,
    bridged: facts ? bridged(facts.bridgeIpv4, facts.bridgeIpv6) : null,
    insert_failed: trouble?.insertFailed ?? null,
    dropped: trouble?.dropped ?? null,
    early_dropped: trouble?.earlyDropped ?? null,
    resyncs,
    failures,
  };
}

function onOff(on: boolean): string {
  return on ? "on" : "off";
}

/** Whether bridged packets are tracked (br_netfilter). */
function bridged(ipv4: boolean | null, ipv6: boolean | null): string {
  if (ipv4 === ipv6 || ipv6 === null) return ipv4 ? "tracked" : "not tracked";
  return ipv4 ? "IPv4 tracked" : "IPv6 tracked";
}
