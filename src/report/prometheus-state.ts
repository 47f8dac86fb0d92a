/** Metrics of what is polled beside the packets: connection tracking and health. */
import type { ConnectionsSnapshot, Row } from "../analyze/snapshot.js";
import { Family, labelText } from "./prometheus-family.js";

/** The tables of connection tracking that have metrics. */
export interface ExposedConnections {
  readonly tables: Readonly<Pick<ConnectionsSnapshot["tables"], "services" | "states" | "limits">>;
}

/** How many conversations the wire, connection tracking or both saw, and why one did not. */
export interface ExposedEvidence {
  readonly verdict: string;
  readonly cause: string | null;
  readonly count: number;
}

/** What a check of one target last said. */
export interface ExposedHealth {
  readonly target: string;
  /** null: not checked yet. */
  readonly up: boolean | null;
  readonly seconds: number | null;
}

/** Rows of a table that have samples; namespaces and states are few unless somebody makes them many. */
const MAX_ROWS = 100;
const MAX_TARGETS = 100;

export function conntrackFamilies({ tables }: ExposedConnections): Family[] {
  return [entriesFamily(tables.states.rows), ...limitFamilies(tables.limits.rows)];
}

function entriesFamily(rows: Iterable<Row>): Family {
  const family = new Family(
    "gauge",
    "netwatch_conntrack_entries",
    "Tracked connections by namespace, protocol and state.",
  );
  for (const { netns, transport, state, connections } of rows) {
    if (family.size >= MAX_ROWS) break;
    const labels = { netns: netnsLabel(netns), protocol: word(transport), state: word(state) };
    family.add(Number(connections), labels);
  }
  return family;
}

/** `ESTABLISHED` as `established`; no state is `none`. */
function word(cell: unknown): string {
  return cell === null || cell === "" ? "none" : labelText(String(cell)).toLowerCase();
}

/** The namespace netwatch runs in has no name. */
function netnsLabel(netns: unknown): string {
  return netns === null ? "" : labelText(String(netns));
}

function limitFamilies(rows: Iterable<Row>): Family[] {
  const gauge = (what: string, help: string) => new Family("gauge", `netwatch_conntrack_${what}`, help);
  const counter = (what: string, help: string) =>
    new Family("counter", `netwatch_conntrack_${what}_total`, help);
  const used = gauge("entries_used", "Tracked connections of a namespace, in all states.");
  const limit = gauge("entries_limit", "Tracked connections there may be.");
  const accounting = gauge("accounting_enabled", "Whether new connections are counted in packets and bytes.");
  const resyncs = counter("resyncs", "Lists that changed while they were read, and were read again.");
  const failures = counter("poll_failures", "Polls that gave nothing, or not all.");
  const insert = counter("insert_failures", "Packets that raced for one entry, or found no room.");
  const dropped = counter("dropped_packets", "Packets dropped because no entry could be made.");
  const early = counter("early_dropped_entries", "Entries thrown out to make room.");
  for (const row of rows) {
    if (used.size >= MAX_ROWS / 10) break;
    const labels = { netns: netnsLabel(row.netns) };
    used.add(numberIn(row.entries), labels);
    limit.add(numberIn(row.limit), labels);
    accounting.add(row.accounting === null ? null : row.accounting === "on" ? 1 : 0, labels);
    resyncs.add(numberIn(row.resyncs), labels);
    failures.add(numberIn(row.failures), labels);
    insert.add(numberIn(row.insert_failed), labels);
    dropped.add(numberIn(row.dropped), labels);
    early.add(numberIn(row.early_dropped), labels);
  }
  return [used, limit, accounting, resyncs, failures, insert, dropped, early];
}

function numberIn(cell: unknown): number | null {
  return typeof cell === "number" ? cell : null;
}

export function evidenceFamilies(evidence: readonly ExposedEvidence[]): Family[] {
  const family = new Family(
    "gauge",
    "netwatch_flow_evidence_conversations",
    "Conversations by who saw them (wire, connection tracking, both) and why one did not.",
  );
  for (const { verdict, cause, count } of evidence)
    family.add(count, { evidence: verdict, cause: cause ?? "none" });
  return [family];
}

export function healthFamilies(targets: readonly ExposedHealth[]): Family[] {
  const up = new Family("gauge", "netwatch_health_up", "Whether the last check of a target went well.");
  const duration = new Family(
    "gauge",
    "netwatch_health_check_duration_seconds",
    "Time that the last check of a target took.",
  );
  const seen = new Set<string>();
  for (const { target, ...health } of targets.slice(0, MAX_TARGETS)) {
    const labels = { target: labelText(target) };
    if (seen.has(labels.target)) continue;
    seen.add(labels.target);
    up.add(health.up === null ? null : Number(health.up), labels);
    duration.add(health.seconds, labels);
  }
  return [up, duration];
}
