/** Throughput over time in chart.js' format: steps, stacked by protocol class. */
import type { ChartConfiguration, ScaleOptionsByType, Tick } from "chart.js";
import type { SeriesData } from "../../analyze/snapshot/snapshot.js";
import { FONT_FAMILY } from "../pdf/page/fonts.js";
import { byteScale, type TimeAxis, timeAxis } from "./charts-scale.js";
import { protocolColor } from "./palette.js";

export const THROUGHPUT_HEIGHT = 205;
const MAX_MARKS = 7;
const MUTED = "#57606a";
const GRID = "#e1e5e9";
const FONT = { family: FONT_FAMILY, size: 8 } as const;

/** null: no packet has a time. */
export function throughputChart(series: SeriesData): ChartConfiguration<"line"> | null {
  const steps = series.classes[0]?.bytes.length ?? 0;
  if (series.start === null || steps === 0) return null;
  const scale = byteScale(peakRate(series));
  const duration = steps * series.step;
  const axis = timeAxis(Date.parse(`${series.start.slice(0, 23)}Z`), duration, MAX_MARKS);
  return {
    type: "line",
    data: { datasets: series.classes.map((line, i) => area(line, i, series.step, scale.divisor)) },
    options: {
      locale: "en",
      layout: { padding: { right: 12, top: 4 } },
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: timeScale(axis, duration),
        y: {
          stacked: true,
          beginAtZero: true,
          title: { display: true, text: `Bytes on the wire (${scale.unit}/s)`, color: MUTED, font: FONT },
          ticks: { color: MUTED, font: FONT, maxTicksLimit: 6 },
          grid: { color: GRID, drawTicks: false },
          border: { display: false },
        },
      },
    },
  };
}

/** chart.js' own time scale needs a date library; this scale gets its marks from outside. */
function timeScale({ marks, title }: TimeAxis, duration: number): ScaleOptionsByType<"linear"> {
  const texts = new Map(marks.map(({ at, text }) => [at, text]));
  const options = {
    type: "linear",
    min: 0,
    max: duration,
    title: { display: true, text: title, color: MUTED, font: FONT },
    afterBuildTicks: (scale: { ticks: Tick[] }) => {
      scale.ticks = marks.map(({ at }) => ({ value: at }));
    },
    ticks: {
      color: MUTED,
      font: FONT,
      autoSkip: false,
      maxRotation: 0,
      includeBounds: false,
      callback: (value: number | string) => texts.get(Number(value)) ?? "",
    },
    grid: { display: true, drawOnChartArea: false, color: MUTED, tickLength: 4 },
    border: { color: MUTED },
  };
  return options as unknown as ScaleOptionsByType<"linear">;
}

/** The highest rate of any step, in bytes a second. */
export function peakRate({ classes, step }: SeriesData): number {
  let peak = 0;
  classes[0]?.bytes.forEach((_, i) => {
    peak = Math.max(
      peak,
      classes.reduce((sum, { bytes }) => sum + bytes[i]!, 0),
    );
  });
  return step === 0 ? 0 : peak / step;
}

/** A class as an area of steps: each value holds from its point to the next, the last to the end. */
function area(line: SeriesData["classes"][number], index: number, step: number, divisor: number) {
  const rates = line.bytes.map((bytes) => bytes / step / divisor);
  const points = [...rates, rates.at(-1)!].map((y, i) => ({ x: i * step, y }));
  return {
    label: line.name,
    data: points,
    stepped: "before" as const,
    fill: index === 0 ? ("origin" as const) : ("-1" as const),
    backgroundColor: protocolColor(line.name),
    borderWidth: 0,
    pointRadius: 0,
  };
}
