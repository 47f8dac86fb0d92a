/** `netwatch report`: a Snapshot as a PDF. */
import { limitSnapshot } from "../analyze/limit.js";
import type { Snapshot } from "../analyze/snapshot.js";
import { renderPdf, SECTIONS, type Section } from "../report/pdf.js";
import { writeWhole } from "../report/write.js";
import { analyzeCaptures, type CaptureOptions } from "./captures.js";
import { CommandError, ExitCode, isMissingModule, reasonOf } from "./exit.js";
import { keepSnapshot, readKeptSnapshot, readSnapshot } from "./kept.js";
import type { Terminal } from "./terminal.js";

export interface ReportOptions extends CaptureOptions {
  readonly read?: readonly string[];
  readonly from?: string;
  readonly sections?: string;
  readonly title?: string;
  /** When the report was made. */
  readonly date: Date;
}

/** Rows a table can contribute to a report. */
const REPORT_ROWS = 1000;

export async function report(
  path: string,
  options: ReportOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const sections = parseSections(options.sections);
  const { snapshot, exitCode } = await takeSnapshot(options, producer, terminal);
  const title =
    options.title ??
    `Traffic of ${snapshot.ledger.files.map((file) => file.name).join(", ") || "the network"}`;
  let pdf: Uint8Array;
  try {
    pdf = await renderPdf(snapshot, { title, date: options.date, ...(sections ? { sections } : {}) });
  } catch (error) {
    if (isMissingModule(error)) throw new CommandError(ExitCode.failure, (error as Error).message);
    throw error;
  }
  try {
    writeWhole(path, [pdf]);
  } catch (error) {
    throw new CommandError(ExitCode.unwritable, `${path}: ${reasonOf(error)}`);
  }
  terminal.say(`wrote ${path}`);
  return exitCode;
}

async function takeSnapshot(
  options: ReportOptions,
  producer: string,
  terminal: Terminal,
): Promise<{ snapshot: Snapshot; exitCode: ExitCode }> {
  if (options.read && options.from)
    throw new CommandError(ExitCode.usage, "give either -r FILE or --from FILE, not both");
  if (options.from) return { snapshot: await readSnapshot(options.from), exitCode: ExitCode.ok };
  if (!options.read) return { snapshot: await readKeptSnapshot(terminal.env), exitCode: ExitCode.ok };
  const { snapshot, exitCode } = await analyzeCaptures(options.read, options, producer, terminal);
  const limited = limitSnapshot(snapshot, REPORT_ROWS);
  keepSnapshot(limited, terminal.env);
  return { snapshot: limited, exitCode };
}

function parseSections(text: string | undefined): readonly Section[] | null {
  if (text === undefined) return null;
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(SECTIONS as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new CommandError(ExitCode.usage, `no section ${unknown}: choose from ${SECTIONS.join(", ")}`);
  return names as Section[];
}
