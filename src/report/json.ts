/** A Snapshot or a Table as JSON, piece by piece: a table of a million rows is never held as text. */
import type { Column, ConnectionsSnapshot, Row, Snapshot, Table } from "../analyze/snapshot.js";

/** What JSON allows and a terminal does not: C1 controls, DEL, direction marks. Written as escapes they are the same JSON. */
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
/** Text that stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

function stringify(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A row, its cells in the order of the columns. Written by hand: a big capture has rows by the hundred thousand. */
function stringifyRow(row: Row, columns: readonly Column[]): string {
  let json = "";
  for (const { name } of columns) {
    const cell = row[name];
    json += `${json === "" ? "{" : ","}"${name}":`;
    if (typeof cell === "string") json += PLAIN.test(cell) ? `"${cell}"` : stringify(cell);
    else json += String(cell ?? null);
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
  for (const [key, value] of Object.entries(rest)) yield `${stringify(key)}:${stringify(value)},${newline}`;
  yield `"tables":{${newline}`;
  let separator = "";
  for (const [name, table] of Object.entries(tables)) {
    const { rows: _, ...head } = table;
    yield `${separator}${stringify(name)}:${stringify(head).slice(0, -1)},"rows":`;
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
  for (const row of table.rows) yield `${stringifyRow(row, table.columns)}\n`;
}

function* renderRows({ rows, columns }: Table, newline: string): Iterable<string> {
  yield "[";
  let separator = newline;
  for (const row of rows) {
    yield `${separator}${stringifyRow(row, columns)}`;
    separator = `,${newline}`;
  }
  yield `${newline}]`;
}
