/** A Snapshot as text for a terminal: aligned, readable at 80 columns, without control characters. */
import stringWidth from "string-width";
import type { ColumnKind, Finding, Ledger, Row, Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  formatSpan,
  visible,
} from "../../format.js";
import { showJoined } from "../../view/cells.js";
import { captureLosses, describeEntered, describeTunnels, describeUnknown } from "../../view/completeness.js";
import { cutMiddle } from "../../view/cut.js";
import { describeEvidence } from "../../view/evidence.js";
import { describeMissing, describeRequests, missingHere, missingOf } from "../../view/missing.js";
import { columnsUpTo, shortTitle } from "../../view/tables.js";

/** Format of the text. */
export interface TextOptions {
  /** Columns of the terminal. */
  readonly width: number;
  readonly color: boolean;
}

/** Least width of a cut name. */
const MIN_TEXT = 12;
const GAP = "  ";
/** Characters. Longer text is cut before its width is asked for, which takes the square of its length. */
const MAX_TEXT = 2000;

/** A column of a text table. Title and text may be foreign: the table makes them safe. */
export interface TextColumn {
  readonly title: string;
  readonly kind: ColumnKind;
  readonly text: (row: Row) => string;
}

/** The summary: source, completeness, findings, and the first rows of each table. */
export function* renderSummary(snapshot: Snapshot, options: TextOptions): Iterable<string> {
  const { totals, window, ledger, tables } = snapshot;
  const names = ledger.files.map((file) => visible(file.name));
  const files = names.length > 3 ? formatCounted(names.length, "file") : names.join(", ");
  yield `${strong(files, options)}: ${formatCounted(totals.packets, "packet")}, ${formatBytes(totals.bytes)} in ${formatDuration(window.duration)}\n`;
  yield `${visible(`${formatSpan(window.start, window.end)} · ${completeness(ledger)}`)}\n`;
  if (snapshot.conntrack) yield* wrapWords(describeEvidence(snapshot.conntrack), "", "  ", options);
  const sentences = [
    describeEntered(ledger),
    describeTunnels(ledger),
    describeRequests(snapshot),
    describeUnknown(ledger),
  ];
  for (const sentence of sentences)
    if (sentence !== "") yield* wrapWords(visible(sentence), "", "  ", options);
  if (snapshot.findings.length > 0) {
    yield `\n${heading("Findings", options)}\n`;
    for (const finding of snapshot.findings) yield* renderFinding(finding, options);
  }
  for (const table of Object.values(tables)) {
    const missing = missingHere(snapshot, table);
    if ((table.rows.length === 0 && missing.length === 0) || table.top === 0) continue;
    yield "\n";
    yield* renderTable(table, options, table.top);
    yield* renderMissing(describeMissing(missing), options);
  }
}

/** A table of a Snapshot, and its known gaps. */
export function* renderTableOf(snapshot: Snapshot, table: Table, options: TextOptions): Iterable<string> {
  yield* renderTable(table, options);
  yield* renderMissing(describeMissing(missingOf(snapshot, table)), options);
}

function* renderMissing(sentence: string, options: TextOptions): Iterable<string> {
  if (sentence !== "") yield* wrapWords(visible(sentence), GAP, GAP, options);
}

/** A table with its title and its main columns, or the given ones; the first `limit` rows, then the number of further rows. */
export function* renderTable(
  table: Table,
  options: TextOptions,
  limit = Number.POSITIVE_INFINITY,
  columns: readonly TextColumn[] = mainColumns(table),
): Iterable<string> {
  const shown: string[][] = [];
  for (const row of table.rows) {
    if (shown.length >= limit) break;
    shown.push(columns.map((column) => shownText(column.text(row))));
  }
  const more = table.rows.length - shown.length;
  const count = more > 0 ? ` (${formatCount(shown.length)} of ${formatCount(table.rows.length)})` : "";
  yield `${heading(shownText(table.title) + count, options)}\n`;
  const titles = columns.map(({ title }) => shownText(title));
  const widths = columnWidths(columns, titles, shown, options.width - GAP.length);
  const line = (cells: readonly string[]) =>
    `${GAP}${cells.map((cell, i) => fit(cell, widths[i]!, columns[i]!.kind)).join(GAP)}`.trimEnd();
  yield `${dim(line(titles), options)}\n`;
  for (const cells of shown) yield `${line(cells)}\n`;
}

function shownText(text: string): string {
  return cutMiddle(visible(text), MAX_TEXT);
}

function mainColumns(table: Table): TextColumn[] {
  return columnsUpTo(table, 2).map((column) => ({
    title: shortTitle(column),
    kind: column.kind,
    text: (row) => showJoined(column, row),
  }));
}

/** Widths that fit `room`: numbers get what they need, texts are shortened, the widest first. */
function columnWidths(
  columns: readonly TextColumn[],
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  room: number,
): number[] {
  const widths = titles.map((title, i) =>
    rows.reduce((most, cells) => Math.max(most, stringWidth(cells[i]!)), stringWidth(title)),
  );
  let excess = widths.reduce((sum, w) => sum + w, 0) + GAP.length * (widths.length - 1) - room;
  while (excess > 0) {
    const texts = widths.map((width, i) => (columns[i]!.kind === "text" ? width : 0));
    const widest = texts.indexOf(Math.max(...texts));
    if (texts[widest]! <= MIN_TEXT) break;
    widths[widest] = widths[widest]! - 1;
    excess--;
  }
  return widths;
}

/** Shortens in the middle or pads: texts left-aligned, numbers right-aligned. */
function fit(text: string, width: number, kind: ColumnKind): string {
  const cut = stringWidth(text) > width ? cutToWidth(text, width) : text;
  const space = " ".repeat(Math.max(0, width - stringWidth(cut)));
  return kind === "text" || kind === "time" ? cut + space : space + cut;
}

/** The text's beginning and end with an ellipsis between, no wider than `width` columns. */
function cutToWidth(text: string, width: number): string {
  const characters = [...new Intl.Segmenter().segment(text)].map((s) => s.segment);
  const take = (from: readonly string[], room: number): string[] => {
    const taken: string[] = [];
    let used = 0;
    for (const character of from) {
      used += stringWidth(character);
      if (used > room) break;
      taken.push(character);
    }
    return taken;
  };
  const head = take(characters, Math.ceil((width - 1) / 2));
  const tail = take(characters.toReversed(), width - 1 - stringWidth(head.join("")));
  return `${head.join("")}…${tail.reverse().join("")}`;
}

function completeness(ledger: Ledger): string {
  const losses = captureLosses(ledger).map(({ phrase }) => phrase);
  if (losses.length > 0) return `INCOMPLETE: ${losses.join(", ")}`;
  if (ledger.interfaces !== null)
    return ledger.dropped === null ? "losses while capturing are not known" : "complete: no packet lost";
  return ledger.dropped === null
    ? "read whole; losses while capturing are not recorded"
    : "complete: read whole, no packet lost";
}

const MARKS: Readonly<Record<Finding["severity"], string>> = { info: "-", notice: "!", warning: "!!" };

/** One finding, broken at the line's width. */
export function* renderFinding(finding: Finding, options: TextOptions): Iterable<string> {
  yield* wrapWords(visible(finding.text), `  ${MARKS[finding.severity].padEnd(2)} `, "     ", options);
}

/** Words in lines no wider than the terminal; `head` before the first line, `indent` before all others. */
function* wrapWords(text: string, head: string, indent: string, { width }: TextOptions): Iterable<string> {
  let line = head;
  let isBare = true;
  for (const whole of text.split(" ")) {
    const word = cutMiddle(whole, MAX_TEXT);
    if (!isBare && stringWidth(line) + 1 + stringWidth(word) > width) {
      yield `${line}\n`;
      line = indent;
      isBare = true;
    }
    line += isBare ? word : ` ${word}`;
    isBare = false;
  }
  yield `${line}\n`;
}

export function strong(text: string, { color }: TextOptions): string {
  return color ? `\x1b[1m${text}\x1b[22m` : text;
}

function heading(text: string, options: TextOptions): string {
  return strong(text, options);
}

function dim(text: string, { color }: TextOptions): string {
  return color ? `\x1b[2m${text}\x1b[22m` : text;
}
