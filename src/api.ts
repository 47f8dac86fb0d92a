/**
 * The public interface of the package: captures or interfaces in, Snapshots out. Importing it does nothing and loads little; what is heavy is
 * loaded when it are first needed. Nothing here writes to the terminal, ends the process or listens to signals.
 */
import { readFileSync } from "node:fs";
import type { Snapshot, Table } from "./analyze/snapshot/snapshot.js";
import type { CaptureProblem } from "./capture/file/problem.js";
import type { CaptureInput, CountOptions } from "./captures.js";
import type { LiveCapture, LiveCaptureOptions } from "./engine/live-capture.js";
import { renderCsv } from "./report/data/csv.js";
import { renderSnapshotJson } from "./report/data/json.js";
import { renderMarkdown } from "./report/data/markdown.js";
import type { PdfOptions } from "./report/pdf/pdf.js";
import { renderSummary, renderTableOf } from "./report/text/text.js";

export { limitSnapshot } from "./analyze/snapshot/limit.js";
export type {
  Cell,
  Column,
  ColumnKind,
  Finding,
  Ledger,
  Row,
  Rows,
  Snapshot,
  Table,
  Tables,
} from "./analyze/snapshot/snapshot.js";
export { type CaptureProblem, UnreadableError } from "./capture/file/problem.js";
export { CaptureError, type CaptureFailure } from "./capture/live/live.js";
export { Names, NamesError, parseNames, readNames } from "./capture/names/names.js";
export type { CaptureProgress, CountOptions } from "./captures.js";
export type { LiveCapture, LiveCaptureOptions } from "./engine/live-capture.js";
export type { PdfOptions } from "./report/pdf/pdf.js";

/** The result of reading captures. */
export interface Analysis {
  /** Rows are made while they are read, and can be read again; the Snapshot keeps in memory what they are made of. */
  readonly snapshot: Snapshot;
  /** Problems of captures: unreadable ones first, then damaged ones. Empty: every capture was read whole. */
  readonly problems: readonly CaptureProblem[];
}

/** Format of text. */
export interface TextStyle {
  /** Characters of a line. Absent: 80. */
  readonly width?: number;
  /** With escape sequences of a terminal. Absent: no. */
  readonly color?: boolean;
  /** The whole of this table of the Snapshot. Absent: a summary of all. */
  readonly table?: Table;
}

/**
 * Reads capture files (pcap, pcapng, gzip of either) as one capture, in time order. A damaged file gives its good part and a problem.
 * Rejects with UnreadableError if nothing of any file can be read, and with CaptureError if the filter is invalid. All files are closed then.
 */
export async function analyzeFiles(paths: readonly string[], options: CountOptions = {}): Promise<Analysis> {
  const { openFile } = await import("./capture/file/bytes.js");
  return await count(
    paths.map((path) => ({ name: path, open: () => openFile(path) })),
    options,
  );
}

/**
 * Reads one capture (pcap, pcapng, gzip of either) from memory or from a stream such as a pipe. Bytes are borrowed: they are not changed, and
 * not kept. A stream is read to its end, or to unreadable bytes, and closed. If it fails, the part before is counted.
 * `name` is its name in the Snapshot and in problems. Rejects as `analyzeFiles` does.
 */
export async function analyzeBytes(
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  options: CountOptions & { readonly name?: string } = {},
): Promise<Analysis> {
  const { fromStream } = await import("./capture/file/bytes.js");
  const { name = "bytes", ...rest } = options;
  return await count([{ name, open: () => fromStream(checked(bytes)) }], rest);
}

/**
 * Listens to network interfaces, by the engine that `netwatch capture` has. Packets are taken from when it resolves until `close`, the signal,
 * or the end of the last interface, which the ledger of the last Snapshot tells. Loop over it for a Snapshot at every interval; its rows are
 * arrays, and stay good. The caller closes it. It needs CAP_NET_RAW, and CAP_SYS_ADMIN for `netns`, until it resolves; CAP_NET_ADMIN as long as
 * connection tracking is asked for. No right is given up here. Rejects with CaptureError, whose `failure` says what kind, with NamesError or the
 * system's error for the names file, and with RangeError for a number that makes no sense.
 */
export async function openCapture(options: LiveCaptureOptions): Promise<LiveCapture> {
  const { LiveCapture: Live } = await import("./engine/live-capture.js");
  return await Live.open(options, producer());
}

async function count(inputs: readonly CaptureInput[], options: CountOptions): Promise<Analysis> {
  const { countCaptures } = await import("./captures.js");
  const { snapshot, problems } = await countCaptures(inputs, { ...options, producer: producer() });
  return { snapshot, problems };
}

/** A stream in object mode, or with an encoding, gives something else. */
async function* checked(bytes: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (bytes instanceof Uint8Array) yield bytes;
  else
    for await (const piece of bytes) {
      if (!(piece instanceof Uint8Array)) throw new TypeError("the stream gives no bytes");
      yield piece;
    }
}

function producer(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return `netwatch ${(JSON.parse(manifest) as { version: string }).version}`;
}

/**
 * Reads a Snapshot from the JSON that `toJson` or `netwatch analyze -o json` made, in this version or an earlier one. Unknown keys
 * are ignored. Rejects with an Error of one line if it is no Snapshot.
 */
export async function parseSnapshot(json: string): Promise<Snapshot> {
  const { parseSnapshot: parse } = await import("./analyze/snapshot/read-snapshot.js");
  return parse(json);
}

/** The Snapshot as text for people: a summary, or one table. Pieces to be put together or written one by one. */
export function toText(
  snapshot: Snapshot,
  { width = 80, color = false, table }: TextStyle = {},
): Iterable<string> {
  const options = { width, color };
  return table ? renderTableOf(snapshot, table, options) : renderSummary(snapshot, options);
}

/** The Snapshot as JSON (`netwatch/snapshot.schema.json`), a row a line. Pieces, as of `toText`. */
export function toJson(snapshot: Snapshot): Iterable<string> {
  return renderSnapshotJson(snapshot, true);
}

/** A table as CSV with a heading; `NA` is a number that is not known. Texts that a spreadsheet would run are quoted. Pieces, as of `toText`. */
export function toCsv(table: Table): Iterable<string> {
  return renderCsv(table);
}

/** A table as a Markdown table of GitHub's kind, numbers as people read them. */
export function toMarkdown(table: Table): string {
  return renderMarkdown(table);
}

/**
 * The Snapshot as a PDF report. The same Snapshot and options give the same bytes. Every row is drawn: `limitSnapshot` leaves the first rows
 * of large tables. The bytes are the caller's. Rejects if the optional package for charts is not installed; the message names it.
 */
export async function toPdf(snapshot: Snapshot, options: PdfOptions): Promise<Uint8Array> {
  const { renderPdf } = await import("./report/pdf/pdf.js");
  return await renderPdf(snapshot, options);
}
