/** Metrics of polled state: connection tracking and health. */

import type { Cell, ConnectionsSnapshot, Row } from "../../analyze/snapshot/snapshot.js";
import { labelText } from "../../format.js";
import { distinct, type Labels, type Metric, type Reading } from "./metric.js";

/** The tables of connection tracking that have metrics. */
export interface ExposedConnections {
  readonly tables: Readonly<Pick<ConnectionsSnapshot["tables"], "services" | "states" | "limits">>;
}

/** How many conversations the wire, connection tracking or both saw, and why one of them did not. */
export interface ExposedEvidence {
  readonly verdict: string;
  readonly cause: string | null;
  readonly count: number;
}

/** The last check of one target. */
export interface ExposedHealth {
  readonly target: string;
  /** null: not checked yet. */
  readonly up: boolean | null;
  readonly seconds: number | null;
  /** Seconds of that in which netwatch itself was busy; null: unknown. */
  readonly ownSeconds: number | null;
}

/** Rows of a table that have samples; a bound, since a user can create many namespaces and states. */
const MAX_ROWS = 100;
const MAX_TARGETS = 100;

/** `ESTABLISHED` as `established`; no state is `none`. */
function word(cell: unknown): string {
  return cell === null || cell === "" ? "none" : labelText(String(cell)).toLowerCase();
}

/** The namespace netwatch runs in has no name. */
function netnsLabel(netns: unknown): string {
  return netns === null ? "" : labelText(String(netns));
}

function first(rows: Iterable<Row>, most: number): Row[] {
  const taken: Row[] = [];
  for (const row of rows) {
    if (taken.length >= most) break;
    taken.push(row);
  }
  return taken;
}

function numberIn(cell: Cell | undefined): number | null {
  return typeof cell === "number" ? cell : null;
}

/** Of each namespace. */
function ofLimits(
  type: "gauge" | "counter",
  what: string,
  help: string,
  value: (row: Row) => number | null,
): Metric<ExposedConnections> {
  const name = `netwatch_conntrack_${what}${type === "counter" ? "_total" : ""}`;
  const read = ({ tables }: ExposedConnections) =>
    first(tables.limits.rows, MAX_ROWS / 10).map(
      (row): Reading => [value(row), { netns: netnsLabel(row.netns) }],
    );
  return { type, name, help, read };
}

export const CONNTRACK_METRICS: readonly Metric<ExposedConnections>[] = [
  {
    type: "gauge",
    name: "netwatch_conntrack_entries",
    help: "Tracked connections by namespace, protocol and state.",
    read: ({ tables }) =>
      first(tables.states.rows, MAX_ROWS).map(({ netns, transport, state, connections }): Reading => {
        const labels = { netns: netnsLabel(netns), protocol: word(transport), state: word(state) };
        return [Number(connections), labels];
      }),
  },
  ofLimits("gauge", "entries_used", "Tracked connections of a namespace, in all states.", ({ entries }) =>
    numberIn(entries),
  ),
  ofLimits("gauge", "entries_limit", "Tracked connections there may be.", ({ limit }) => numberIn(limit)),
  ofLimits(
    "gauge",
    "accounting_enabled",
    "Whether new connections are counted in packets and bytes.",
    ({ accounting = null }) => (accounting === null ? null : Number(accounting === "on")),
  ),
  ofLimits(
    "counter",
    "resyncs",
    "Lists that changed while they were read, and were read again.",
    ({ resyncs }) => numberIn(resyncs),
  ),
  ofLimits("counter", "poll_failures", "Polls that gave nothing, or not all.", ({ failures }) =>
    numberIn(failures),
  ),
  ofLimits(
    "counter",
    "insert_failures",
    "Packets that raced for one entry, or found no room.",
    ({ insert_failed }) => numberIn(insert_failed),
  ),
  ofLimits("counter", "dropped_packets", "Packets dropped because no entry could be made.", ({ dropped }) =>
    numberIn(dropped),
  ),
  ofLimits("counter", "early_dropped_entries", "Entries thrown out to make room.", ({ early_dropped }) =>
    numberIn(early_dropped),
  ),
];

export const EVIDENCE_METRICS: readonly Metric<readonly ExposedEvidence[]>[] = [
  {
    type: "gauge",
    name: "netwatch_flow_evidence_conversations",
    help: "Conversations by who saw them (wire, connection tracking, both) and why one did not.",
    read: (evidence) =>
      evidence.map(
        ({ verdict, cause, count }): Reading => [count, { evidence: verdict, cause: cause ?? "none" }],
      ),
  },
];

const targetLabels = ({ target }: ExposedHealth): Labels => ({ target: labelText(target) });

function* ofTargets(
  targets: readonly ExposedHealth[],
  value: (target: ExposedHealth) => number | null,
): Iterable<Reading> {
  for (const target of distinct(targets, ({ target }) => labelText(target), MAX_TARGETS))
    yield [value(target), targetLabels(target)];
}

export const HEALTH_METRICS: readonly Metric<readonly ExposedHealth[]>[] = [
  {
    type: "gauge",
    name: "netwatch_health_up",
    help: "Whether the last check of a target went well.",
    read: (targets) => ofTargets(targets, ({ up }) => (up === null ? null : Number(up))),
  },
  {
    type: "gauge",
    name: "netwatch_health_check_duration_seconds",
    help: "Time that the last check of a target took.",
    read: (targets) => ofTargets(targets, ({ seconds }) => seconds),
  },
  {
    type: "gauge",
    name: "netwatch_health_own_delay_seconds",
    help: "How long netwatch was at work itself during a last check, at most: a target may have answered by so much earlier.",
    read(targets) {
      const delays = targets.flatMap(({ ownSeconds }) => ownSeconds ?? []);
      return [[delays.length === 0 ? null : Math.max(...delays)]];
    },
  },
];
