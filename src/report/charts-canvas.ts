/** The door to chart.js: opened only when a chart is wanted, for its packages are large and may be absent. */
import type { Chart, ChartConfiguration, ChartType, Plugin } from "chart.js";
import type { ChartJSNodeCanvas } from "chartjs-node-canvas";
import { FONT_FAMILY, FONT_FILES } from "./fonts.js";

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
  readonly #Canvas: typeof ChartJSNodeCanvas;

  private constructor(Canvas: typeof ChartJSNodeCanvas) {
    this.#Canvas = Canvas;
  }

  /** Throws an Error of one line, code ERR_MODULE_NOT_FOUND, where the packages are not there or do not run. */
  static async open(): Promise<ChartMaker> {
    try {
      await import("canvas");
      return new ChartMaker((await import("chartjs-node-canvas")).ChartJSNodeCanvas);
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

  /** Draws a chart through `trace`, which may replace any method of the context; the canvas itself stays unused. */
  trace<T extends ChartType>(
    chart: ChartConfiguration<T>,
    width: number,
    height: number,
    trace: (context: CanvasContext) => void,
  ): void {
    const canvas = new this.#Canvas({ width, height });
    const tracer: Plugin = {
      id: "trace",
      beforeInit: (made: Chart) => trace(made.ctx as unknown as CanvasContext),
    };
    const traced = { ...chart, plugins: [tracer, ...(chart.plugins ?? [])] };
    canvas.renderToBufferSync(traced as ChartConfiguration, "raw" as "image/png");
  }
}
