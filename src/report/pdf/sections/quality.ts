/** The quality sections: TCP quality and requests. */
import type { Column, Row, Snapshot, Table } from "../../../analyze/snapshot/snapshot.js";
import { formatCell, formatCount } from "../../../format.js";
import { applicationTables } from "../../../view/application-rows.js";
import { showCell } from "../../../view/cells.js";
import { describeMissing, missingHere } from "../../../view/missing.js";
import { columnsUpTo, requestTables, shortTitle } from "../../../view/tables.js";
import { showRest, takeTop } from "../../../view/top-rows.js";
import type { ChartMaker } from "../../charts/chart-maker.js";
import type { BarChart, Clean } from "../../charts/charts-bars.js";
import { errorChart, latencyChart, retransmissionChart } from "../../charts/charts-quality.js";
import { drawChart } from "../page/chart.js";
import type { Sheet } from "../page/sheet.js";
import { drawTable, type PdfColumn, tableStart } from "../page/table.js";
import { COLOR } from "../page/theme.js";

/** Rows shown per table. */
const TOP_PAIRS = 20;
const TOP_OPERATIONS = 15;
/** Room for the heading of a chart, and for the line below it. */
const PART_HEADING = 40;
const CAPTION = 20;

export function drawTcpSection(sheet: Sheet, snapshot: Snapshot, maker: ChartMaker): void {
  const { tcp } = snapshot.tables;
  const isEmpty = tcp.rows.length === 0;
  const intro =
    "Pairs in most trouble first, from who begins connections to who is asked: what was sent again, what was reset, refused or not answered.";
  const chart = retransmissionChart(snapshot, cleaner(sheet));
  sheet.section("TCP health", isEmpty ? "" : intro, partHeight(chart));
  if (isEmpty) {
    sheet.paragraph("No TCP connection was seen.", { color: COLOR.muted });
    drawMissing(sheet, snapshot, tcp);
    return;
  }
  const caption =
    "Pairs of 100 segments or more. A capture that holds packets twice shows each as sent again.";
  drawPart(sheet, maker, "Retransmissions", chart, caption);
  sheet.subsection("Worst pairs", tableStart(2));
  drawSummed(sheet, tcp, TOP_PAIRS, [ENDS]);
  drawMissing(sheet, snapshot, tcp);
}

export function drawApplicationsSection(sheet: Sheet, snapshot: Snapshot, maker: ChartMaker): void {
  const tables = applicationTables(snapshot);
  const intro =
    "Requests as far as they were read off the packets, joined with their answers. Times are from the request's first byte to the answer's, where it was captured.";
  const chart = latencyChart(snapshot, cleaner(sheet));
  sheet.section("Applications", tables.length === 0 ? "" : intro, partHeight(chart));
  if (tables.length === 0) {
    sheet.paragraph("No request of a known protocol was seen.", { color: COLOR.muted });
    drawUncounted(sheet, snapshot);
    return;
  }
  const slow = "The slowest by their p95, of those with five requests or more.";
  drawPart(sheet, maker, "Latency", chart, slow);
  const failing = "The operations with the most errors.";
  drawPart(sheet, maker, "Errors", errorChart(snapshot, cleaner(sheet)), failing);
  for (const table of tables) {
    sheet.subsection(table.title, tableStart(2));
    drawSummed(sheet, table, TOP_OPERATIONS, [OPERATION]);
    drawMissing(sheet, snapshot, table);
  }
  drawUncounted(sheet, snapshot);
}

function drawMissing(sheet: Sheet, snapshot: Snapshot, table: Table): void {
  const missing = describeMissing(missingHere(snapshot, table));
  if (missing !== "") sheet.caption(missing);
}

/** The protocols without any counted request. */
function drawUncounted(sheet: Sheet, snapshot: Snapshot): void {
  for (const table of requestTables(snapshot)) {
    const missing = describeMissing(missingHere(snapshot, table));
    if (table.rows.length === 0 && missing !== "") sheet.caption(`${table.title}. ${missing}`);
  }
}

/** A column, and its sum in the last row. */
interface SummedColumn extends PdfColumn<Row> {
  readonly sums?: Column;
}

const ends = (row: Row) => [formatCell("text", row.source), `→ ${formatCell("text", row.destination)}`];

const ENDS: SummedColumn = { title: "Source, then → destination", lines: ends };
const OPERATION: SummedColumn = {
  title: "Operation, then source → destination",
  lines: (row) => [formatCell("text", row.operation), ends(row).join(" ")],
};

/** A number of the table. */
function numberColumn(column: Column): SummedColumn {
  return {
    title: column.title,
    short: shortTitle(column),
    number: true,
    ...(column.kind === "count" ? { sums: column } : {}),
    lines: (row) => [showCell(column, row)],
  };
}

/** The first rows; the rest is summed. `who`: the column in place of source and destination. */
function drawSummed(sheet: Sheet, table: Table, n: number, who: readonly SummedColumn[]): void {
  const { rows, more } = takeTop(table, n);
  const numbers = columnsUpTo(table, 3).filter(({ priority }) => priority !== 1);
  const columns = [...who, ...numbers.map(numberColumn)];
  const last = columns.map(({ sums }, i) => {
    if (i === 0) return `and ${formatCount(more)} more`;
    return sums === undefined ? "" : showRest(table, rows, sums);
  });
  drawTable(sheet, columns, rows, more > 0 ? last : undefined);
}

/** Height of the part that must stay with a section's heading: its first chart with heading and caption, or the head of a table. */
function partHeight(chart: BarChart): number {
  return PART_HEADING + (chart.bars === 0 ? tableStart(2) : chart.height + CAPTION);
}

/** Heading, chart and caption on one page; nothing without data. */
function drawPart(sheet: Sheet, maker: ChartMaker, title: string, chart: BarChart, caption: string): void {
  if (chart.bars === 0) return;
  sheet.subsection(title, chart.height + CAPTION);
  drawChart(sheet, maker, chart.configuration, chart.height);
  sheet.caption(caption);
}

function cleaner(sheet: Sheet): Clean {
  return (text) => sheet.type.clean(text);
}
