/** The first page: source and time of the capture, completeness, key figures and findings. */
import type { Finding, Snapshot, Table } from "../../../analyze/snapshot/snapshot.js";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  formatRate,
  formatSpan,
} from "../../../format.js";
import { describeEvidence } from "../../../view/evidence.js";
import { countListed } from "../../../view/top-rows.js";
import { peakRate } from "../../charts/charts-throughput.js";
import { describeCompleteness, findGaps } from "../../completeness.js";
import type { Sheet } from "../page/sheet.js";
import { COLOR, LEADING, MEASURE, PAGE, SIZE } from "../page/theme.js";
import type { Drawable } from "../page/type.js";

const LABEL_WIDTH = 92;
const MAX_FILES = 4;
const FIGURES_A_ROW = 4;
const FIGURE_HEIGHT = 42;
const MARK = 5;

/** The head of every report, with any sections: it names the capture. */
export function drawMasthead(sheet: Sheet, snapshot: Snapshot, title: string, date: Date): void {
  const { type } = sheet;
  const { ledger, window } = snapshot;
  drawTitle(sheet, title, snapshot.producer, date);
  const files = ledger.files
    .slice(0, MAX_FILES)
    .map(({ name }) => type.fit(name, (MEASURE - LABEL_WIDTH) * 0.9));
  const more = ledger.files.length - files.length;
  const named = files.length === 0 ? ["no file"] : files;
  drawFact(sheet, "Captured", more > 0 ? [...named, `and ${formatCounted(more, "more file")}`] : named);
  drawFact(
    sheet,
    "When",
    window.start === null
      ? "No packet carries a time"
      : `${formatSpan(window.start, window.end)}, ${formatDuration(window.duration)}`,
  );
  const complete = findGaps(snapshot).length === 0;
  drawFact(sheet, "Completeness", describeCompleteness(snapshot), complete ? COLOR.ink : COLOR.warning);
  if (snapshot.conntrack) drawFact(sheet, "Tracking", describeEvidence(snapshot.conntrack));
  drawFact(
    sheet,
    "Names",
    snapshot.named ? "Services stand for addresses" : "Addresses as captured; no names in use",
  );
}

export function drawTitle(sheet: Sheet, title: string, producer: string, date: Date): void {
  const { type } = sheet;
  const style = { size: SIZE.title, bold: true };
  sheet.y += type.paragraph(type.fit(title, MEASURE * 1.85, style), PAGE.left, sheet.y, MEASURE, style) + 4;
  const made = `Report of ${date.toISOString().slice(0, 16).replace("T", " ")} UTC · ${producer}`;
  type.line(made, PAGE.left, sheet.y, { size: SIZE.small, color: COLOR.muted });
  sheet.y += 20;
  sheet.rule(sheet.y, MEASURE, COLOR.ink, 1);
  sheet.y += 12;
}

/** A label and what it says, a paragraph each. */
export function drawFact(
  sheet: Sheet,
  label: string,
  text: string | readonly (string | Drawable)[],
  color: string = COLOR.ink,
): void {
  const { type } = sheet;
  type.line(label, PAGE.left, sheet.y, { color: COLOR.muted });
  let height = 0;
  for (const line of typeof text === "string" ? [text] : text)
    height += type.paragraph(line, PAGE.left + LABEL_WIDTH, sheet.y + height, MEASURE - LABEL_WIDTH, {
      color,
    });
  sheet.y += Math.max(height, SIZE.body * LEADING) + 3;
}

export function drawSummarySection(sheet: Sheet, snapshot: Snapshot): void {
  sheet.section("Key figures", "", FIGURE_HEIGHT * 2);
  drawFigures(sheet, keyFigures(snapshot));
  const { findings } = snapshot;
  const first = findings[0] ? sheet.type.height(findings[0].text, MEASURE - 80) : 20;
  sheet.section("Findings", "", first + 20);
  findings.forEach((finding, i) => {
    drawFinding(sheet, finding, i + 1);
  });
  if (findings.length === 0) sheet.paragraph("Nothing stands out.", { color: COLOR.muted });
}

function keyFigures(snapshot: Snapshot): [string, string][] {
  const { tables, totals, window, series } = snapshot;
  const perSecond = window.duration > 0;
  const figures: [string, string][] = [
    ["Packets", formatCount(totals.packets)],
    ["Bytes on the wire", formatBytes(totals.bytes)],
    ["Mean throughput", perSecond ? formatRate(totals.bytes / window.duration) : "-"],
    ["Peak throughput", perSecond ? formatRate(peakRate(series)) : "-"],
    snapshot.named
      ? ["Services that send", countAll(snapshot, tables.talkers)]
      : ["Addresses", countAll(snapshot, tables.endpoints)],
    ["Pairs, each way", countAll(snapshot, tables.pairs)],
    ["Conversations", formatCount(countListed(tables.conversations) + tables.conversations.omitted)],
    ["Protocols", formatCount(countListed(tables.protocols))],
  ];
  return figures;
}

/** Rows of a table, listed or not; a lower bound if conversations were evicted. */
function countAll({ ledger }: Snapshot, table: Table): string {
  if (ledger.evicted === null) return `${formatCount(countListed(table) + table.omitted)} or more`;
  if (ledger.evicted.conversations > 0) return `over ${formatCount(countListed(table))}`;
  return formatCount(countListed(table) + table.omitted);
}

export function drawFigures(sheet: Sheet, figures: readonly [string, string][]): void {
  const width = MEASURE / FIGURES_A_ROW;
  figures.forEach(([label, text], i) => {
    const x = PAGE.left + (i % FIGURES_A_ROW) * width;
    const y = sheet.y + Math.floor(i / FIGURES_A_ROW) * FIGURE_HEIGHT;
    sheet.type.line(text, x, y, { size: SIZE.figure, bold: true });
    sheet.type.line(label, x, y + SIZE.figure * LEADING + 1, { size: SIZE.small, color: COLOR.muted });
  });
  sheet.y += Math.ceil(figures.length / FIGURES_A_ROW) * FIGURE_HEIGHT - 8;
}

/** Severity is a word and a colour, never a colour alone. */
export function drawFinding(sheet: Sheet, { severity, text }: Finding, number: number): void {
  const { doc, type } = sheet;
  const left = PAGE.left + 76;
  const height = type.height(text, MEASURE - 76) + 6;
  sheet.keep(height);
  type.line(`${number}`, PAGE.left + 12, sheet.y, { color: COLOR.muted, align: "right" });
  doc.rect(PAGE.left + 22, sheet.y + 4.4, MARK, MARK).fill(COLOR[severity]);
  type.line(severity, PAGE.left + 32, sheet.y, { color: COLOR[severity], bold: severity === "warning" });
  type.paragraph(text, left, sheet.y, MEASURE - 76);
  sheet.y += height;
}
