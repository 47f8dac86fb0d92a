/** A grid: the shape of every list in the monitor: its columns, rows and order. Pure. */
import type { Cell, Column, ColumnKind, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { formatCell, visible } from "../../format.js";
import { joined, numberOf, showCell } from "../../view/cells.js";
import { columnsUpTo, shortTitle } from "../../view/tables.js";
import type { Style } from "../chrome/cells.js";
import { type Sort, UNSORTED } from "../state.js";
import { parseFilter } from "./filter.js";
import { amount, formatFrequency, rate } from "./numbers.js";

export interface GridColumn extends Pick<Column, "of_answers"> {
  readonly name: string;
  readonly title: string;
  /** `rate` is bytes a second, `frequency` times a second, `bar` a ratio drawn as a bar, `strip` text of glyphs. */
  readonly kind: ColumnKind | "rate" | "frequency" | "bar" | "strip";
  /** The value to sort and show; default: the row's cell of the same name. */
  readonly value?: (row: Row) => Cell;
  /** 0: always shown. Above 0: dropped if there is no room, the last column first. */
  readonly wide?: number;
  /** A sentence: cut at its end if too long. */
  readonly sentence?: boolean;
  /** Left out if no row has a value. */
  readonly ifAny?: boolean;
  /** Further cells that it is made from: the detail does not repeat them. */
  readonly of?: readonly string[];
  readonly style?: (row: Row) => Style;
}

/** One of a screen's lists. */
export interface GridPart {
  readonly title: string;
  readonly rows: number;
}

export interface Grid {
  readonly title: string;
  /** What one row is, as a heading. */
  readonly one: string;
  readonly columns: readonly GridColumn[];
  readonly rows: readonly Row[];
  /** Rows before the filter. */
  readonly all: number;
  /** Rows that are only summed. */
  readonly omitted: number;
  /** Why the list is empty; null: no reason known. */
  readonly empty: string;
  /** Columns that only exports have. */
  readonly table: Table | null;
  /** Lists that belong to a row, for its detail. */
  readonly related?: (row: Row) => readonly Grid[];
  /** All lists of the screen, this one included; absent: only this one. */
  readonly parts?: readonly GridPart[];
  /** Its known gaps, besides rows that are only summed. */
  readonly misses?: readonly string[];
  /** Which of them it is. */
  readonly part?: number;
}

/** A table's columns that a list has room for, under their short titles; `own` changes one, by its name. */
export function columnsOf(
  table: Table | null,
  own: Readonly<Record<string, Partial<GridColumn>>> = {},
): GridColumn[] {
  return (table === null ? [] : columnsUpTo(table, 4)).map((column): GridColumn => {
    const { name, kind, of_answers, priority = 4, with: other } = column;
    return {
      name,
      title: shortTitle(column),
      kind,
      ...(of_answers ? { of_answers } : {}),
      ...(priority > 2 ? { wide: 1 } : {}),
      ...(other === undefined ? {} : { value: (row) => joined(column, row), of: [other] }),
      ...own[name],
    };
  });
}

/** The columns, and one more behind the one of that name. */
export function insertAfter(columns: readonly GridColumn[], name: string, more: GridColumn): GridColumn[] {
  return columns.flatMap((column) => (column.name === name ? [column, more] : [column]));
}

export function cellOf(column: GridColumn, row: Row): Cell {
  return (column.value ? column.value(row) : row[column.name]) ?? null;
}

/** Cells of a bar that is full. */
const BAR = 20;

/** The cell as the screen shows it: safe. */
export function shownCell(column: GridColumn, row: Row, bits: boolean, bar = ""): string {
  const cell = cellOf(column, row);
  if (column.value === undefined && (cell === null || column.kind === "count"))
    return visible(showCell(column as Column, row));
  if (cell === null) return "-";
  if (column.kind === "rate") return rate(numberOf(cell), bits);
  if (column.kind === "bytes" && typeof cell === "number") return amount(cell, bits);
  if (column.kind === "frequency") return formatFrequency(numberOf(cell));
  if (column.kind === "strip") return String(cell);
  if (column.kind === "bar") return bar.repeat(Math.round(Math.min(1, numberOf(cell)) * BAR));
  return visible(formatCell(column.kind, cell));
}

/** The rows that pass the filter, in the order chosen. The row `other` stays last. */
export function arrange(grid: Grid, filterText: string, sort: Sort = UNSORTED): Grid {
  const filter = parseFilter(filterText);
  const rows = filterText.trim() === "" ? [...grid.rows] : grid.rows.filter(filter);
  const column = grid.columns.find(({ name }) => name === sort.column) ?? null;
  if (column === null) return { ...grid, rows: sort.reversed ? rows.toReversed() : rows };
  const last = grid.omitted > 0 && rows.at(-1) === grid.rows.at(-1) ? rows.splice(-1) : [];
  const keyed = rows.map((row, i) => ({ row, i, key: cellOf(column, row) }));
  const sign = sort.reversed ? -1 : 1;
  keyed.sort((a, b) => sign * compare(a.key, b.key) || a.i - b.i);
  return { ...grid, rows: [...keyed.map(({ row }) => row), ...last] };
}

/** The columns to show: optional ones only if some row has a value. */
export function tellingColumns({ columns, rows }: Grid): GridColumn[] {
  return columns.filter((column) => !column.ifAny || rows.some((row) => cellOf(column, row) !== null));
}

/** Numbers largest first, texts by code units, unknown values last. */
function compare(a: Cell, b: Cell): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return b - a;
  const [x, y] = [String(a), String(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The grid as a Table with what is shown, for a file. */
export function tableOf(grid: Grid): Table {
  const columns = grid.columns
    .filter(({ kind }) => kind !== "strip" && kind !== "bar")
    .map(
      ({ name, title, kind }): Column => ({
        name,
        title,
        kind: kind === "rate" ? "bytes" : kind === "frequency" ? "count" : (kind as ColumnKind),
      }),
    );
  const rows = grid.rows.map(
    (row): Row => Object.fromEntries(grid.columns.map((column) => [column.name, cellOf(column, row)])),
  );
  return { name: "shown", title: grid.title, columns, rows, total: {}, omitted: grid.omitted };
}
