/** A Benchmark as text for a terminal. */
import stringWidth from "string-width";
import type { Benchmark } from "../../analyze/benchmark/benchmark.js";
import type { Column, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { formatInstant, visible } from "../../format.js";
import { wrapText } from "../../view/wrap.js";
import {
  describeLoad,
  describeMachine,
  figureRows,
  outcomeRows,
  titleOf,
  wireRows,
} from "../benchmark-rows.js";
import { renderFinding, renderTable, strong, type TextOptions } from "./text.js";

export function* renderBenchmark(benchmark: Benchmark, options: TextOptions): Iterable<string> {
  const { modes, findings, rule } = benchmark;
  yield `${strong(titleOf(benchmark), options)}\n`;
  yield* wrapped(describeLoad(benchmark), "", "  ", options);
  yield* wrapped(`${formatInstant(benchmark.time)} UTC · ${describeMachine(benchmark)}`, "", "  ", options);
  yield `\n${strong("Findings", options)}\n`;
  for (const finding of findings) yield* renderFinding(finding, options);
  yield "\n";
  yield* renderTable(figureTable(benchmark), options);
  yield "\n";
  yield* renderTable(countTable(benchmark), options);
  const wire = wireTable(benchmark);
  if (wire.rows.length > 0) {
    yield "\n";
    yield* renderTable(wire, options);
  }
  for (const { mode, client, facts } of modes) {
    yield `\n${strong(`What ${mode} is`, options)}\n`;
    for (const fact of [`The load comes from: ${client}.`, ...facts])
      yield* wrapped(fact, "  ", "  ", options);
  }
  if (rule === null) return;
  yield `\n${strong("The rule", options)}\n`;
  yield* wrapped(rule, "  ", "  ", options);
}

/** Lines no wider than the terminal; `head` before the first, `indent`, no shorter, before the others. */
function* wrapped(text: string, head: string, indent: string, { width }: TextOptions): Iterable<string> {
  const room = Math.max(1, width - indent.length);
  for (const [i, line] of wrapText(visible(text), room, stringWidth, () => room).entries())
    yield `${i === 0 ? head : indent}${line}\n`;
}

function figureTable(benchmark: Benchmark): Table {
  const { modes } = benchmark;
  const compared = modes.length > 1;
  const columns = [
    text("figure", "Figure"),
    ...modeColumns(benchmark),
    ...(compared ? [number("ratio", "Ratio"), number("chance", "Chance"), text("verdict", "Verdict")] : []),
  ];
  const rows = figureRows(benchmark).map(({ figure, values, ratio, chance, verdict }) => ({
    figure,
    ...modeCells(values),
    ratio,
    chance,
    verdict,
  }));
  return table(
    `Median of the rounds ± how far they usually lie from it (MAD)${compared ? `; ratio: ${modes[1]!.mode}/${modes[0]!.mode}` : ""}`,
    columns,
    rows,
  );
}

function countTable(benchmark: Benchmark): Table {
  const rows = outcomeRows(benchmark).map(({ kind, values }) => ({ kind, ...modeCells(values) }));
  return table("All rounds together", [text("kind", "Outcome"), ...modeColumns(benchmark)], rows);
}

function wireTable(benchmark: Benchmark): Table {
  const rows = wireRows(benchmark).map(({ part, values }) => ({ part, ...modeCells(values) }));
  const columns = [text("part", "Bytes in packets"), ...modeColumns(benchmark)];
  return table("On the wire a request, seen by netwatch in one round", columns, rows);
}

function modeColumns({ modes }: Benchmark): Column[] {
  return modes.map(({ mode }, i) => number(`mode${i}`, mode));
}

function modeCells(values: readonly string[]): Row {
  return Object.fromEntries(values.map((value, i) => [`mode${i}`, value]));
}

function text(name: string, title: string): Column {
  return { name, title, kind: "text" };
}

function number(name: string, title: string): Column {
  return { name, title, kind: "count" };
}

function table(title: string, columns: Column[], rows: readonly Row[]): Table {
  return { name: "benchmark", title, columns, rows, total: {}, omitted: 0 };
}
