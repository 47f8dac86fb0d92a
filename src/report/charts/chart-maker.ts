/** The door to chart.js: opened only when a chart is wanted, for it is large. */
import type { Chart, ChartConfiguration, ChartItem, ChartType } from "chart.js";
import { ChartContext, type Pen } from "./chart-context.js";

export class ChartMaker {
  static #opening: Promise<ChartMaker> | null = null;
  readonly #Chart: typeof Chart;

  private constructor(made: typeof Chart) {
    this.#Chart = made;
  }

  /** Loads once for all. */
  static open(): Promise<ChartMaker> {
    ChartMaker.#opening ??= import("chart.js/auto").then(({ Chart }) => new ChartMaker(Chart));
    return ChartMaker.#opening;
  }

  /** Draws a chart of width x height units with the pen, from its origin. Opens no file. */
  draw<T extends ChartType>(chart: ChartConfiguration<T>, width: number, height: number, pen: Pen): void {
    const options = { ...chart.options, responsive: false, animation: false };
    const context = new ChartContext(pen, width, height) as unknown as ChartItem;
    new this.#Chart(context, { ...chart, options } as ChartConfiguration).destroy();
  }
}
