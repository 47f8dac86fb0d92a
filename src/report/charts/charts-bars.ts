/** The bar charts in chart.js' format: protocols, pairs, talkers. */
import type { Chart, ChartConfiguration, Plugin } from "chart.js";
import type { Row, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { formatBytes, formatRatio } from "../../format.js";
import { numberOf } from "../../view/cells.js";
import { cutMiddle } from "../../view/cut.js";
import { takeTop } from "../../view/top-rows.js";
import { FONT_FAMILY } from "../pdf/page/fonts.js";
import { byteScale } from "./charts-scale.js";
import { protocolColor, SERVICE_COLOR } from "./palette.js";

/** Makes an untrusted text drawable. */
export type Clean = (text: string) => string;

/** A chart and its height at a width of 483. */
export interface BarChart {
  readonly configuration: ChartConfiguration<"bar">;
  readonly height: number;
  readonly bars: number;
}

interface Bar {
  /** Lines of the label. */
  readonly label: readonly string[];
  readonly bytes: number;
  readonly share: number;
  readonly color: string;
}

const MAX_PROTOCOLS = 10;
const MAX_PAIRS = 8;
const MAX_TALKERS = 12;
export const LABEL_CHARACTERS = 32;
const INK = "#1b1f23";
const MUTED = "#57606a";
const GRID = "#e1e5e9";
/** Height without the bars: the axis and its title. */
export const FRAME = 42;
const LABEL_FONT = { family: FONT_FAMILY, size: 8 } as const;

export function protocolChart({ tables }: Snapshot, clean: Clean): BarChart {
  const { rows, more, bytes } = takeTop(tables.protocols, MAX_PROTOCOLS);
  const bars = rows.map((row) => bar([String(row.protocol)], row, protocolColor(String(row.protocol))));
  if (more > 0 && bytes !== null) bars.push(rest([`${more} more`], bytes, bars));
  return barChart(bars, "Bytes on the wire", 20, clean);
}

export function pairsChart({ tables }: Snapshot, clean: Clean): BarChart {
  const { rows } = takeTop(tables.pairs, MAX_PAIRS);
  const bars = rows.map((row) => bar([String(row.source), `→ ${row.destination}`], row, SERVICE_COLOR));
  return barChart(bars, "Bytes sent in this direction", 25, clean);
}

export function talkersChart({ tables }: Snapshot, clean: Clean): BarChart {
  const { rows } = takeTop(tables.talkers, MAX_TALKERS);
  const bars = rows.map((row) => bar([String(row.service)], row, SERVICE_COLOR));
  return barChart(bars, "Bytes sent", 19, clean);
}

function bar(label: readonly string[], row: Row, color: string): Bar {
  return { label, bytes: numberOf(row.bytes), share: numberOf(row.share), color };
}

function rest(label: readonly string[], bytes: number, others: readonly Bar[]): Bar {
  return {
    label,
    bytes,
    share: Math.max(0, 1 - others.reduce((sum, { share }) => sum + share, 0)),
    color: protocolColor(""),
  };
}

function barChart(bars: readonly Bar[], title: string, pitch: number, clean: Clean): BarChart {
  const scale = byteScale(bars.reduce((most, { bytes }) => Math.max(most, bytes), 0));
  const labels = bars.map(({ label }) => {
    const lines = label.map((line) => cutMiddle(clean(line), LABEL_CHARACTERS));
    return lines.length === 1 ? lines[0]! : lines;
  });
  const configuration: ChartConfiguration<"bar"> = {
    type: "bar",
    data: {
      labels,
      datasets: [
        {
          data: bars.map(({ bytes }) => bytes / scale.divisor),
          backgroundColor: bars.map(({ color }) => color),
          barPercentage: 0.74,
          categoryPercentage: 1,
          minBarLength: 1,
        },
      ],
    },
    options: barOptions(`${title} (${scale.unit})`),
    plugins: [endLabels(bars.map(({ bytes, share }) => `${formatBytes(bytes)} · ${formatRatio(share)}`))],
  };
  return { configuration, height: FRAME + pitch * bars.length, bars: bars.length };
}

export function barOptions(title: string): NonNullable<ChartConfiguration<"bar">["options"]> {
  return {
    locale: "en",
    indexAxis: "y",
    layout: { padding: { right: 84 } },
    plugins: { legend: { display: false }, tooltip: { enabled: false } },
    scales: {
      x: {
        beginAtZero: true,
        title: { display: true, text: title, color: MUTED, font: LABEL_FONT },
        ticks: { color: MUTED, font: LABEL_FONT, maxTicksLimit: 7, maxRotation: 0 },
        grid: { color: GRID, drawTicks: false },
        border: { display: false },
      },
      y: {
        ticks: { color: INK, font: LABEL_FONT, autoSkip: false },
        grid: { display: false },
        border: { color: MUTED },
      },
    },
  };
}

/** Writes each bar's value at its end; one list of texts per dataset. */
export function endLabels(...texts: readonly (readonly string[])[]): Plugin<"bar"> {
  return {
    id: "endLabels",
    afterDatasetsDraw(chart: Chart) {
      const { ctx } = chart;
      ctx.save();
      ctx.font = `8px "${FONT_FAMILY}"`;
      ctx.fillStyle = INK;
      ctx.textAlign = "left";
      ctx.textBaseline = "middle";
      texts.forEach((own, dataset) => {
        chart.getDatasetMeta(dataset).data.forEach((element, i) => {
          ctx.fillText(own[i]!, element.x + 5, element.y);
        });
      });
      ctx.restore();
    },
  };
}
