/** The charts as pictures, with the file names of the project's first scripts. */
import type { ChartConfiguration } from "chart.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { findGaps } from "../completeness.js";
import { FONT_FAMILY, readFontCoverage } from "../pdf/page/fonts.js";
import { safeText } from "../pdf/page/safe-text.js";
import { type ChartPainter, openPainter } from "./chart-png.js";
import { type BarChart, type Clean, pairsChart, protocolChart, talkersChart } from "./charts-bars.js";
import { errorChart, latencyChart, retransmissionChart } from "./charts-quality.js";

interface Picture {
  readonly title: string;
  readonly build: (snapshot: Snapshot, clean: Clean) => BarChart;
}

const PICTURES = {
  "protocol_distribution.png": { title: "Protocol distribution", build: protocolChart },
  "request_errors.png": { title: "Errors by operation", build: errorChart },
  "request_latency.png": { title: "Time to the answer by operation", build: latencyChart },
  "tcp_retransmissions.png": { title: "Retransmissions by pair", build: retransmissionChart },
  "top_service_pairs.png": { title: "Top service pairs", build: pairsChart },
  "top_talkers.png": { title: "Top talkers", build: talkersChart },
} as const satisfies Record<string, Picture>;

export type ChartName = keyof typeof PICTURES;

const WIDTH = 540;
const TITLE_HEIGHT = 30;
/** Pixels a unit: text of 8 units is 24 pixels high. */
const DENSITY = 3;

export async function renderChartPngs(
  snapshot: Snapshot,
  painter?: ChartPainter,
): Promise<{ name: ChartName; bytes: Uint8Array }[]> {
  const { paint } = painter ?? (await openPainter());
  const covers = readFontCoverage();
  const mark = findGaps(snapshot).length > 0 ? " (incomplete capture)" : "";
  return Object.entries(PICTURES).map(([name, { title, build }]) => {
    const chart = build(snapshot, (text) => safeText(text, covers));
    addTitle(chart, title + mark);
    const bytes = paint(
      chart.configuration as ChartConfiguration,
      WIDTH,
      chart.height + TITLE_HEIGHT,
      DENSITY,
    );
    return { name: name as ChartName, bytes };
  });
}

/** A separate picture has a title and a margin. */
function addTitle({ configuration }: BarChart, text: string): void {
  const font = { family: FONT_FAMILY, size: 11, weight: "normal" } as const;
  const title = {
    display: true,
    text,
    align: "start",
    color: "#1b1f23",
    font,
    padding: { bottom: 8 },
  } as const;
  configuration.options = {
    ...configuration.options,
    layout: { padding: { left: 8, right: 84, top: 6, bottom: 6 } },
    plugins: { ...configuration.options?.plugins, title },
  };
}
