/** The quality lists: TCP quality by pair, findings, and requests by operation. */
import type { Column, Finding, Row, Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { numberOf } from "../../view/cells.js";
import { missingHere, missingOf, missingText } from "../../view/missing.js";
import { columnsUpTo, requestTables } from "../../view/tables.js";
import type { Style } from "../chrome/cells.js";
import { type Model, operationKey } from "../model.js";
import type { State } from "../state.js";
import { columnsOf, type Grid, type GridColumn, type GridPart, insertAfter } from "./grid.js";

/** Columns that are highlighted above 0. */
const TROUBLE = new Set([
  "retransmissions",
  "zero_windows",
  "resets",
  "refused",
  "half_open",
  "errors",
  "unanswered",
]);

/** Highlighting of a table's problems, by column. */
const MARKED: Readonly<Record<string, Partial<GridColumn>>> = Object.fromEntries(
  [...TROUBLE].map((name) => [
    name,
    { style: (row: Row): Style => (numberOf(row[name]) > 0 ? "warn" : "plain") },
  ]),
);

export function qualityGrid(model: Model, { parts }: State): Grid {
  const lists = [tcpGrid(model.snapshot), findingsGrid(model.snapshot)];
  return withParts(lists, parts.quality ?? 0, ["TCP", "Findings"]);
}

function tcpGrid(snapshot: Snapshot | null): Grid {
  const table = snapshot?.tables.tcp ?? null;
  const columns = columnsOf(table, MARKED);
  const rows = [...(table?.rows ?? [])];
  const empty = snapshot === null ? "Nothing seen yet." : "No TCP connection seen.";
  const omitted = table?.omitted ?? 0;
  return {
    title: "TCP",
    one: "TCP of a pair",
    columns,
    rows,
    all: rows.length,
    omitted,
    empty,
    table,
    misses: snapshot === null ? [] : missingHere(snapshot, snapshot.tables.tcp).map(missingText),
  };
}

const SEVERITY_STYLES: Readonly<Record<Finding["severity"], Style>> = {
  warning: "bad",
  notice: "warn",
  info: "plain",
};
const SEVERITIES = Object.keys(SEVERITY_STYLES) as readonly Finding["severity"][];

/** Most severe first. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return SEVERITIES.flatMap((severity) => findings.filter((of) => of.severity === severity));
}

export function findingStyle({ severity }: { readonly severity: Finding["severity"] }): Style {
  return SEVERITY_STYLES[severity];
}

function findingsGrid(snapshot: Snapshot | null): Grid {
  const rows = sortFindings(snapshot?.findings ?? []).map((finding): Row => ({ ...finding }));
  const style = ({ severity }: Row): Style => SEVERITY_STYLES[severity as Finding["severity"]] ?? "plain";
  return {
    title: "Findings",
    one: "Finding",
    columns: [
      { name: "severity", title: "Severity", kind: "text", style },
      { name: "text", title: "What", kind: "text", sentence: true },
    ],
    rows,
    all: rows.length,
    omitted: 0,
    empty: snapshot === null ? "Nothing seen yet." : "Nothing out of the ordinary.",
    table: null,
  };
}

export function applicationsGrid(model: Model, { parts }: State): Grid {
  const { snapshot } = model;
  if (snapshot === null) return NO_REQUESTS;
  const lists = requestTables(snapshot).map((table) => applicationGrid(model, snapshot, table));
  const busy = lists.findIndex(({ rows }) => rows.length > 0);
  return withParts(
    lists,
    parts.applications ?? Math.max(0, busy),
    lists.map(({ title }) => title),
  );
}

const NO_REQUESTS: Grid = {
  title: "Applications",
  one: "Operation",
  columns: [],
  rows: [],
  all: 0,
  omitted: 0,
  empty: "Nothing seen yet.",
  table: null,
};

function applicationGrid({ operationRates }: Model, snapshot: Snapshot, table: Table): Grid {
  const rateOf = (row: Row) => operationRates?.get(operationKey(table.name, row)) ?? null;
  const now: GridColumn = {
    name: "now",
    title: "Now",
    kind: "frequency",
    value: rateOf,
    ifAny: true,
    wide: 1,
  };
  const rows = [...table.rows];
  return {
    title: table.title,
    one: `${table.title}: an operation`,
    columns: insertAfter(columnsOf(table, MARKED), "requests", now),
    rows,
    all: rows.length,
    omitted: table.omitted,
    empty: "None seen.",
    table,
    misses: missedOf(snapshot, table),
  };
}

/** The table's own gaps, then those of all request tables. */
function missedOf(snapshot: Snapshot, table: Table): string[] {
  const shared = missingOf(snapshot, table).filter(({ scope }) => scope === "requests");
  return [...missingHere(snapshot, table), ...shared].map(missingText);
}

/** The chosen list, with links to the others; the first list if the chosen one no longer exists. */
function withParts(lists: readonly Grid[], chosen: number, titles: readonly string[]): Grid {
  const parts = lists.map(({ rows }, i): GridPart => ({ title: titles[i]!, rows: rows.length }));
  const at = chosen < lists.length ? chosen : 0;
  return { ...lists[at]!, parts, part: at };
}

/** Quality of the traffic between two services in both directions, for the detail of their pair. */
export function pairLists({ snapshot }: Model, source: unknown, destination: unknown): Grid[] {
  return listsOf(
    snapshot,
    (row) =>
      (row.source === source && row.destination === destination) ||
      (row.source === destination && row.destination === source),
  );
}

/** Requests to a service. */
export function serviceLists({ snapshot }: Model, service: unknown): Grid[] {
  return listsOf(snapshot, (row) => row.destination === service);
}

function listsOf(snapshot: Snapshot | null, belongs: (row: Row) => boolean): Grid[] {
  const tcp = tcpGrid(snapshot);
  const lists = [
    { ...tcp, title: "TCP health", rows: tcp.rows.filter(belongs) },
    operations(snapshot, belongs),
  ];
  return lists.filter(({ rows }) => rows.length > 0);
}

/** Those of every protocol in one list: the columns that all of them show. */
function operations(snapshot: Snapshot | null, belongs: (row: Row) => boolean): Grid {
  const tables = snapshot === null ? [] : requestTables(snapshot);
  const rows = tables.flatMap(({ title, rows: of }) =>
    [...of].filter(belongs).map((row): Row => ({ ...row, protocol: title })),
  );
  const [first = null, ...others] = tables;
  const isShared = ({ name }: Column) =>
    others.every(({ columns }) => columns.some((of) => of.name === name));
  const common = first && { ...first, columns: columnsUpTo(first, 3).filter(isShared) };
  return {
    title: "Operations",
    one: "Operation",
    columns: [
      { name: "protocol", title: "Protocol", kind: "text" },
      ...columnsOf(common, { ...MARKED, operation: { title: "Operation" } }),
    ],
    rows: rows.sort((a, b) => numberOf(b.requests) - numberOf(a.requests)),
    all: rows.length,
    omitted: 0,
    empty: "",
    table: null,
  };
}
