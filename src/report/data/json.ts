/** A Snapshot or a Table as JSON, piece by piece: a table of a million rows is never held as text. */
import type { Column, ConnectionsSnapshot, Row, Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { safeJson } from "../../format.js";

/** Text that stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** What stands in a row before each cell: brace or comma, and the column's name. */
function cellHeads(columns: readonly Column[]): { name: string; head: string }[] {
  return columns.map(({ name }, i) => ({ name, head: `${i === 0 ? "{" : ","}${safeJson(name)}:` }));
}

/** A row, its cells in the order of the columns. Written by hand: a big capture has rows by the hundred thousand. */
function stringifyRow(row: Row, heads: readonly { name: string; head: string }[]): string {
  let json = "";
  for (let i = 0; i < heads.length; i++) {
    const { name, head } = heads[i]!;
    const cell = row[name];
    json += head;
    if (typeof cell === "number") json += cell;
    else if (typeof cell === "string") json += PLAIN.test(cell) ? `"${cell}"` : safeJson(cell);
    else json += cell ?? null;
  }
  return `${json}}`;
}

/** The Snapshot on one line (`indent` false) or with its tables' rows a line each; ends with a newline. Keys in fixed order. */
export function* renderSnapshotJson(
  snapshot: Snapshot | ConnectionsSnapshot,
  indent: boolean,
): Iterable<string> {
  const newline = indent ? "\n" : "";
  const { tables, ...rest } = snapshot;
  yield `{${newline}`;
  for (const [key, value] of Object.entries(rest)) yield `${safeJson(key)}:${safeJson(value)},${newline}`;
  yield `"tables":{${newline}`;
  let separator = "";
  for (const [name, table] of Object.entries(tables)) {
    const { rows: _, ...head } = table;
    yield `${separator}${safeJson(name)}:${safeJson(head).slice(0, -1)},"rows":`;
    yield* renderRows(table, newline);
    yield "}";
    separator = `,${newline}`;
  }
  yield `}${newline}}\n`;
}

/** A table's rows as a JSON array, a row a line. */
export function* renderTableJson(table: Table): Iterable<string> {
  yield* renderRows(table, "\n");
  yield "\n";
}

/** A table's rows as JSON lines. */
export function* renderTableNdjson(table: Table): Iterable<string> {
  const heads = cellHeads(table.columns);
  for (const row of table.rows) yield `${stringifyRow(row, heads)}\n`;
}

function* renderRows({ rows, columns }: Table, newline: string): Iterable<string> {
  const heads = cellHeads(columns);
  yield "[";
  let separator = newline;
  for (const row of rows) {
    yield `${separator}${stringifyRow(row, heads)}`;
    separator = `,${newline}`;
  }
  yield `${newline}]`;
}
