/** A chart on the page. */
import type { ChartConfiguration, ChartType } from "chart.js";
import type { ChartMaker } from "../charts/charts-canvas.js";
import { traceOnto } from "../charts/charts-trace.js";
import type { Sheet } from "./pdf-sheet.js";
import { MEASURE, PAGE } from "./pdf-theme.js";

/** Draws the chart over the whole measure, on a new page where it does not fit. */
export function drawChart<T extends ChartType>(
  sheet: Sheet,
  maker: ChartMaker,
  chart: ChartConfiguration<T>,
  height: number,
): void {
  sheet.keep(height);
  const { doc } = sheet;
  doc.save();
  maker.trace(chart, MEASURE, height, (context) => {
    traceOnto(context, sheet.type, PAGE.left, sheet.y);
  });
  doc.restore();
  sheet.y += height;
}
