/** Tables across pages, with repeated heads. */
import type { Sheet } from "./sheet.js";
import { COLOR, FLOOR, MEASURE, PAGE, SIZE } from "./theme.js";
import type { Type } from "./type.js";

export interface PdfColumn<T> {
  readonly title: string;
  /** Used if the full titles of all columns need too much room. */
  readonly short?: string;
  /** Right-aligned, for numbers. */
  readonly number?: boolean;
  /** Never cut, like numbers; other texts are shortened if the page is too narrow. */
  readonly rigid?: boolean;
  /** One text per line. A row is as high as its longest cell. */
  readonly lines: (row: T) => readonly string[];
}

const GAP = 12;
const LINE = 10.8;
const PADDING = 2.6;
const HEAD = 15;
/** Most extra room of a text column: numbers should be near their name. */
const MAX_SLACK = 90;
const STYLE = { size: SIZE.table } as const;
const HEAD_STYLE = { size: SIZE.small, bold: true, color: COLOR.muted } as const;
/** Rows that must follow a head on its page. */
const ORPHANS = 3;

/** Height of the head and the first rows, which stay with a heading. */
export const TABLE_START = tableStart(1);

/** The same for rows of several lines. */
export function tableStart(lines: number): number {
  return HEAD + ORPHANS * (lines * LINE + 2 * PADDING);
}

/** Height of a table with one-line rows, to keep all of it with a heading. */
export function tableHeight(rows: number): number {
  return HEAD + rows * (LINE + 2 * PADDING);
}

/** Draws the rows, then a last one in grey for the omitted rows. */
export function drawTable<T>(
  sheet: Sheet,
  given: readonly PdfColumn<T>[],
  rows: readonly T[],
  last?: readonly string[],
): void {
  const cells = rows.map((row) => given.map((column) => column.lines(row)));
  if (last) cells.push(last.map((text) => [text]));
  const columns = titlesThatFit(sheet.type, given, cells);
  const widths = columnWidths(sheet.type, columns, cells);
  sheet.keep(cells.length < ORPHANS ? HEAD + cells.length * (LINE + 2 * PADDING) : TABLE_START);
  drawHead(sheet, columns, widths);
  cells.forEach((row, i) => {
    const height = Math.max(1, ...row.map((lines) => lines.length)) * LINE + 2 * PADDING;
    if (sheet.y + height > FLOOR) {
      sheet.breakPage();
      drawHead(sheet, columns, widths);
    }
    drawRow(
      sheet,
      columns,
      widths,
      row,
      last !== undefined && i === cells.length - 1 ? COLOR.muted : COLOR.ink,
    );
    sheet.y += height;
    sheet.rule(sheet.y, tableWidth(widths), COLOR.hairline);
  });
  sheet.y += 4;
}

/** The columns with full titles if there is room for all, else with short titles. */
function titlesThatFit<T>(
  type: Type,
  columns: readonly PdfColumn<T>[],
  cells: readonly (readonly (readonly string[])[])[],
): readonly PdfColumn<T>[] {
  const wanted = columns.reduce((sum, column, i) => sum + GAP + wantedWidth(type, column, i, cells), -GAP);
  if (wanted <= MEASURE) return columns;
  return columns.map((column) => ({ ...column, title: column.short ?? column.title }));
}

function wantedWidth<T>(
  type: Type,
  column: PdfColumn<T>,
  i: number,
  rows: readonly (readonly (readonly string[])[])[],
): number {
  let width = type.width(column.title, HEAD_STYLE);
  for (const row of rows) for (const text of row[i] ?? []) width = Math.max(width, type.width(text, STYLE));
  return Math.ceil(width);
}

function drawHead<T>(sheet: Sheet, columns: readonly PdfColumn<T>[], widths: readonly number[]): void {
  let x: number = PAGE.left;
  columns.forEach((column, i) => {
    const at = column.number ? x + widths[i]! : x;
    sheet.type.line(column.title, at, sheet.y, { ...HEAD_STYLE, align: column.number ? "right" : "left" });
    x += widths[i]! + GAP;
  });
  sheet.y += HEAD - 2;
  sheet.rule(sheet.y, tableWidth(widths), COLOR.rule, 0.7);
  sheet.y += 1;
}

function drawRow<T>(
  sheet: Sheet,
  columns: readonly PdfColumn<T>[],
  widths: readonly number[],
  row: readonly (readonly string[])[],
  color: string,
): void {
  let x: number = PAGE.left;
  columns.forEach((column, i) => {
    const width = widths[i]!;
    row[i]?.forEach((text, line) => {
      const y = sheet.y + PADDING + line * LINE;
      const style = { ...STYLE, color };
      if (column.number) sheet.type.line(text, x + width, y, { ...style, align: "right" });
      else sheet.type.line(sheet.type.fit(text, width, STYLE), x, y, style);
    });
    x += width + GAP;
  });
}

/** Numbers get the width they need; texts share the rest. */
function columnWidths<T>(
  type: Type,
  columns: readonly PdfColumn<T>[],
  rows: readonly (readonly (readonly string[])[])[],
): number[] {
  const wanted = columns.map((column, i) => wantedWidth(type, column, i, rows));
  let left = MEASURE - GAP * (columns.length - 1);
  const flexible: number[] = [];
  columns.forEach((column, i) => {
    if (column.number || column.rigid) left -= wanted[i]!;
    else flexible.push(i);
  });
  flexible.sort((i, j) => wanted[i]! - wanted[j]! || i - j);
  flexible.forEach((column, i) => {
    wanted[column] = Math.min(wanted[column]!, left / (flexible.length - i));
    left -= wanted[column]!;
  });
  for (const i of flexible) wanted[i] = wanted[i]! + Math.min(MAX_SLACK, left / flexible.length);
  return wanted;
}

function tableWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, GAP * (widths.length - 1));
}
