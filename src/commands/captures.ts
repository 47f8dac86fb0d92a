/** From file names to counts: opens captures, runs them through an analyzer, tells how each fared. */
import { basename } from "node:path";
import { Analyzer } from "../analyze/analyzer.js";
import { buildSnapshot } from "../analyze/build.js";
import type { LedgerFile, Snapshot } from "../analyze/snapshot.js";
import { fromStream, openFile } from "../capture/file/bytes.js";
import { CaptureReader, readPackets } from "../capture/file/file.js";
import { PacketFilter } from "../capture/file/file-filter.js";
import { CaptureError } from "../capture/live/live.js";
import { type Names, NamesError, namesOfCapture, readNames } from "../capture/names/names.js";
import type { Packet } from "../capture/packet.js";
import { formatBytes, formatCount, formatCounted, visible } from "../format.js";
import { CommandError, ExitCode, reasonOf } from "./exit.js";
import type { Sidecar } from "./sidecar-reader.js";
import { waitingFor } from "./signals.js";
import type { Terminal } from "./terminal.js";

export interface CaptureOptions {
  readonly numeric?: boolean;
  readonly names?: string;
  /** What a live run wrote beside its capture. */
  readonly sidecar?: string;
  readonly maxFlows?: number;
  /** Count packets in tunnels by the headers inside. */
  readonly decapsulate?: boolean;
  /** Show stand-ins for names that the packets hold. */
  readonly redact?: boolean;
  /** In tcpdump's language: only packets that match are counted. */
  readonly filter?: string;
  /** Stirs the flow table's hash; changes no result. */
  readonly seed?: number;
}

/** What came of reading: the Snapshot, and how the command is to end because of it. */
export interface CaptureResult {
  readonly snapshot: Snapshot;
  /** What the Snapshot was built of, and the names it was built with. */
  readonly analyzer: Analyzer;
  readonly names: Names | null;
  readonly exitCode: ExitCode;
}

const PROGRESS_MS = 200;

/**
 * Reads captures (`-` is stdin) as one, in time order, and says on the terminal what is wrong with any. Throws
 * CommandError where nothing could be read.
 */
export function analyzeCaptures(
  files: readonly string[],
  options: CaptureOptions,
  producer: string,
  terminal: Terminal,
): Promise<CaptureResult> {
  const paths = [options.names, options.sidecar, ...files];
  return waitingFor(paths, terminal, () => readCaptures(files, options, producer, terminal));
}

async function readCaptures(
  files: readonly string[],
  options: CaptureOptions,
  producer: string,
  terminal: Terminal,
): Promise<CaptureResult> {
  const fromFile = options.numeric || options.names === undefined ? null : loadNames(options.names);
  const sidecar = options.sidecar === undefined ? null : await loadSidecar(options.sidecar, terminal);
  const { readers, size, failures } = await openAll(files, terminal);
  const analyzer = new Analyzer({
    ...(options.maxFlows === undefined ? {} : { maxFlows: options.maxFlows }),
    decapsulate: options.decapsulate ?? false,
    seed: options.seed ?? 0,
    nameChangesUs: (fromFile ?? sidecar?.names)?.changesUs() ?? [],
  });
  const timer = setInterval(
    () => terminal.progress(progressText(readers, size, analyzer.packets)),
    PROGRESS_MS,
  );
  try {
    await readPackets(readers, takerOf(analyzer, options.filter));
  } finally {
    clearInterval(timer);
    terminal.progress("");
    for (const reader of readers) reader.close();
  }
  const damaged: string[] = [];
  for (const reader of readers)
    if (reader.report.damageCount > 0) (isUnreadable(reader) ? failures : damaged).push(problemOf(reader));
  if (failures.length === files.length) {
    for (const failure of failures.slice(0, -1)) terminal.say(failure);
    throw new CommandError(ExitCode.unreadable, failures.at(-1)!);
  }
  for (const line of [...failures, ...damaged]) terminal.say(line);
  const names = options.numeric
    ? null
    : (fromFile ?? sidecar?.names ?? namesOfCapture(readers.flatMap((reader) => reader.report.names)));
  const snapshot = buildSnapshot(analyzer, {
    producer,
    files: readers.map(ledgerFile),
    dropped: droppedOf(readers),
    names,
    redact: options.redact ?? false,
    ...(sidecar?.tracking ? { tracking: sidecar.tracking } : {}),
  });
  const exitCode =
    failures.length > 0 ? ExitCode.unreadable : damaged.length > 0 ? ExitCode.damaged : ExitCode.ok;
  return { snapshot, analyzer, names, exitCode };
}

/** Reads a names file. Throws CommandError. */
export function loadNames(path: string): Names {
  try {
    return readNames(path);
  } catch (error) {
    const reason = error instanceof NamesError ? error.message : reasonOf(error);
    throw new CommandError(ExitCode.unreadable, `names file ${path}: ${reason}`);
  }
}

/** Reads what a live run wrote beside its capture. Throws CommandError. */
export async function loadSidecar(path: string, terminal: Terminal): Promise<Sidecar> {
  const { readSidecar } = await import("./sidecar-reader.js");
  const sidecar = await readSidecar(path);
  if (sidecar.cut) terminal.say(`sidecar ${path}: cut off in its last line; the lines before it are used`);
  return sidecar;
}

/** Counts a packet, where it matches. Throws CommandError for a filter that is wrong, before any packet. */
export function takerOf(analyzer: Analyzer, filter = ""): (packet: Packet) => void {
  if (filter.trim() === "") return (packet) => analyzer.add(packet);
  try {
    const packetFilter = new PacketFilter(filter);
    return (packet) => {
      if (packetFilter.matches(packet)) analyzer.add(packet);
    };
  } catch (error) {
    if (error instanceof CaptureError) throw new CommandError(ExitCode.badFilter, error.message);
    throw error;
  }
}

async function openAll(
  files: readonly string[],
  terminal: Terminal,
): Promise<{ readers: CaptureReader[]; size: number; failures: string[] }> {
  const readers: CaptureReader[] = [];
  const failures: string[] = [];
  let size = 0;
  for (const file of files) {
    try {
      if (file === "-") readers.push(await CaptureReader.open("stdin", fromStream(terminal.stdin)));
      else {
        const source = openFile(file);
        size += source.size;
        readers.push(await CaptureReader.open(file, source));
      }
    } catch (error) {
      failures.push(`${file}: ${reasonOf(error)}`);
    }
  }
  return { readers, size, failures };
}

/** Nothing of it could be used: not a capture at all, or cut off in its very beginning. */
function isUnreadable(reader: CaptureReader): boolean {
  const first = reader.report.damages[0];
  return reader.packets === 0 && first !== undefined && first.fatal && first.offset === 0;
}

function problemOf(reader: CaptureReader): string {
  const { damages, damageCount } = reader.report;
  const { offset, reason, fatal } = damages[0]!;
  if (isUnreadable(reader)) return `${reader.name}: ${reason}`;
  const more = damageCount > 1 ? ` (and ${formatCount(damageCount - 1)} more)` : "";
  const kept = `${formatCounted(reader.packets, "packet")} ${fatal && damageCount === 1 ? "before it" : "in all"} counted`;
  return `${reader.name}: damaged at byte ${offset}: ${reason}${more}; ${kept}`;
}

export function ledgerFile(reader: CaptureReader): LedgerFile {
  const { damages, damageCount } = reader.report;
  const first = damages[0];
  return {
    name: reader.name === "stdin" ? reader.name : visible(basename(reader.name)),
    packets: reader.packets,
    damage: first ? { offset: first.offset, reason: first.reason, count: damageCount } : null,
  };
}

/** What the captures together say was lost; null when none says anything. */
function droppedOf(readers: readonly CaptureReader[]): number | null {
  const said = readers.map((reader) => reader.report.dropped).filter((n) => n !== null);
  return said.length === 0 ? null : said.reduce((sum, n) => sum + n, 0);
}

function progressText(readers: readonly CaptureReader[], size: number, packets: number): string {
  const read = readers.reduce((sum, reader) => sum + reader.bytesTaken, 0);
  const part = size > 0 ? `${Math.min(100, Math.floor((read / size) * 100))} % ` : "";
  return `${part}${formatCounted(packets, "packet")}, ${formatBytes(read)}`;
}
