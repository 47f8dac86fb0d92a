/** How well services talk: TCP health by pair, findings, and what they ask of each other by operation. */
import type { Finding, Row, Snapshot, Table, TableName } from "../analyze/snapshot.js";
import { numberOf } from "../view/cells.js";
import { missingHere, missingOf, missingText } from "../view/missing.js";
import { APPLICATION_TABLE_NAMES } from "../view/tables.js";
import type { Style } from "./cells.js";
import type { Grid, GridColumn, GridPart } from "./grid.js";
import { type Model, operationKey } from "./model.js";
import type { State } from "./state.js";

function tableOf(snapshot: Snapshot | null, name: string): Table | null {
  return (snapshot?.tables as Readonly<Partial<Record<string, Table>>> | undefined)?.[name] ?? null;
}

/** Columns of TCP health that a list shows, with shorter titles; the rest is in a row's detail. */
const TCP: readonly (readonly [name: string, title: string, wide?: 1])[] = [
  ["source", "Source"],
  ["destination", "Destination"],
  ["connections", "Conn"],
  ["handshake_p50_ms", "Handshake"],
  ["rtt_p50_ms", "RTT", 1],
  ["retransmissions", "Retr"],
  ["retransmission_ratio", "Of all", 1],
  ["out_of_order", "OoO"],
  ["duplicate_acks", "DupAck", 1],
  ["zero_windows", "0win"],
  ["resets", "RST"],
  ["refused", "Refused", 1],
  ["half_open", "Half open", 1],
];
/** Above 0 these are worth a look. */
const TROUBLE = new Set([
  "retransmissions",
  "zero_windows",
  "resets",
  "refused",
  "half_open",
  "errors",
  "unanswered",
]);

function styleOf(name: string): { style: (row: Row) => Style } | Record<string, never> {
  return TROUBLE.has(name) ? { style: (row) => (numberOf(row[name]) > 0 ? "warn" : "plain") } : {};
}

export function qualityGrid(model: Model, { parts }: State): Grid {
  const lists = [tcpGrid(model.snapshot), findingsGrid(model.snapshot)];
  return withParts(lists, parts.quality ?? 0, ["TCP", "Findings"]);
}

function tcpGrid(snapshot: Snapshot | null): Grid {
  const table = tableOf(snapshot, "tcp");
  const known = new Map((table?.columns ?? []).map((column) => [column.name, column]));
  const columns = TCP.flatMap(([name, title, wide]): GridColumn[] => {
    const column = known.get(name);
    return column ? [{ name, title, kind: column.kind, ...(wide ? { wide } : {}), ...styleOf(name) }] : [];
  });
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
    misses: snapshot === null ? [] : missingHere(snapshot, "tcp").map(missingText),
  };
}

const SEVERITY_STYLES: Readonly<Record<Finding["severity"], Style>> = {
  warning: "bad",
  notice: "warn",
  info: "plain",
};
const SEVERITIES = Object.keys(SEVERITY_STYLES) as readonly Finding["severity"][];

/** The gravest first. */
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
  const lists = APPLICATION_TABLE_NAMES.map((name) => applicationGrid(model, name));
  const busy = lists.findIndex(({ rows }) => rows.length > 0);
  return withParts(
    lists,
    parts.applications ?? Math.max(0, busy),
    lists.map(({ title }) => title),
  );
}

/** Columns that are always shown, some by a shorter title; what a protocol has beside them where there is room. */
const ASKED: ReadonlyMap<string, string | null> = new Map([
  ["source", null],
  ["destination", null],
  ["operation", null],
  ["requests", "Reqs"],
  ["errors", "Err"],
  ["p50_ms", null],
  ["p99_ms", null],
]);

function applicationGrid({ snapshot, operationRates }: Model, name: TableName): Grid {
  const table = tableOf(snapshot, name);
  const rateOf = (row: Row) => operationRates?.get(operationKey(name, row)) ?? null;
  const columns = (table?.columns ?? []).flatMap((column): GridColumn[] => {
    const { name, title } = column;
    const room = ASKED.has(name) ? {} : { wide: 1 };
    const shown = { ...column, title: ASKED.get(name) ?? title, ...room, ...styleOf(name) };
    if (column.name !== "requests") return [shown];
    return [shown, { name: "now", title: "Now", kind: "frequency", value: rateOf, ifAny: true, wide: 1 }];
  });
  const rows = [...(table?.rows ?? [])];
  const title = table?.title ?? name;
  return {
    title,
    one: `${title}: an operation`,
    columns,
    rows,
    all: rows.length,
    omitted: table?.omitted ?? 0,
    empty: snapshot === null ? "Nothing seen yet." : "None seen.",
    table,
    misses: snapshot === null ? [] : missedOf(snapshot, name),
  };
}

/** Its own, then what all tables of requests miss. */
function missedOf(snapshot: Snapshot, name: TableName): string[] {
  const shared = missingOf(snapshot, name).filter(({ scope }) => scope === "requests");
  return [...missingHere(snapshot, name), ...shared].map(missingText);
}

/** The chosen list, knowing of the others. Of a choice that is no longer there, the first. */
function withParts(lists: readonly Grid[], chosen: number, titles: readonly string[]): Grid {
  const parts = lists.map(({ rows }, i): GridPart => ({ title: titles[i]!, rows: rows.length }));
  const at = chosen < lists.length ? chosen : 0;
  return { ...lists[at]!, parts, part: at };
}

/** What is known of how two services get on, for the detail of their pair: whichever of them asks. */
export function pairLists({ snapshot }: Model, source: unknown, destination: unknown): Grid[] {
  return listsOf(
    snapshot,
    (row) =>
      (row.source === source && row.destination === destination) ||
      (row.source === destination && row.destination === source),
  );
}

/** What is asked of a service. */
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

/** Those of every protocol in one list. */
function operations(snapshot: Snapshot | null, belongs: (row: Row) => boolean): Grid {
  const tables = APPLICATION_TABLE_NAMES.flatMap((name) => tableOf(snapshot, name) ?? []);
  const rows = tables.flatMap(({ title, rows: of }) =>
    [...of].filter(belongs).map((row): Row => ({ ...row, protocol: title })),
  );
  const kinds = new Map(tables.flatMap(({ columns }) => columns.map((column) => [column.name, column.kind])));
  const shown = [
    ["protocol", "Protocol"],
    ["source", "Source"],
    ["destination", "Destination"],
    ["operation", "Operation"],
    ["requests", "Reqs"],
    ["errors", "Err"],
    ["p50_ms", "p50"],
    ["p95_ms", "p95", 1],
    ["p99_ms", "p99"],
  ] as const;
  return {
    title: "Operations",
    one: "Operation",
    columns: shown.map(
      ([name, title, wide = 0]): GridColumn => ({
        name,
        title,
        kind: kinds.get(name) ?? "text",
        wide,
        ...styleOf(name),
      }),
    ),
    rows: rows.sort((a, b) => numberOf(b.requests) - numberOf(a.requests)),
    all: rows.length,
    omitted: 0,
    empty: "",
    table: null,
  };
}
