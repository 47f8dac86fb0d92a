/** Cells as text for every view: an unknown number differs from one that does not apply, and from 0. */
import type { Cell, Column, Row } from "../analyze/snapshot/snapshot.js";
import { formatCell } from "../format.js";

/** Text of an unknown number. A number that does not apply is `-`. */
export const UNKNOWN = "?";
/** Before a number that is known to be too small. */
export const AT_LEAST = "≥";

/** For drawing and sorting; 0 if there is no number. */
export function numberOf(cell: Cell | undefined): number {
  return typeof cell === "number" ? cell : 0;
}

/** The sum of those that are numbers; null: none is. */
export function sumOf(...cells: readonly (Cell | undefined)[]): number | null {
  const numbers = cells.filter((cell) => typeof cell === "number");
  return numbers.length === 0 ? null : numbers.reduce((sum, cell) => sum + cell, 0);
}

/** The cell is empty because a bound was reached or answers were not seen: there is a true value, and it is not known. */
export function isUnknown(column: Column, row: Row): boolean {
  return row[column.name] === null && column.of_answers === true && missesAnswers(row);
}

/** The number counts only the answers that were seen, and there were others. */
export function isAtLeast(column: Column, row: Row): boolean {
  return typeof row[column.name] === "number" && column.of_answers === true && missesAnswers(row);
}

/** A row of operations, not all of whose answers were seen. */
function missesAnswers(row: Row): boolean {
  return row.errors === null || numberOf(row.unseen) > 0;
}

/** The row's cell as text. A lower bound of a count is marked. */
export function showCell(column: Column, row: Row): string {
  if (isUnknown(column, row)) return UNKNOWN;
  const text = formatCell(column.kind, row[column.name]);
  return column.kind === "count" && isAtLeast(column, row) ? `${AT_LEAST}${text}` : text;
}

/** The same with the column that goes along: `name:port`, or the sum of both directions. */
export function showJoined(column: Column, row: Row): string {
  if (column.with === undefined) return showCell(column, row);
  return formatCell(column.kind, joined(column, row));
}

/** The value behind `showJoined`: to sort by, and to write into files. */
export function joined({ name, kind, with: other }: Column, row: Row): Cell {
  if (other === undefined) return row[name] ?? null;
  return kind === "text" ? endpoint(row[name], row[other]) : sumOf(row[name], row[other]);
}

/** `name:port`, an IPv6 address in brackets. */
export function endpoint(name: Cell | undefined, port: Cell | undefined): string {
  const text = formatCell("text", name);
  if (port === null || port === undefined) return text;
  return `${text.includes(":") ? `[${text}]` : text}:${formatCell("port", port)}`;
}
