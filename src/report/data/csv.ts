/** A Table as CSV (RFC 4180 with LF): full numbers, ISO times, empty where there is nothing to say, `NA` where nobody knows. */
import { stringify } from "csv-stringify/sync";
import type { Column, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { visible } from "../../format.js";
import { isUnknown } from "../../view/cells.js";

/** Begins with a sign that makes a spreadsheet see a formula, or with what it may take off or split at before one. */
const FORMULA = /^[\s;,"']*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
const ROWS_AT_A_TIME = 1000;
/** What R and pandas read as a number that is missing. */
const NOT_AVAILABLE = "NA";

/** Heading and rows. A text that a spreadsheet would run as a formula gets a quote in front. */
export function* renderCsv(table: Table): Iterable<string> {
  const { columns } = table;
  yield lines([columns.map(({ name }) => inert(visible(name)))]);
  let batch: unknown[][] = [];
  for (const row of table.rows) {
    batch.push(cells(row, columns));
    if (batch.length < ROWS_AT_A_TIME) continue;
    yield lines(batch);
    batch = [];
  }
  if (batch.length > 0) yield lines(batch);
}

function cells(row: Row, columns: readonly Column[]): unknown[] {
  return columns.map((column) => {
    const cell = row[column.name];
    if (typeof cell === "string") return inert(visible(cell));
    return cell ?? (isUnknown(column, row) ? NOT_AVAILABLE : "");
  });
}

/** A text that no spreadsheet runs. */
function inert(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

function lines(rows: readonly (readonly unknown[])[]): string {
  return stringify(rows as unknown[][]);
}
