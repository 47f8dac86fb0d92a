/** A Snapshot or a Table as JSON, piece by piece: a table of a million rows is never held as text. */
import type {
  Cell,
  Column,
  ConnectionsSnapshot,
  Row,
  Snapshot,
  Table,
} from "../../analyze/snapshot/snapshot.js";
import { safeJson } from "../../format.js";

/** Text that needs no escapes in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Characters handed on at a time. */
const PIECE = 64 * 1024;
/** Whole numbers below this are made text once: most cells are such. */
const DIGITS: readonly string[] = Array.from({ length: 4096 }, (_, n) => String(n));

/** The columns' names, and what stands before each cell: brace or comma, and the name. */
interface Heads {
  readonly names: readonly string[];
  readonly texts: readonly string[];
}

function headsOf(columns: readonly Column[]): Heads {
  return {
    names: columns.map(({ name }) => name),
    texts: columns.map(({ name }, i) => `${i === 0 ? "{" : ","}${safeJson(name)}:`),
  };
}

/**
 * A row, its cells in the order of the columns. Written by hand: a big capture has rows by the hundred thousand. Cells that stand in that order
 * already, as in all rows we make, are read as they stand: to look each up takes longer.
 */
function stringifyRow(row: Row, heads: Heads): string {
  const { names, texts } = heads;
  let json = "";
  let i = 0;
  for (const name in row) {
    if (name !== names[i]) return stringifyInOrder(row, heads);
    json += texts[i++]! + stringifyCell(row[name]);
  }
  return i === names.length ? `${json}}` : stringifyInOrder(row, heads);
}

function stringifyInOrder(row: Row, { names, texts }: Heads): string {
  return `${names.map((name, i) => texts[i]! + stringifyCell(row[name])).join("")}}`;
}

function stringifyCell(cell: Cell | undefined): string {
  if (typeof cell === "number") {
    const isKept = (cell | 0) === cell && cell >= 0 && cell < DIGITS.length;
    return isKept ? DIGITS[cell]! : String(cell);
  }
  if (typeof cell === "string") return PLAIN.test(cell) ? `"${cell}"` : safeJson(cell);
  return String(cell ?? null);
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
  yield* joinRows(table, "", "\n", "\n");
}

function* renderRows(table: Table, newline: string): Iterable<string> {
  yield "[";
  yield* joinRows(table, newline, `,${newline}`, "");
  yield `${newline}]`;
}

/** Rows in pieces, with `first` before them, `between` each two and `last` behind; without rows nothing. */
function* joinRows({ rows, columns }: Table, first: string, between: string, last: string): Iterable<string> {
  const heads = headsOf(columns);
  let text = "";
  let separator = first;
  for (const row of rows) {
    text += separator + stringifyRow(row, heads);
    separator = between;
    if (text.length < PIECE) continue;
    yield text;
    text = "";
  }
  if (separator === between) text += last;
  if (text !== "") yield text;
}
