/**
 * Reads a Snapshot of this or another version of netwatch. Unknown keys are ignored, a missing table
 * is empty, an unknown table is read by its own description: additions of newer versions and gaps of older ones do not prevent
 * reading the rest. Version 1 did not describe its columns: they get the descriptions of the current tables.
 */
import { z } from "zod";
import { Analyzer } from "../analyzer.js";
import { buildSnapshot } from "./build.js";
import { readerOf } from "./reading.js";
import { RowText, type SplitSnapshot } from "./row-text.js";
import {
  type Cell,
  columnKind,
  type Row,
  type Rows,
  SNAPSHOT_VERSION,
  type Snapshot,
  severity,
  snapshotSchema,
  type Table,
  type Tables,
} from "./snapshot.js";

/** Of facts that a Snapshot before them lacks. */
const BEFORE = {
  named: false,
  series: { start: null, step: 1, classes: [] },
} as const;
/** More than exist; further ones are ignored. */
const MAX_TABLES = 100;
/** More than any table has; each row costs as much as there are columns. */
const MAX_COLUMNS = 1000;
/** Characters of a problem that are said, and of the place where it is. */
const MAX_PROBLEM = 200;
const MAX_PLACE = 80;

type Foreign = Record<string, unknown>;

let reader: z.ZodType<Snapshot> | null = null;

/**
 * Reads a Snapshot from JSON text, its tables' rows in it or apart: rows that are apart are made when they are read. Throws an Error of
 * one line where it is none.
 */
export function parseSnapshot(json: string, rows: SplitSnapshot["rows"] = new Map()): Snapshot {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Error(error instanceof RangeError ? "nested too deeply" : "not JSON");
  }
  giveRows(value, rows);
  const version = isObject(value) && value.format === "netwatch-snapshot" ? value.version : null;
  if (typeof version === "number" && version > SNAPSHOT_VERSION)
    throw new Error(`a snapshot of version ${version}; this netwatch reads version ${SNAPSHOT_VERSION}`);
  reader ??= makeReader();
  const { success, data, error } = reader.safeParse(completed(value));
  if (success) return data;
  const issue = error.issues[0]!;
  const where = issue.path.join(".").slice(0, MAX_PLACE) || "value";
  throw new Error(`not a snapshot: ${where}: ${issue.message.slice(0, MAX_PROBLEM)}`);
}

/** Gives each table its rows that are apart. */
function giveRows(value: unknown, rows: SplitSnapshot["rows"]): void {
  if (!isObject(value)) return;
  const { tables, conntrack } = value;
  for (const [name, text] of rows) {
    const table =
      name === null
        ? isObject(conntrack) && conntrack.connections
        : isObject(tables) && Object.hasOwn(tables, name) && tables[name];
    if (isObject(table)) table.row_text = text;
  }
}

/** With what is missing filled in. Anything but an object is left to the schema. */
function completed(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { ledger, totals } = value;
  const rounded = isObject(totals) && Number(totals.bytes) > Number.MAX_SAFE_INTEGER;
  return { ...BEFORE, ...value, ledger: isObject(ledger) ? { rounded, ...ledger } : ledger };
}

function isObject(value: unknown): value is Foreign {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function makeReader(): z.ZodType<Snapshot> {
  const { tables, conntrack } = snapshotSchema.shape;
  const { tables: today } = buildSnapshot(new Analyzer({ maxFlows: 1 }), {
    producer: "netwatch",
    files: [],
    dropped: null,
    names: null,
  });
  return readerOf(
    snapshotSchema,
    new Map<z.ZodType, z.ZodType>([
      [
        snapshotSchema.shape.version,
        z
          .int()
          .min(1)
          .transform(() => SNAPSHOT_VERSION),
      ],
      [conntrack.unwrap().shape.connections, TABLE],
      [
        tables,
        z
          .custom<Foreign>(isObject, "no tables")
          .transform((given, context) => readTables(given, today, context)),
      ],
      [severity, severity.catch("notice")],
    ]),
  ) as z.ZodType<Snapshot>;
}

/** Those of today in their order, of no rows where they are missing; then those that are not known and can be read. */
function readTables(given: Foreign, today: Tables, context: z.RefinementCtx): Record<string, Table> {
  const tables: Record<string, Table> = Object.create(null);
  for (const [name, twin] of Object.entries(today)) tables[name] = { ...twin, rows: [] };
  for (const name of Object.keys(given).slice(0, MAX_TABLES)) {
    const { data, error } = TABLE.safeParse(given[name]);
    const twin = Object.hasOwn(today, name) ? today[name] : undefined;
    if (data !== undefined) tables[name] = twin ? describedAs(twin, data) : data;
    else if (twin)
      for (const { message, path } of error.issues)
        context.addIssue({ code: "custom", message, path: [name, ...path] });
  }
  return tables;
}

/** A table without descriptions of its columns, described like the current one. */
function describedAs(twin: Table, table: Table): Table {
  if (table.columns.some(({ priority }) => priority !== undefined)) return table;
  const known = new Map(twin.columns.map((column) => [column.name, column]));
  const columns = table.columns.map((column) => ({ ...known.get(column.name), ...column }));
  const { subject, top, tells_of } = twin;
  return { ...(tells_of ? { tells_of } : {}), ...(subject ? { subject } : {}), top, ...table, columns };
}

const COLUMN = z.object({
  name: z.string(),
  title: z.string(),
  kind: columnKind.catch("text"),
  short: z.string().optional().catch(undefined),
  priority: z.literal([1, 2, 3, 4]).optional().catch(undefined),
  with: z.string().optional().catch(undefined),
  of_answers: z.literal(true).optional().catch(undefined),
});

const TABLE = z
  .object({
    name: z.string(),
    title: z.string(),
    subject: z.enum(["traffic", "tcp", "requests", "tracking"]).optional().catch(undefined),
    top: z.number().nonnegative().optional().catch(undefined),
    tells_of: z.array(z.string()).optional().catch(undefined),
    columns: z.array(COLUMN).max(MAX_COLUMNS).default([]),
    rows: z.array(z.custom<Foreign>(isObject, "a row that is no object")).default([]),
    row_text: z.instanceof(RowText).optional().catch(undefined),
    total: z.custom<Foreign>(isObject).default({}),
    omitted: z.number().nonnegative().default(0),
  })
  .transform(({ columns: given, rows: foreign, row_text, total, omitted, ...head }): Table => {
    const columns = [
      ...new Map(given.toReversed().map((column) => [column.name, column])).values(),
    ].reverse();
    const names = columns.map(({ name }) => name);
    const rows = row_text ? rowsOf(row_text, names) : foreign.map((row) => readRow(row, names));
    // Without its last row, `other`, a table has left nothing out.
    return {
      ...head,
      columns,
      rows,
      total: readTotal(total, names),
      omitted: rows.length === 0 ? 0 : omitted,
    };
  });

function rowsOf(text: RowText, names: readonly string[]): Rows {
  return {
    length: text.length,
    *[Symbol.iterator]() {
      for (const row of text) yield readRow(row as Foreign, names);
    },
  };
}

/** The row itself, with a cell of its own for each column: nothing is inherited, whatever a column is called. */
function readRow(row: Foreign, names: readonly string[]): Row {
  for (const name of names) {
    if (!Object.hasOwn(row, name)) Object.defineProperty(row, name, { ...OWN, value: null });
    else if (!isCell(row[name])) row[name] = null;
  }
  return row as Row;
}

const OWN = { writable: true, enumerable: true, configurable: true } as const;

function isCell(value: unknown): value is Cell {
  if (typeof value === "number") return Number.isFinite(value);
  return value === null || typeof value === "string" || typeof value === "boolean";
}

function readTotal(total: Foreign, names: readonly string[]): Table["total"] {
  const sums: Record<string, number> = Object.create(null);
  for (const name of names) {
    const sum = Object.hasOwn(total, name) ? total[name] : null;
    if (typeof sum === "number" && sum >= 0 && Number.isFinite(sum)) sums[name] = sum;
  }
  return sums;
}
