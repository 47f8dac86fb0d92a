/** `netwatch analyze`: captures in, tables out. */
import { join } from "node:path";
import { limitTable } from "../../analyze/snapshot/limit.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { formatCounted } from "../../format.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import {
  describeIncompleteness,
  describeMissing,
  type Missing,
  missingHere,
  missingOf,
} from "../../view/missing.js";
import { makeFolder, writeWhole } from "../../write.js";
import { loadTableNames, type OutputFormat } from "../options.js";
import type { Terminal } from "../terminal.js";
import { analyzeCaptures, type CaptureOptions } from "./captures.js";
import { keepSnapshot } from "./last-snapshot.js";
import { missingTable, sayMissing } from "./missing-report.js";

export interface AnalyzeOptions extends CaptureOptions {
  readonly output: OutputFormat;
  readonly table?: string;
  readonly outDir?: string;
}

/** Rows of each table in a Markdown summary. */
const MARKDOWN_ROWS = 20;

export async function analyze(
  files: readonly string[],
  options: AnalyzeOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  if (options.output === "csv" && options.table === undefined) {
    const names = (await loadTableNames()).join("|");
    throw new CommandError(ExitCode.usage, `-o csv prints one table: add --table ${names}`);
  }
  const { snapshot, exitCode } = await analyzeCaptures(files, options, producer, terminal);
  try {
    keepSnapshot(snapshot, terminal.env);
  } catch (error) {
    terminal.say(`the snapshot could not be kept for \`netwatch report\`: ${reasonOf(error)}`);
  }
  if (options.outDir !== undefined) await writeFolder(options.outDir, snapshot, terminal);
  await terminal.write(await render(snapshot, options, terminal));
  const isForPrograms = options.output !== "table" && options.output !== "markdown";
  if (options.table !== undefined && isForPrograms)
    sayMissing(snapshot, snapshot.tables[options.table]!, terminal);
  return exitCode;
}

/** Loads only the writer of the chosen format, so that no other library delays the start. */
async function render(
  snapshot: Snapshot,
  options: AnalyzeOptions,
  terminal: Terminal,
): Promise<Iterable<string>> {
  const chosen = options.table === undefined ? null : snapshot.tables[options.table]!;
  switch (options.output) {
    case "json":
    case "ndjson":
    case "csv":
      return (await import("./machine-forms.js")).renderForm(options.output, snapshot, chosen);
    case "markdown": {
      const { escapeMarkdown, renderMarkdown } = await import("../../report/data/markdown.js");
      const below = (missing: readonly Missing[]) =>
        missing.length === 0 ? "" : `\n${escapeMarkdown(describeMissing(missing))}\n`;
      if (chosen !== null) return [renderMarkdown(chosen), below(missingOf(snapshot, chosen))];
      const about = describeIncompleteness(snapshot);
      const tables = Object.values(snapshot.tables).flatMap((whole) => {
        const [table, missing] = [limitTable(whole, MARKDOWN_ROWS), missingHere(snapshot, whole)];
        return table.rows.length + missing.length === 0
          ? []
          : [
              `## ${escapeMarkdown(table.title)}

${renderMarkdown(table)}${below(missing)}
`,
            ];
      });
      return [...(about === "" ? [] : [`${escapeMarkdown(about)}\n\n`]), ...tables];
    }
    case "table": {
      const { renderSummary, renderTableOf } = await import("../../report/text/text.js");
      return chosen === null ? renderSummary(snapshot, terminal) : renderTableOf(snapshot, chosen, terminal);
    }
  }
}

/** The files of the project's first scripts, the quality tables, and the Snapshot. */
async function writeFolder(folder: string, snapshot: Snapshot, terminal: Terminal): Promise<void> {
  const { renderChartPngs } = await import("../../report/charts/charts.js");
  const { renderCsv } = await import("../../report/data/csv.js");
  const { pairs, protocols, talkers } = snapshot.tables;
  const charts = await renderChartPngs(snapshot);
  // Under their own names.
  const quality = Object.values(snapshot.tables).filter(
    ({ subject }) => subject === "tcp" || subject === "requests",
  );
  try {
    makeFolder(folder);
    writeWhole(join(folder, "packets_per_service_pair.csv"), renderCsv(pairs));
    writeWhole(join(folder, "protocol_distribution.csv"), renderCsv(protocols));
    writeWhole(join(folder, "top_talkers.csv"), renderCsv(talkers));
    for (const table of quality) writeWhole(join(folder, `${table.name}.csv`), renderCsv(table));
    writeWhole(join(folder, "missing.csv"), renderCsv(missingTable(snapshot)));
    writeWhole(join(folder, "snapshot.json"), renderSnapshotJson(snapshot, true));
    for (const { name, bytes } of charts) writeWhole(join(folder, name), [bytes]);
    terminal.say(`wrote ${formatCounted(5 + quality.length + charts.length, "file")} to ${folder}`);
  } catch (error) {
    throw new CommandError(ExitCode.unwritable, `${folder}: ${reasonOf(error)}`);
  }
}
