/** Reads the captures of the command line and reports their problems on the terminal. */
import type { Analyzer } from "../../analyze/analyzer.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { fromStream, openFile } from "../../capture/file/bytes.js";
import { type CaptureProblem, UnreadableError } from "../../capture/file/problem.js";
import type { Names } from "../../capture/names/names.js";
import type { Packet } from "../../capture/packet.js";
import {
  type CaptureInput,
  type CaptureProgress,
  countCaptures,
  type ReadResult,
  takerOf as takerOfPackets,
} from "../../captures.js";
import { loadNames } from "../../engine/names-file.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { formatBytes, formatCount, formatCounted } from "../../format.js";
import { asCommandError } from "../capture/capture-errors.js";
import { waitingFor } from "../signals.js";
import type { Terminal } from "../terminal.js";
import type { Sidecar } from "./sidecar-reader.js";

export interface CaptureOptions {
  readonly numeric?: boolean;
  readonly names?: string;
  /** The sidecar file of a live run. */
  readonly sidecar?: string;
  readonly maxFlows?: number;
  /** Count packets in tunnels by the headers inside. */
  readonly decapsulate?: boolean;
  /** Replace names from packets by stand-ins. */
  readonly redact?: boolean;
  /** In tcpdump's language: only packets that match are counted. */
  readonly filter?: string;
  /** Seed of the flow table's hash; changes no result. */
  readonly seed?: number;
}

/** The result of reading: the Snapshot, and the command's exit code. */
export interface CaptureResult {
  readonly snapshot: Snapshot;
  /** The analyzer and the names that the Snapshot was built from. */
  readonly analyzer: Analyzer;
  readonly names: Names | null;
  readonly exitCode: ExitCode;
}

/**
 * Reads captures (`-` is stdin) merged in time order, and reports their problems on the terminal. Throws
 * CommandError if nothing could be read.
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
  const { filter, decapsulate, redact, maxFlows, seed } = options;
  let counted: ReadResult;
  try {
    counted = await countCaptures(
      files.map((file) => inputOf(file, terminal)),
      {
        ...{ producer, filter, decapsulate, redact, maxFlows, seed },
        names: options.numeric ? null : (fromFile ?? sidecar?.names ?? undefined),
        conntrack: sidecar?.conntrack ?? undefined,
        onProgress: (progress) => terminal.progress(progressText(progress)),
      },
    );
  } catch (error) {
    terminal.progress("");
    if (!(error instanceof UnreadableError)) throw asCommandError(error);
    const failures = error.problems.map(sentenceOf);
    for (const failure of failures.slice(0, -1)) terminal.say(failure);
    throw new CommandError(ExitCode.unreadable, failures.at(-1)!);
  }
  terminal.progress("");
  const { problems, snapshot, analyzer, names } = counted;
  for (const problem of problems) terminal.say(sentenceOf(problem));
  const isUnreadable = problems.some(({ kind }) => kind === "unreadable");
  const exitCode = isUnreadable ? ExitCode.unreadable : problems.length > 0 ? ExitCode.damaged : ExitCode.ok;
  return { snapshot, analyzer, names, exitCode };
}

function inputOf(file: string, terminal: Terminal): CaptureInput {
  if (file === "-") return { name: "stdin", open: () => fromStream(terminal.stdin) };
  return { name: file, open: () => openFile(file) };
}

/** Reads the sidecar file of a live run. Throws CommandError. */
export async function loadSidecar(path: string, terminal: Terminal): Promise<Sidecar> {
  const { readSidecar } = await import("./sidecar-reader.js");
  const sidecar = await readSidecar(path);
  if (sidecar.cut) terminal.say(`sidecar ${path}: cut off in its last line; the lines before it are used`);
  return sidecar;
}

/** Counts a packet, where it matches. Rejects with CommandError for a filter that is wrong, before any packet. */
export async function takerOf(analyzer: Analyzer, filter?: string): Promise<(packet: Packet) => void> {
  try {
    return await takerOfPackets(analyzer, filter);
  } catch (error) {
    throw asCommandError(error);
  }
}

function sentenceOf({ name, kind, reason, code, offset, count, packets, fatal }: CaptureProblem): string {
  if (kind === "unreadable")
    return `${name}: ${code === null ? reason : reasonOf({ code, message: reason })}`;
  const more = count > 1 ? ` (and ${formatCount(count - 1)} more)` : "";
  const kept = `${formatCounted(packets, "packet")} ${fatal ? "before it" : "in all"} counted`;
  return `${name}: damaged at byte ${offset}: ${reason}${more}; ${kept}`;
}

function progressText({ bytes, size, packets }: CaptureProgress): string {
  const part = size > 0 ? `${Math.min(100, Math.floor((bytes / size) * 100))} % ` : "";
  return `${part}${formatCounted(packets, "packet")}, ${formatBytes(bytes)}`;
}
