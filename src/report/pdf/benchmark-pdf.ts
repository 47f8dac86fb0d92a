/** A Benchmark as a document: the load, the findings, charts, every round. */
import type { Benchmark, BenchmarkMode } from "../../analyze/benchmark/benchmark.js";
import { formatCount, formatDuration, formatFrequency, formatInstant } from "../../format.js";
import {
  describeLoad,
  describeMachine,
  figureRows,
  outcomeRows,
  titleOf,
  wireRows,
} from "../benchmark-rows.js";
import {
  hopsChart,
  type ModeBars,
  ROUNDS_HEIGHT,
  roundsChart,
  timesChart,
} from "../charts/benchmark-charts.js";
import { ChartMaker } from "../charts/chart-maker.js";
import { MODE_COLORS } from "../charts/palette.js";
import { drawChart } from "./page/chart.js";
import { openDocument } from "./page/document.js";
import type { Sheet } from "./page/sheet.js";
import { drawTable, type PdfColumn, TABLE_START, tableHeight } from "./page/table.js";
import { PAGE, SIZE } from "./page/theme.js";
import { drawFact, drawFinding, drawTitle } from "./sections/summary.js";

const LEGEND = 18;

/** The same Benchmark gives the same bytes. */
export async function renderBenchmarkPdf(benchmark: Benchmark): Promise<Uint8Array> {
  const { producer, time } = benchmark;
  const date = new Date(time);
  const [maker, paper] = await Promise.all([
    ChartMaker.open(),
    openDocument({ title: titleOf(benchmark), producer, date }),
  ]);
  const { sheet } = paper;
  drawTitle(sheet, titleOf(benchmark), producer, date);
  drawHead(sheet, benchmark);
  drawFindings(sheet, benchmark);
  drawSpeed(sheet, benchmark, maker);
  drawFigures(sheet, benchmark);
  drawWire(sheet, benchmark, maker);
  drawRounds(sheet, benchmark);
  return await paper.finish("");
}

function drawHead(sheet: Sheet, benchmark: Benchmark): void {
  drawFact(sheet, "When", `${formatInstant(benchmark.time)} UTC`);
  drawFact(sheet, "Machine", describeMachine(benchmark));
  drawFact(sheet, "Load", `GET ${benchmark.load.path}; ${describeLoad(benchmark)}`);
  for (const { mode, client, facts } of benchmark.modes)
    drawFact(sheet, mode, [...facts, `The load comes from: ${client}.`]);
}

function drawFindings(sheet: Sheet, { findings, rule }: Benchmark): void {
  sheet.section("Conclusion", "", 60);
  findings.forEach((finding, i) => {
    drawFinding(sheet, finding, i + 1);
  });
  if (rule === null) return;
  sheet.subsection("The rule", 40);
  sheet.paragraph(rule);
}

function drawSpeed(sheet: Sheet, benchmark: Benchmark, maker: ChartMaker): void {
  const { modes } = benchmark;
  sheet.section("Speed", "", LEGEND + ROUNDS_HEIGHT + 30);
  drawLegend(sheet, modes);
  drawChart(sheet, maker, roundsChart(benchmark), ROUNDS_HEIGHT);
  sheet.caption("Each mark is a round; the line of a mode is its median.");
  const latency = timesChart(modes, ["p50_seconds", "p95_seconds", "p99_seconds"]);
  sheet.subsection("Latency", LEGEND + latency.height);
  drawBars(sheet, maker, latency, modes);
  if (modes.some(({ figures }) => figures.cpu_seconds_per_request !== null)) {
    const cpu = timesChart(modes, ["cpu_seconds_per_request"]);
    sheet.subsection("CPU", LEGEND + cpu.height);
    drawBars(sheet, maker, cpu, modes);
    sheet.caption("Time on a CPU of all processes that serve, a request; the load's own is not in it.");
  }
}

function drawFigures(sheet: Sheet, benchmark: Benchmark): void {
  const { modes, comparisons } = benchmark;
  const figures = figureRows(benchmark);
  sheet.subsection("Figures", tableHeight(figures.length));
  const columns: PdfColumn<ReturnType<typeof figureRows>[number]>[] = [
    { title: "Median ± MAD", lines: ({ figure }) => [figure] },
    ...modeColumns(modes),
    ...(comparisons.length > 0
      ? [
          {
            title: `${modes[1]!.mode}/${modes[0]!.mode}`,
            number: true,
            lines: ({ ratio }: { ratio: string }) => [ratio],
          },
          { title: "Chance", number: true, lines: ({ chance }: { chance: string }) => [chance] },
          { title: "Verdict", lines: ({ verdict }: { verdict: string }) => [verdict] },
        ]
      : []),
  ];
  drawTable(sheet, columns, figures);
  const outcomes = outcomeRows(benchmark);
  sheet.subsection("Outcomes, all rounds together", tableHeight(outcomes.length));
  drawTable(sheet, [{ title: "Outcome", lines: ({ kind }) => [kind] }, ...modeColumns(modes)], outcomes);
}

function drawWire(sheet: Sheet, benchmark: Benchmark, maker: ChartMaker): void {
  const { modes } = benchmark;
  const rows = wireRows(benchmark);
  const chart = hopsChart(modes);
  if (rows.length === 0 || chart === null) return;
  const introduction =
    "One round more of each mode, with netwatch listening on the shop's bridges; not among the rounds above. All hops: the whole shop, with the health checks and heartbeats of that time.";
  sheet.section("On the wire", introduction, LEGEND + chart.height);
  drawBars(sheet, maker, chart, modes);
  sheet.space(8);
  drawTable(
    sheet,
    [{ title: "Bytes in packets, a request", lines: ({ part }) => [part] }, ...modeColumns(modes)],
    rows,
  );
}

function drawRounds(sheet: Sheet, { modes }: Benchmark): void {
  const rows = modes
    .flatMap(({ mode, rounds }) => rounds.map((round) => ({ mode, ...round })))
    .sort((a, b) => a.turn - b.turn);
  sheet.section("Every round", "", TABLE_START);
  const number = (title: string, text: (row: (typeof rows)[number]) => string) => ({
    title,
    number: true,
    lines: (row: (typeof rows)[number]) => [text(row)],
  });
  drawTable(
    sheet,
    [
      number("Turn", ({ turn }) => formatCount(turn)),
      { title: "Mode", lines: ({ mode }) => [mode] },
      number("Requests", ({ requests }) => formatCount(requests)),
      number("A second", (row) => formatFrequency(row.requests_per_second)),
      number("p50", (row) => formatDuration(row.p50_seconds)),
      number("p95", (row) => formatDuration(row.p95_seconds)),
      number("p99", (row) => formatDuration(row.p99_seconds)),
      number("Most", (row) => formatDuration(row.max_seconds)),
      number("CPU", ({ cpu_seconds_per_request: cpu }) => (cpu === null ? "-" : formatDuration(cpu))),
      number("Failed", ({ errors }) => formatCount(Object.values(errors).reduce((sum, n) => sum + n, 0))),
    ],
    rows,
  );
}

function modeColumns<T extends { readonly values: readonly string[] }>(
  modes: readonly BenchmarkMode[],
): PdfColumn<T>[] {
  return modes.map(({ mode }, i) => ({
    title: mode,
    number: true,
    lines: ({ values }) => [values[i] ?? "-"],
  }));
}

function drawBars(sheet: Sheet, maker: ChartMaker, chart: ModeBars, modes: readonly BenchmarkMode[]): void {
  sheet.keep(LEGEND + chart.height);
  drawLegend(sheet, modes);
  drawChart(sheet, maker, chart.configuration, chart.height);
}

function drawLegend(sheet: Sheet, modes: readonly BenchmarkMode[]): void {
  const style = { size: SIZE.table };
  let x: number = PAGE.left;
  modes.forEach(({ mode }, i) => {
    sheet.doc.rect(x, sheet.y + 1.6, 8, 8).fill(MODE_COLORS[i]!);
    sheet.type.line(mode, x + 12, sheet.y, style);
    x += 12 + sheet.type.width(mode, style) + 16;
  });
  sheet.y += LEGEND;
}
