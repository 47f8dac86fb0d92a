/** The gaps of each table, by reason, for every output. */
import type { Snapshot, Table } from "../analyze/snapshot/snapshot.js";
import { formatCount } from "../format.js";
import { captureLosses, describeTunnels, describeUnknown, tunnelText } from "./completeness.js";

/** How often something is missing from a table, and why. The reason is singular: it follows `2 ×`. */
export interface Missing {
  readonly reason: string;
  /** null: not known. */
  readonly count: number | null;
  /** Its scope: the whole capture, all tables of requests (which one is unknown), or this table. */
  readonly scope: "capture" | "requests" | "table";
}

/** One that a file beside the tables lists. */
export interface MissingOfTable extends Omit<Missing, "scope"> {
  readonly table: string;
}

/** Counts what is not IP, too, and every conversation. */
const PROTOCOLS = "protocols";
/** The ledger's key for gaps before the protocol was known. */
export const UNKNOWN_APPLICATION = "tcp";
/** A connection beyond the limit. If it continues it is added again, and may be evicted again. */
export const CONNECTION_SUMMED = "connection or part of one summed as other";

/** All known gaps of a table. Empty: none. */
export function missingOf(snapshot: Snapshot, table: Table): Missing[] {
  const { evicted, inspection } = snapshot.ledger;
  const { name, subject, tells_of: told = [] } = table;
  const isOfRequests = subject === "requests";
  const all = [...missingOfCapture(snapshot, table), ...(isOfRequests ? missingOfRequests(snapshot) : [])];
  const add = (reason: string, count: number | null, scope: Missing["scope"] = "table") =>
    all.push({ reason, count, scope });
  if (subject === "traffic" && name !== PROTOCOLS)
    add("conversation or part of one summed as other", evicted?.conversations ?? null, "capture");
  if (subject === "tcp") add(CONNECTION_SUMMED, inspection?.connections ?? null);
  if (isOfRequests)
    for (const { application, reason, count } of inspection?.missed ?? [])
      if (application === name) add(reason, count);
      else if (told.includes(application)) add(`${reason}, of ${application}`, count);
  return all.filter(({ count }) => count !== 0);
}

/** The table's own gaps, shown below it; common gaps are shown above all tables. */
export function missingHere(snapshot: Snapshot, table: Table): Missing[] {
  return missingOf(snapshot, table).filter(({ scope }) => scope === "table");
}

/** The gaps of all tables, table by table. */
export function listMissing(snapshot: Snapshot): MissingOfTable[] {
  return Object.values(snapshot.tables).flatMap((table) =>
    missingOf(snapshot, table).map(({ reason, count }) => ({ table: table.name, reason, count })),
  );
}

/** Tables of which something is known to be missing that is said below them. */
export function tablesThatMiss(snapshot: Snapshot): Table[] {
  return Object.values(snapshot.tables).filter((table) => missingHere(snapshot, table).some(isKnown));
}

/** Whether something is missing for sure. */
export function isKnown({ count }: Pick<Missing, "count">): boolean {
  return count !== null;
}

function missingOfCapture({ ledger }: Snapshot, table: Table): Missing[] {
  const sums = new Map<string, number>();
  const add = (reason: string, count: number) => sums.set(reason, (sums.get(reason) ?? 0) + count);
  for (const { reason, count } of captureLosses(ledger)) add(reason, count);
  if (table.name !== PROTOCOLS) {
    for (const { packets } of ledger.malformed) add("malformed packet", packets);
    for (const tunnel of ledger.tunnels ?? []) add(`packet inside ${tunnelText(tunnel)}`, tunnel.packets);
  }
  return [...sums].map(([reason, count]) => ({ reason, count, scope: "capture" }));
}

/** The common gaps of all tables of requests: connections of unknown protocol. */
export function missingOfRequests({ ledger }: Snapshot): Missing[] {
  if (ledger.inspection === null)
    return [{ reason: "request that was not followed", count: null, scope: "requests" }];
  const { missed, gaps, unfollowed, operations } = ledger.inspection;
  const unknown = missed?.filter(({ application }) => application === UNKNOWN_APPLICATION) ?? [
    // A Snapshot of a version without reasons.
    { reason: "gap in the capture", count: gaps },
    { reason: "connection without room", count: unfollowed },
    { reason: "operation without room", count: operations },
  ];
  return unknown
    .map(
      ({ reason, count }): Missing => ({
        reason: `${reason}, of no known protocol`,
        count,
        scope: "requests",
      }),
    )
    .filter(({ count }) => count !== 0);
}

/** `2 × gap in the capture`, or `not known how many × gap in the capture`. */
export function missingText({ reason, count }: Pick<Missing, "reason" | "count">): string {
  return `${count === null ? "not known how many" : formatCount(count)} × ${reason}`;
}

/** `Missing: 2 × gap in the capture, 1 × unreadable message.` Empty where nothing is known to be missing. */
export function describeMissing(missing: readonly Missing[]): string {
  return missing.length === 0 ? "" : `Missing: ${missing.map(missingText).join(", ")}.`;
}

/** Of a form that has no place for how complete the capture is. Empty where nothing is known to be missing. */
export function describeIncompleteness(snapshot: Snapshot): string {
  const losses = captureLosses(snapshot.ledger).map(({ phrase }) => phrase);
  return [
    ...(losses.length > 0 ? [`Incomplete: ${losses.join("; ")}. The true numbers are larger.`] : []),
    ...[
      describeTunnels(snapshot.ledger),
      describeRequests(snapshot),
      describeUnknown(snapshot.ledger),
    ].filter((sentence) => sentence !== ""),
  ].join(" ");
}

/** The gaps that no single table of requests has. Empty where nothing is known to be missing. */
export function describeRequests(snapshot: Snapshot): string {
  const missing = missingOfRequests(snapshot).filter(isKnown);
  return missing.length === 0 ? "" : `Missing of requests: ${missing.map(missingText).join(", ")}.`;
}
