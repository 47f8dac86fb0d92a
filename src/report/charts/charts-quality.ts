/** The bar charts of quality: response times, errors, retransmissions. */
import type { ChartConfiguration } from "chart.js";
import type { Row, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { formatCount, formatDuration, formatRatio } from "../../format.js";
import { heaviestOperations } from "../../view/application-rows.js";
import { numberOf } from "../../view/cells.js";
import { cutMiddle } from "../../view/cut.js";
import { countListed } from "../../view/top-rows.js";
import { type BarChart, barOptions, type Clean, endLabels, FRAME, LABEL_CHARACTERS } from "./charts-bars.js";
import { QUANTILE_COLORS, SERVICE_COLOR } from "./palette.js";

const MAX_BARS = 10;
/** Operations with fewer requests have no meaningful tail. */
const MIN_REQUESTS = 5;
/** Pairs with fewer segments have no meaningful ratio. */
const MIN_SEGMENTS = 100;
const QUANTILES = ["p50", "p95", "p99"] as const;
const PITCH = 25;
const QUANTILE_PITCH = 36;

/** The slowest operations, three bars each. The axis is logarithmic, so that fast and slow operations are both readable. */
export function latencyChart(snapshot: Snapshot, clean: Clean): BarChart {
  const rows = heaviestOperations(snapshot, MAX_BARS, (row) =>
    numberOf(row.requests) >= MIN_REQUESTS ? numberOf(row.p95_ms) : 0,
  );
  const times = rows.flatMap((row) => QUANTILES.map((name) => numberOf(row[`${name}_ms`])));
  const least = Math.min(...times.filter((ms) => ms > 0));
  const floor = times.length === 0 ? 0.001 : 10 ** (Math.ceil(Math.log10(least)) - 1);
  const chart = barChart(rows.map(operationLabel), clean, QUANTILE_PITCH);
  const { configuration } = chart;
  configuration.data.datasets = QUANTILES.map((name, i) => ({
    data: rows.map((row) => Math.max(floor, numberOf(row[`${name}_ms`]))),
    backgroundColor: QUANTILE_COLORS[i]!,
    barPercentage: 0.92,
    categoryPercentage: 0.8,
    minBarLength: 1,
  }));
  configuration.options = barOptions("Time to the answer: p50, p95 and p99 below each other");
  const { x } = configuration.options.scales!;
  Object.assign(x!, { type: "logarithmic", beginAtZero: false, min: floor });
  Object.assign(x!.ticks!, {
    callback: (value: number | string) => (isPowerOfTen(Number(value)) ? formatMs(Number(value)) : ""),
    autoSkip: false,
  });
  const texts = QUANTILES.map((name) => rows.map((row) => formatMs(numberOf(row[`${name}_ms`]))));
  configuration.plugins = [endLabels(...texts)];
  return chart;
}

/** The operations with the most errors, by the ratio of errors to answers. */
export function errorChart(snapshot: Snapshot, clean: Clean): BarChart {
  const rows = heaviestOperations(snapshot, MAX_BARS, (row) => numberOf(row.errors));
  const answers = (row: Row) => numberOf(row.requests) - numberOf(row.unanswered);
  const ratio = (row: Row) => numberOf(row.errors) / Math.max(1, numberOf(row.errors), answers(row));
  return percentChart(rows.map(operationLabel), clean, "Errors, part of the answers (%)", {
    ratios: rows.map(ratio),
    texts: rows.map((row) => `${formatCount(numberOf(row.errors))} · ${formatRatio(ratio(row))}`),
  });
}

/** The pairs with the highest retransmission ratio. */
export function retransmissionChart({ tables }: Snapshot, clean: Clean): BarChart {
  const ratio = (row: Row) => Math.min(1, numberOf(row.retransmission_ratio));
  const rows = [...tables.tcp.rows]
    .slice(0, countListed(tables.tcp))
    .filter((row) => numberOf(row.segments) >= MIN_SEGMENTS && ratio(row) > 0)
    .sort((x, y) => ratio(y) - ratio(x))
    .slice(0, MAX_BARS);
  const labels = rows.map((row) => [String(row.source), `→ ${row.destination}`]);
  return percentChart(labels, clean, "Segments sent again (%)", {
    ratios: rows.map(ratio),
    texts: rows.map((row) => `${formatCount(numberOf(row.retransmissions))} · ${formatRatio(ratio(row))}`),
  });
}

function operationLabel(row: Row): readonly string[] {
  return [String(row.operation), `${row.source} → ${row.destination}`];
}

function formatMs(ms: number): string {
  return formatDuration(ms / 1000);
}

function isPowerOfTen(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
}

function percentChart(
  labels: readonly (readonly string[])[],
  clean: Clean,
  title: string,
  { ratios, texts }: { readonly ratios: readonly number[]; readonly texts: readonly string[] },
): BarChart {
  const chart = barChart(labels, clean, PITCH);
  const data = ratios.map((ratio) => ratio * 100);
  const bars = { data, backgroundColor: SERVICE_COLOR, barPercentage: 0.74, minBarLength: 1 };
  chart.configuration.data.datasets = [{ ...bars, categoryPercentage: 1 }];
  chart.configuration.options = barOptions(title);
  chart.configuration.plugins = [endLabels(texts)];
  return chart;
}

/** A chart of these labels, without its bars. */
function barChart(labels: readonly (readonly string[])[], clean: Clean, pitch: number): BarChart {
  const lines = labels.map((label) => label.map((line) => cutMiddle(clean(line), LABEL_CHARACTERS)));
  const configuration: ChartConfiguration<"bar"> = { type: "bar", data: { labels: lines, datasets: [] } };
  return { configuration, height: FRAME + pitch * labels.length, bars: labels.length };
}
