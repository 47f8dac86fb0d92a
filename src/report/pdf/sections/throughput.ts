/** Throughput over time. */
import type { SeriesData, Snapshot } from "../../../analyze/snapshot/snapshot.js";
import { formatBytes, formatCount, formatDuration, formatRate } from "../../../format.js";
import type { ChartMaker } from "../../charts/chart-maker.js";
import { THROUGHPUT_HEIGHT, throughputChart } from "../../charts/charts-throughput.js";
import { protocolColor } from "../../charts/palette.js";
import { drawChart } from "../page/chart.js";
import type { Sheet } from "../page/sheet.js";
import { drawTable, type PdfColumn, TABLE_START } from "../page/table.js";
import { COLOR, PAGE, SIZE } from "../page/theme.js";

type SeriesClass = SeriesData["classes"][number];
const LEGEND = 18;

export function drawThroughputSection(sheet: Sheet, { series, window }: Snapshot, maker: ChartMaker): void {
  const chart = throughputChart(series);
  if (chart === null) {
    sheet.section("Throughput over time", "", 20);
    sheet.paragraph("No packet carries a time.", { color: COLOR.muted });
    return;
  }
  const step = formatDuration(series.step);
  if (series.classes[0]!.packets.length > 1) {
    sheet.section("Throughput over time", "", LEGEND + THROUGHPUT_HEIGHT + 24);
    drawLegend(sheet, series.classes);
    drawChart(sheet, maker, chart, THROUGHPUT_HEIGHT);
    sheet.caption(`Stacked by protocol; each step is the mean of ${step}.`);
  } else sheet.section("Throughput over time", `All packets fall into one step of ${step}.`, TABLE_START);
  drawTable(sheet, columns(series.step, window.duration), series.classes);
}

function columns(step: number, duration: number): PdfColumn<SeriesClass>[] {
  const bytes = (line: SeriesClass) => line.bytes.reduce((sum, n) => sum + n, 0);
  return [
    { title: "Class", lines: (line) => [line.name] },
    {
      title: "Packets",
      number: true,
      lines: (line) => [formatCount(line.packets.reduce((sum, n) => sum + n, 0))],
    },
    { title: "Bytes", number: true, lines: (line) => [formatBytes(bytes(line))] },
    {
      title: "Mean",
      number: true,
      lines: (line) => [duration > 0 ? formatRate(bytes(line) / duration) : "-"],
    },
    { title: "Peak", number: true, lines: (line) => [formatRate(Math.max(...line.bytes) / step)] },
    {
      title: "Steps with traffic",
      number: true,
      lines: (line) => [
        `${formatCount(line.packets.filter((n) => n > 0).length)} of ${formatCount(line.packets.length)}`,
      ],
    },
  ];
}

/** In the order of the areas from the bottom. */
function drawLegend(sheet: Sheet, classes: readonly SeriesClass[]): void {
  const style = { size: SIZE.table };
  let x: number = PAGE.left;
  for (const { name } of classes) {
    sheet.doc.rect(x, sheet.y + 1.6, 8, 8).fill(protocolColor(name));
    sheet.type.line(name, x + 12, sheet.y, style);
    x += 12 + sheet.type.width(name, style) + 16;
  }
  sheet.y += LEGEND;
}
