/** All values of one row. Pure. */
import type { Row } from "../../analyze/snapshot/snapshot.js";
import { formatCell, formatCounted, visible } from "../../format.js";
import { clip, columnsOf, cut, type Line, wrap } from "../chrome/cells.js";
import type { Glyphs } from "../chrome/glyphs.js";
import { cellOf, type Grid, shownCell } from "./grid.js";
import { viewGrid } from "./grid-view.js";

export interface DetailLooks {
  readonly width: number;
  readonly height: number;
  readonly bits: boolean;
  readonly glyphs: Glyphs;
}

type Entry = readonly [label: string, text: string];

const LABEL = 26;
const SHORT_LABEL = 20;
/** Below this width there is one column of entries. */
const TWO_COLUMNS = 80;
/** Up to so many entries stay in one column. */
const FEW = 8;
/** Rows shown of a list inside the detail. */
const RELATED_ROWS = 12;

export function detailLines(grid: Grid, row: Row, looks: DetailLooks): Line[] {
  const lines: Line[] = [
    [{ text: ` ${visible(grid.one)}`, style: "bold" }],
    [],
    ...entryLines(entriesOf(grid, row, looks), looks),
  ];
  for (const related of grid.related?.(row) ?? []) lines.push([], ...relatedLines(related, looks));
  if (lines.length <= looks.height) return lines;
  const kept = lines.slice(0, looks.height - 1);
  const left = formatCounted(lines.length - kept.length, "more line");
  return [...kept, [{ text: ` ${left}: a larger window shows them`, style: "dim" }]];
}

/** The columns of the screen, then the row's other cells. */
function entriesOf(grid: Grid, row: Row, { bits }: DetailLooks): Entry[] {
  const told = new Set(grid.columns.flatMap(({ name, of = [] }) => [name, ...of]));
  const shown = grid.columns.filter(
    (column) =>
      column.title !== "" && column.kind !== "bar" && !(column.ifAny && cellOf(column, row) === null),
  );
  const entries = shown.map((column): Entry => [visible(column.title), shownCell(column, row, bits) || "-"]);
  for (const { name, title, kind } of grid.table?.columns ?? []) {
    if (told.has(name) || row[name] === undefined) continue;
    entries.push([visible(title), shownCell({ name, title, kind }, row, bits)]);
  }
  if (grid.table !== null) return entries;
  for (const [name, cell] of Object.entries(row))
    if (!told.has(name) && cell !== null && cell !== "" && name !== "tree")
      entries.push([visible(name), visible(formatCell("text", cell))]);
  return entries;
}

/** In two columns if there are many; long entries below them. */
function entryLines(entries: readonly Entry[], { width, glyphs }: DetailLooks): Line[] {
  if (width < TWO_COLUMNS || entries.length <= FEW) return entries.flatMap((entry) => wrapped(entry, width));
  const room = Math.floor((width - 1) / 2);
  const label = room < LABEL * 2 ? SHORT_LABEL : LABEL;
  const fits = ([, text]: Entry) => columnsOf(text) <= room - label - 2;
  const short = entries.filter(fits);
  const height = Math.ceil(short.length / 2);
  const beside = Array.from({ length: height }, (_, i): Line => {
    const right = short[i + height];
    const left = clip(entryLine(short[i]!, label, glyphs), room);
    return right === undefined ? left : [...left, ...entryLine(right, label, glyphs)];
  });
  return [
    ...beside,
    ...entries.filter((entry) => !fits(entry)).flatMap((entry) => wrapped(entry, width, label)),
  ];
}

function entryLine([name, text]: Entry, label: number, { ellipsis }: Glyphs): Line {
  return [
    { text: ` ${cut(name, label - 1, ellipsis).padEnd(label)}`, style: "dim" },
    { text, style: "plain" },
  ];
}

/** A long text continues in the lines below. */
function wrapped([name, text]: Entry, width: number, label = LABEL): Line[] {
  return wrap(text, width - label - 2).map(
    (part, i): Line => [
      { text: ` ${(i === 0 ? cut(name, label - 1, "") : "").padEnd(label)}`, style: "dim" },
      { text: part, style: "plain" },
    ],
  );
}

function relatedLines(grid: Grid, { width, bits, glyphs }: DetailLooks): Line[] {
  const rows = grid.rows.slice(0, RELATED_ROWS);
  const more = grid.rows.length - rows.length;
  const title = more > 0 ? `${grid.title} (${rows.length} of ${grid.rows.length})` : grid.title;
  const view = viewGrid({ ...grid, rows }, { width, height: rows.length + 1, bits, glyphs, selected: -1 });
  return [[{ text: ` ${visible(title)}`, style: "bold" }], ...view.lines];
}
