/** A Table as CSV (RFC 4180 with LF): full numbers, ISO times, an empty cell for a value that does not apply, `NA` for an unknown one. */
import { stringify } from "csv-stringify/sync";
import type { Column, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { visible } from "../../format.js";
import { isUnknown } from "../../view/cells.js";

/** Begins with a sign that starts a formula in a spreadsheet, or with characters that it strips or splits at before one. */
const FORMULA = /^[\s;,"']*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
/** A text that is neither a formula nor unsafe, has no backslash, and needs no quotes: most are. */
const PLAIN = /^[0-9A-Za-z][ !#-+\--[\]-~]*$/;
/** Characters handed on at a time. */
const PIECE = 64 * 1024;
/** The missing value of R and pandas. */
const NOT_AVAILABLE = "NA";

/** Heading and rows. A text that a spreadsheet would run as a formula gets a quote in front. */
export function* renderCsv(table: Table): Iterable<string> {
  const { columns } = table;
  let text = `${columns.map(({ name }) => field(name)).join(",")}\n`;
  for (const row of table.rows) {
    text += line(row, columns);
    if (text.length < PIECE) continue;
    yield text;
    text = "";
  }
  if (text !== "") yield text;
}

function line(row: Row, columns: readonly Column[]): string {
  let text = "";
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    const cell = row[column.name];
    if (i > 0) text += ",";
    if (typeof cell === "number") text += cell;
    else if (typeof cell === "string") text += PLAIN.test(cell) ? cell : field(cell);
    else if (cell === true) text += "1";
    else if (isUnknown(column, row)) text += NOT_AVAILABLE;
  }
  return `${text}\n`;
}

/** A text as it stands between commas, safe to show. */
function field(text: string): string {
  return stringify([[inert(visible(text))]]).slice(0, -1);
}

/** The text, made safe for spreadsheets. */
function inert(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}
