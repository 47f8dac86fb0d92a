/** Charts as PNG: by the canvas of chartjs-node-canvas where that is installed and runs, else by resvg, which needs no install script. */
import type { ChartConfiguration } from "chart.js";
import { openDocument } from "../pdf/page/document.js";
import { FONT_FAMILY, FONT_FILES, readFontMetrics } from "../pdf/page/fonts.js";
import { Drawable } from "../pdf/page/type.js";
import { ChartMaker } from "./chart-maker.js";
import { SvgPen } from "./chart-svg.js";

/** A picture of width x height x density pixels. */
export type PaintChart = (
  chart: ChartConfiguration,
  width: number,
  height: number,
  density: number,
) => Uint8Array;

export interface ChartPainter {
  readonly engine: "chartjs-node-canvas" | "resvg";
  readonly paint: PaintChart;
}

export async function openPainter(): Promise<ChartPainter> {
  return (await openCanvas()) ?? (await openResvg());
}

/** Null where the optional packages are not installed, or their native part does not run. */
export async function openCanvas(): Promise<ChartPainter | null> {
  // Its own canvas, loaded by the first one made: the native part may be absent.
  const canvas = await import("chartjs-node-canvas")
    .then((module) => {
      new module.ChartJSNodeCanvas({ width: 1, height: 1 });
      return module;
    })
    .catch(() => null);
  if (canvas === null) return null;
  const paint: PaintChart = (chart, width, height, density) => {
    const target = new canvas.ChartJSNodeCanvas({ width, height, backgroundColour: "#ffffff" });
    target.registerFont(FONT_FILES.regular, { family: FONT_FAMILY });
    const options = { ...chart.options, devicePixelRatio: density } as typeof chart.options;
    return target.renderToBufferSync({ ...chart, options });
  };
  return { engine: "chartjs-node-canvas", paint };
}

export async function openResvg(): Promise<ChartPainter> {
  const [{ Resvg }, maker, paper] = await Promise.all([
    import("@resvg/resvg-js"),
    ChartMaker.open(),
    openDocument({ title: "", producer: "", date: new Date(0) }),
  ]);
  const metrics = readFontMetrics();
  const measure = (text: string, size: number) => paper.sheet.type.width(new Drawable(text), { size });
  const font = { loadSystemFonts: false, fontFiles: [FONT_FILES.regular], defaultFontFamily: FONT_FAMILY };
  const paint: PaintChart = (chart, width, height, density) => {
    const pen = new SvgPen(FONT_FAMILY, metrics, measure);
    maker.draw(chart, width, height, pen);
    return new Resvg(pen.document(width, height), { font, fitTo: { mode: "zoom", value: density } })
      .render()
      .asPng();
  };
  return { engine: "resvg", paint };
}
