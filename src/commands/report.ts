/** `netwatch report`: a Snapshot as a PDF. */
import { limitSnapshot } from "../analyze/snapshot/limit.js";
import type { Snapshot } from "../analyze/snapshot/snapshot.js";
import type { Outputs } from "../engine/recording/outputs.js";
import { lastSnapshotPath } from "../engine/recording/state-folder.js";
import { CommandError, ExitCode, reasonOf } from "../exit.js";
import { loadPdf, renderPdf } from "../report/pdf/pdf.js";
import { SECTIONS, type Section } from "../report/pdf/sections.js";
import { writeWhole } from "../write.js";
import { analyzeCaptures, type CaptureOptions } from "./analyze/captures.js";
import { checkMade, keepSnapshot, readLastSnapshot, readSnapshot } from "./analyze/last-snapshot.js";
import { type LiveWords, liveOptionsOf } from "./capture/live-options.js";
import { waitingFor } from "./signals.js";
import type { Terminal } from "./terminal.js";

export interface ReportOptions extends CaptureOptions, Partial<LiveWords> {
  readonly read?: readonly string[];
  readonly from?: string;
  readonly sections?: string;
  readonly title?: string;
  /** Time of the report. */
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
  const { snapshot, exitCode, writeFile } = await takeSnapshot(path, options, producer, terminal);
  const title =
    options.title ??
    `Traffic of ${snapshot.ledger.files.map((file) => file.name).join(", ") || "the network"}`;
  const pdf = await renderPdf(snapshot, { title, date: options.date, ...(sections ? { sections } : {}) });
  try {
    await waitingFor([path], terminal, () => writeFile(path, [pdf]), "after");
  } catch (error) {
    throw new CommandError(ExitCode.unwritable, `${path}: ${reasonOf(error)}`);
  }
  terminal.say(`wrote ${path}`);
  return exitCode;
}

/** A Snapshot, the command's exit code, and the right to write with. */
interface Taken {
  readonly snapshot: Snapshot;
  readonly exitCode: ExitCode;
  readonly writeFile: Outputs["writeFile"];
}

async function takeSnapshot(
  path: string,
  options: ReportOptions,
  producer: string,
  terminal: Terminal,
): Promise<Taken> {
  const isLive = options.interface !== undefined || options.bridge !== undefined;
  if ([options.read, options.from, isLive || undefined].filter((said) => said !== undefined).length > 1)
    throw new CommandError(ExitCode.usage, "give one of -r FILE, --from FILE and -i NAME");
  if (isLive) return await takeLive(path, options, producer, terminal);
  const kept = (snapshot: Snapshot): Taken => ({
    snapshot: checkMade(snapshot, options),
    exitCode: ExitCode.ok,
    writeFile: writeWhole,
  });
  const { from } = options;
  if (from) return kept(await waitingFor([from], terminal, () => readSnapshot(from)));
  if (!options.read) return kept(await readLastSnapshot(terminal.env));
  const { snapshot, exitCode } = await analyzeCaptures(options.read, options, producer, terminal);
  const limited = limitSnapshot(snapshot, REPORT_ROWS);
  keepSnapshot(limited, terminal.env);
  return { snapshot: limited, exitCode, writeFile: writeWhole };
}

async function takeLive(
  path: string,
  options: ReportOptions,
  producer: string,
  terminal: Terminal,
): Promise<Taken> {
  const { runLive } = await import("./capture/live.js");
  const { keepLive, summaryLine } = await import("./capture/capture.js");
  const view = { follower: null, reserve: [lastSnapshotPath(terminal.env), path], load: loadPdf };
  const live = liveOptionsOf({ signal: new AbortController().signal, ...options });
  const { snapshot, exitCode, outputs, troubles } = await runLive(live, view, producer, terminal);
  const limited = limitSnapshot(snapshot, REPORT_ROWS);
  keepLive(limited, outputs, terminal);
  for (const line of [...troubles, summaryLine(snapshot)]) terminal.say(line);
  return { snapshot: limited, exitCode, writeFile: outputs.writeFile };
}

function parseSections(text: string | undefined): readonly Section[] | null {
  if (text === undefined) return null;
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(SECTIONS as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new CommandError(ExitCode.usage, `no section ${unknown}: choose from ${SECTIONS.join(", ")}`);
  return names as Section[];
}
