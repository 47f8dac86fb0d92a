/** The door to chart.js: opened only when a chart is wanted, for its packages are large and may be absent. */
import type { createCanvas } from "canvas";
import type { Chart, ChartConfiguration, ChartItem, ChartType, Plugin } from "chart.js";
import type { ChartJSNodeCanvas } from "chartjs-node-canvas";
import { FONT_FAMILY, FONT_FILES } from "../pdf/fonts.js";

const ABSENT =
  "charts need the optional packages chartjs-node-canvas and canvas: run `npm install chartjs-node-canvas canvas` beside netwatch";

/** The part of a canvas context that charts draw with. */
export interface CanvasContext {
  font: string;
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  textAlign: string;
  textBaseline: string;
  [method: string]: unknown;
}

export class ChartMaker {
  static #opening: Promise<ChartMaker> | null = null;
  readonly #Canvas: typeof ChartJSNodeCanvas;
  readonly #createCanvas: typeof createCanvas;
  readonly #Chart: typeof Chart;

  private constructor(Canvas: typeof ChartJSNodeCanvas, create: typeof createCanvas) {
    this.#Canvas = Canvas;
    this.#createCanvas = create;
    let found: typeof Chart | null = null;
    const chartCallback = (made: typeof Chart) => {
      found = made;
    };
    new Canvas({ width: 1, height: 1, chartCallback });
    this.#Chart = found!;
  }

  /** Loads once for all. Throws an Error of one line, code ERR_MODULE_NOT_FOUND, where the packages are not there or do not run. */
  static open(): Promise<ChartMaker> {
    ChartMaker.#opening ??= ChartMaker.#load();
    return ChartMaker.#opening;
  }

  static async #load(): Promise<ChartMaker> {
    try {
      const { createCanvas } = await import("canvas");
      return new ChartMaker((await import("chartjs-node-canvas")).ChartJSNodeCanvas, createCanvas);
    } catch (cause) {
      throw Object.assign(new Error(ABSENT, { cause }), { code: "ERR_MODULE_NOT_FOUND" });
    }
  }

  /** A chart as a picture of width x height x density pixels. */
  png<T extends ChartType>(
    chart: ChartConfiguration<T>,
    width: number,
    height: number,
    density: number,
  ): Uint8Array {
    const canvas = new this.#Canvas({ width, height, backgroundColour: "#ffffff" });
    canvas.registerFont(FONT_FILES.regular, { family: FONT_FAMILY });
    chart.options = { ...chart.options, devicePixelRatio: density } as typeof chart.options;
    return canvas.renderToBufferSync(chart as ChartConfiguration);
  }

  /** Draws a chart through `trace`, which may replace any method of the context; the canvas itself stays unused. Opens no file. */
  trace<T extends ChartType>(
    chart: ChartConfiguration<T>,
    width: number,
    height: number,
    trace: (context: CanvasContext) => void,
  ): void {
    const canvas = Object.assign(this.#createCanvas(width, height), { style: {} });
    const tracer: Plugin = {
      id: "trace",
      beforeInit: (made: Chart) => trace(made.ctx as unknown as CanvasContext),
    };
    const options = { ...chart.options, responsive: false, animation: false };
    const traced = { ...chart, options, plugins: [tracer, ...(chart.plugins ?? [])] };
    const context = canvas.getContext("2d") as unknown as ChartItem;
    new this.#Chart(context, traced as ChartConfiguration).destroy();
  }
}
