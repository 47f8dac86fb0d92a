/** The sections with one table each, and its chart if any. */
import type { Row, Snapshot, Table } from "../../../analyze/snapshot/snapshot.js";
import { formatBytes, formatCell, formatCount } from "../../../format.js";
import { endpoint, showCell, UNKNOWN } from "../../../view/cells.js";
import { buildMatrix } from "../../../view/map/matrix.js";
import { columnsUpTo, shortTitle } from "../../../view/tables.js";
import { takeTop } from "../../../view/top-rows.js";
import type { ChartMaker } from "../../charts/chart-maker.js";
import {
  type BarChart,
  type Clean,
  pairsChart,
  protocolChart,
  talkersChart,
} from "../../charts/charts-bars.js";
import { drawChart } from "../page/chart.js";
import type { Sheet } from "../page/sheet.js";
import { drawTable, type PdfColumn, TABLE_START, tableStart } from "../page/table.js";
import { COLOR } from "../page/theme.js";
import { drawMatrix, MAX_SERVICES, matrixHeight } from "./matrix.js";

/** Rows shown per table. */
const TOP = { pairs: 30, protocols: 30, talkers: 30, conversations: 40, endpoints: 30 } as const;

export function drawPairsSection(sheet: Sheet, snapshot: Snapshot, maker: ChartMaker): void {
  const { pairs } = snapshot.tables;
  const caption = "The busiest directions, each counted for itself, with their share of all bytes.";
  drawChartPart(sheet, maker, "Service pairs", "", pairsChart(snapshot, cleaner(sheet)), caption);
  if (pairs.rows.length === 0) {
    drawNothing(sheet);
    return;
  }
  const matrix = buildMatrix(pairs, MAX_SERVICES);
  if (matrix.services.length > 0) {
    sheet.subsection("Matrix", matrixHeight(sheet, matrix));
    drawMatrix(sheet, matrix, snapshot.named ? "service" : "address");
  }
  sheet.subsection("Table", TABLE_START);
  drawTop(sheet, pairs, TOP.pairs);
}

export function drawProtocolsSection(sheet: Sheet, snapshot: Snapshot, maker: ChartMaker): void {
  const intro =
    "Colours are those of the throughput chart; IP protocols without a colour of their own share one.";
  drawChartPart(sheet, maker, "Protocol distribution", intro, protocolChart(snapshot, cleaner(sheet)), "");
  drawTop(sheet, snapshot.tables.protocols, TOP.protocols);
}

export function drawTalkersSection(sheet: Sheet, snapshot: Snapshot, maker: ChartMaker): void {
  const intro = "Who sends the most. What a service receives is counted at its sender.";
  drawChartPart(sheet, maker, "Top talkers", intro, talkersChart(snapshot, cleaner(sheet)), "");
  drawTop(sheet, snapshot.tables.talkers, TOP.talkers);
}

export function drawConversationsSection(sheet: Sheet, { tables }: Snapshot): void {
  const intro =
    "The largest by the bytes of both directions. First line: from the side that began; second line: the replies.";
  sheet.section("Top conversations", tables.conversations.rows.length > 0 ? intro : "", tableStart(2));
  const { rows, more, packets, bytes } = takeTop(tables.conversations, TOP.conversations);
  if (rows.length + more === 0) {
    drawNothing(sheet);
    return;
  }
  const last =
    more > 0
      ? ["", `and ${formatCount(more)} more`, knownCount(packets), knownBytes(bytes), "", ""]
      : undefined;
  drawTable(sheet, CONVERSATION_COLUMNS, rows, last);
}

export function drawEndpointsSection(sheet: Sheet, { tables }: Snapshot): void {
  const intro = "The addresses behind the services. Every packet counts at both of its ends.";
  sheet.section("Top endpoints", tables.endpoints.rows.length > 0 ? intro : "", TABLE_START);
  drawTop(sheet, tables.endpoints, TOP.endpoints);
}

const CONVERSATION_COLUMNS: readonly PdfColumn<Row>[] = [
  { title: "Transport", rigid: true, lines: (row) => [cell(row, "transport")] },
  {
    title: "Source, then → destination",
    lines: (row) => [end(row, "source"), `→ ${end(row, "destination")}`],
  },
  {
    title: "Packets",
    number: true,
    lines: (row) => [formatCell("packets", row.packets), formatCell("packets", row.reply_packets)],
  },
  {
    title: "Bytes",
    number: true,
    lines: (row) => [formatCell("bytes", row.bytes), formatCell("bytes", row.reply_bytes)],
  },
  {
    title: "Start (UTC)",
    number: true,
    lines: (row) => [formatCell("time", row.start)],
  },
  { title: "Duration", number: true, lines: (row) => [formatCell("seconds", row.duration)] },
];

function cell(row: Row, name: string): string {
  return formatCell("text", row[name]);
}

function end(row: Row, name: "source" | "destination"): string {
  return endpoint(row[name], row[`${name}_port`]);
}

function cleaner(sheet: Sheet): Clean {
  return (text) => sheet.type.clean(text);
}

/** Heading and chart, on one page; only the heading without data. */
function drawChartPart(
  sheet: Sheet,
  maker: ChartMaker,
  title: string,
  intro: string,
  chart: BarChart,
  caption: string,
): void {
  if (chart.bars === 0) {
    sheet.section(title, "", 20);
    return;
  }
  sheet.section(title, intro, chart.height + 20);
  drawChart(sheet, maker, chart.configuration, chart.height);
  if (caption !== "") sheet.caption(caption);
  else sheet.y += 12;
}

/** The first rows of a Snapshot's table, and the number of further rows. Columns without a value in them are left out. */
function drawTop(sheet: Sheet, table: Table, n: number): void {
  const { rows, more, packets, bytes } = takeTop(table, n);
  if (rows.length + more === 0) {
    drawNothing(sheet);
    return;
  }
  const columns = columnsUpTo(table, 3).filter(({ name }) => rows.some((row) => row[name] !== null));
  const drawn = columns.map((column) => ({
    title: column.title,
    short: shortTitle(column),
    number: column.kind !== "text",
    lines: (row: Row) => [showCell(column, row)],
  }));
  const sums: Readonly<Record<string, string>> = { packets: knownCount(packets), bytes: knownBytes(bytes) };
  const last = columns.map(({ name }, i) => (i === 0 ? `and ${formatCount(more)} more` : (sums[name] ?? "")));
  drawTable(sheet, drawn, rows, more > 0 ? last : undefined);
}

function knownCount(n: number | null): string {
  return n === null ? UNKNOWN : formatCount(n);
}

function knownBytes(bytes: number | null): string {
  return bytes === null ? UNKNOWN : formatBytes(bytes);
}

function drawNothing(sheet: Sheet): void {
  sheet.paragraph("Nothing to list.", { color: COLOR.muted });
}
