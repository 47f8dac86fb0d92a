/** The charts of a Benchmark in chart.js' format: every round as a point, every figure as bars with their range. */
import type { Chart, ChartConfiguration, Plugin } from "chart.js";
import type { Benchmark, BenchmarkMode, Figure } from "../../analyze/benchmark/benchmark.js";
import { formatBytes } from "../../format.js";
import { FIGURE_NAMES, formatFigure, hopsOf } from "../benchmark-rows.js";
import { FONT_FAMILY } from "../pdf/page/fonts.js";
import { byteScale } from "./charts-scale.js";
import { MODE_COLORS } from "./palette.js";

const INK = "#1b1f23";
const MUTED = "#57606a";
const GRID = "#e1e5e9";
const FONT = { family: FONT_FAMILY, size: 8 } as const;
/** Shapes differ for readers without colour; only straight lines, which the page can draw. */
const SHAPES = ["rect", "rectRot"] as const;
/** Height without the bars: the axis and its title. */
const FRAME = 42;
const BAR = 14;

export const ROUNDS_HEIGHT = 170;

/** Requests a second, round by round in the order they were run; a line a mode at its median. */
export function roundsChart({ modes }: Benchmark): ChartConfiguration<"scatter"> {
  const last = Math.max(...modes.flatMap(({ rounds }) => rounds.map(({ turn }) => turn)));
  return {
    type: "scatter",
    data: {
      datasets: modes.map(({ mode, rounds }, i) => ({
        label: mode,
        data: rounds.map((round) => ({ x: round.turn, y: round.requests_per_second })),
        pointStyle: SHAPES[i]!,
        pointRadius: 4.5,
        backgroundColor: MODE_COLORS[i]!,
        borderWidth: 0,
      })),
    },
    options: {
      locale: "en",
      layout: { padding: { right: 12, top: 6 } },
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: {
          min: 0.5,
          max: last + 0.5,
          title: { display: true, text: "Round, in the order they were run", color: MUTED, font: FONT },
          ticks: { color: MUTED, font: FONT, precision: 0, maxRotation: 0, includeBounds: false },
          grid: { display: false },
          border: { color: MUTED },
        },
        y: {
          beginAtZero: true,
          title: { display: true, text: FIGURE_NAMES.requests_per_second, color: MUTED, font: FONT },
          ticks: { color: MUTED, font: FONT, maxTicksLimit: 6 },
          grid: { color: GRID, drawTicks: false },
          border: { display: false },
        },
      },
    },
    plugins: [medianLines(modes)],
  };
}

function medianLines(modes: readonly BenchmarkMode[]): Plugin<"scatter"> {
  return {
    id: "medianLines",
    beforeDatasetsDraw(chart: Chart<"scatter">) {
      const { ctx, chartArea, scales } = chart;
      modes.forEach(({ figures }, i) => {
        const spread = figures.requests_per_second;
        if (!spread) return;
        const y = scales.y!.getPixelForValue(spread.median);
        drawLine(ctx, [chartArea.left, y], [chartArea.right, y], MODE_COLORS[i]!);
      });
    },
  };
}

/** A bar chart and its height at the page's width. */
export interface ModeBars {
  readonly configuration: ChartConfiguration<"bar">;
  readonly height: number;
}

interface ModeBar {
  readonly value: number;
  /** Drawn as a line over the bar. */
  readonly range: readonly [least: number, most: number] | null;
  readonly text: string;
}

/** Times in milliseconds: the median per mode, the range of the rounds as a line. */
export function timesChart(modes: readonly BenchmarkMode[], figures: readonly Figure[]): ModeBars {
  const bars = modes.map((mode) =>
    figures.map((figure): ModeBar | null => {
      const spread = mode.figures[figure];
      if (!spread) return null;
      const [value, least, most] = [spread.median, spread.least, spread.most].map((s) => s * 1000);
      return { value: value!, range: [least!, most!], text: formatFigure(figure, spread.median) };
    }),
  );
  return modeBars(
    figures.map((figure) => FIGURE_NAMES[figure]),
    bars,
    "Milliseconds, median of the rounds; the line goes from the least to the most",
  );
}

/** Bytes a request, hop by hop. */
export function hopsChart(modes: readonly BenchmarkMode[]): ModeBars | null {
  const hops = hopsOf(modes);
  if (hops.length === 0) return null;
  const scale = byteScale(Math.max(...hops.flatMap(({ bytes }) => bytes.map((n) => n ?? 0))));
  const bars = modes.map((_, i) =>
    hops.map(({ bytes }): ModeBar | null => {
      const n = bytes[i] ?? null;
      if (n === null) return null;
      return { value: n / scale.divisor, range: null, text: formatBytes(n) };
    }),
  );
  return modeBars(
    hops.map(({ name }) => name),
    bars,
    `Bytes on the wire a request, both directions (${scale.unit})`,
  );
}

function modeBars(
  labels: readonly string[],
  bars: readonly (readonly (ModeBar | null)[])[],
  title: string,
): ModeBars {
  const configuration: ChartConfiguration<"bar"> = {
    type: "bar",
    data: {
      labels: [...labels],
      datasets: bars.map((own, i) => ({
        data: own.map((bar) => bar?.value ?? null),
        backgroundColor: MODE_COLORS[i]!,
        barPercentage: 0.9,
        categoryPercentage: 0.78,
        minBarLength: 1,
      })),
    },
    options: {
      locale: "en",
      indexAxis: "y",
      layout: { padding: { right: 64 } },
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: {
          beginAtZero: true,
          suggestedMax: Math.max(0, ...bars.flatMap((own) => own.map((bar) => bar?.range?.[1] ?? 0))),
          title: { display: true, text: title, color: MUTED, font: FONT },
          ticks: { color: MUTED, font: FONT, maxTicksLimit: 7, maxRotation: 0 },
          grid: { color: GRID, drawTicks: false },
          border: { display: false },
        },
        y: {
          ticks: { color: INK, font: FONT, autoSkip: false },
          grid: { display: false },
          border: { color: MUTED },
        },
      },
    },
    plugins: [endMarks(bars)],
  };
  return { configuration, height: FRAME + labels.length * (bars.length * BAR + 6) };
}

/** The range of each bar as a line, and after bar and line the bar's value. */
function endMarks(bars: readonly (readonly (ModeBar | null)[])[]): Plugin<"bar"> {
  return {
    id: "endMarks",
    afterDatasetsDraw(chart: Chart<"bar">) {
      const { ctx, scales } = chart;
      ctx.save();
      ctx.font = `8px "${FONT_FAMILY}"`;
      ctx.textAlign = "left";
      ctx.textBaseline = "middle";
      bars.forEach((own, i) => {
        chart.getDatasetMeta(i).data.forEach(({ x, y }, j) => {
          const bar = own[j];
          if (!bar) return;
          let end = x;
          if (bar.range !== null) {
            const [least, most] = bar.range.map((value) => scales.x!.getPixelForValue(value));
            drawLine(ctx, [least!, y], [most!, y], INK);
            for (const at of [least!, most!]) drawLine(ctx, [at, y - 2.5], [at, y + 2.5], INK);
            end = Math.max(end, most!);
          }
          ctx.fillStyle = INK;
          ctx.fillText(bar.text, end + 5, y);
        });
      });
      ctx.restore();
    },
  };
}

function drawLine(
  ctx: Chart["ctx"],
  from: readonly [number, number],
  to: readonly [number, number],
  color: string,
): void {
  ctx.beginPath();
  ctx.moveTo(...(from as [number, number]));
  ctx.lineTo(...(to as [number, number]));
  ctx.lineWidth = 0.8;
  ctx.strokeStyle = color;
  ctx.stroke();
}
