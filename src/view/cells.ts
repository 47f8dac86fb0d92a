/** Cells as every view shows them: a number that is not known is told from one that does not apply, and from 0. */
import type { Cell, ColumnKind, Row } from "../analyze/snapshot.js";
import { formatCell } from "../format.js";

/** Stands for a number that nobody knows. A number that does not apply is `-`. */
export const UNKNOWN = "?";
/** Before a number that is known to be too small. */
export const AT_LEAST = "≥";

/** Of a row of operations: counts that hold for all requests, whatever became of their answers. */
const OF_ALL = new Set(["requests", "unanswered", "unseen", "request_bytes", "response_bytes"]);

/** To draw and to sort by; 0 where there is no number. */
export function numberOf(cell: Cell | undefined): number {
  return typeof cell === "number" ? cell : 0;
}

/** The sum of those that are numbers; null: none is. */
export function sumOf(...cells: readonly (Cell | undefined)[]): number | null {
  const numbers = cells.filter((cell) => typeof cell === "number");
  return numbers.length === 0 ? null : numbers.reduce((sum, cell) => sum + cell, 0);
}

/** The cell is empty because a bound was reached or answers were not seen: there is a true value, and it is not known. */
export function isUnknown(row: Row, name: string): boolean {
  return row[name] === null && missesAnswers(row);
}

/** The number counts only the answers that were seen, and there were others. */
export function isAtLeast(row: Row, name: string): boolean {
  return typeof row[name] === "number" && missesAnswers(row) && !OF_ALL.has(name);
}

/** A row of operations, not all of whose answers were seen. */
function missesAnswers(row: Row): boolean {
  return Object.hasOwn(row, "requests") && (row.errors === null || numberOf(row.unseen) > 0);
}

/** The row's cell as a person reads it. Of kinds that are counted, a lower bound says so. */
export function showCell(kind: ColumnKind, row: Row, name: string): string {
  if (isUnknown(row, name)) return UNKNOWN;
  const text = formatCell(kind, row[name]);
  return kind === "count" && isAtLeast(row, name) ? `${AT_LEAST}${text}` : text;
}

/** `name:port`, an IPv6 address in brackets. */
export function endpoint(name: Cell | undefined, port: Cell | undefined): string {
  const text = formatCell("text", name);
  if (port === null || port === undefined) return text;
  return `${text.includes(":") ? `[${text}]` : text}:${formatCell("port", port)}`;
}
