/** A grid as lines: columns that fit, a heading, the rows around the cursor. Pure. */
import type { Row } from "../../analyze/snapshot/snapshot.js";
import { visible } from "../../format.js";
import { columnsOf, cutEnd, fit, type Line, type Span } from "../chrome/cells.js";
import type { Glyphs } from "../chrome/glyphs.js";
import { type Sort, UNSORTED } from "../state.js";
import { type Grid, type GridColumn, shownCell, tellingColumns } from "./grid.js";

const GAP = 2;
/** Least width of a shortened text column. */
const MIN_TEXT = 10;

export interface GridLooks {
  readonly width: number;
  readonly height: number;
  readonly bits: boolean;
  readonly glyphs: Glyphs;
  readonly selected: number;
  readonly sort?: Sort;
}

/** Number of rows of a grid with this height: the heading takes one line. */
export function rowsThatFit(height: number): number {
  return Math.max(1, height - 1);
}

/** Position of a column's heading from the left: `from` is its first cell, `to` the cell after its last. */
export interface Heading {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export interface GridView {
  readonly lines: readonly Line[];
  /** Headings of the columns that fit. */
  readonly headings: readonly Heading[];
  /** Index of the row in the line below the headings. */
  readonly first: number;
}

export function viewGrid(given: Grid, looks: GridLooks): GridView {
  if (given.rows.length === 0) {
    const text = ` ${given.all > 0 ? "Nothing passes the filter: Esc ends it." : given.empty}`;
    return { lines: [[{ text, style: "dim" }]], headings: [], first: 0 };
  }
  const grid = { ...given, columns: tellingColumns(given) };
  const page = rowsThatFit(looks.height);
  const first = Math.max(0, Math.min(looks.selected - Math.floor(page / 2), grid.rows.length - page));
  const shown = grid.rows.slice(first, first + page);
  const texts = shown.map((row) =>
    grid.columns.map((column) => shownCell(column, row, looks.bits, looks.glyphs.gaugeFull)),
  );
  const widths = columnWidths(grid.columns, texts, looks);
  const rows = shown.map((row, i) =>
    rowLine(grid.columns, widths, row, texts[i]!, first + i === looks.selected, looks),
  );
  const lines = [headingLine(grid.columns, widths, looks), ...rows];
  return { lines, headings: headingsOf(grid.columns, widths), first };
}

function headingsOf(columns: readonly GridColumn[], widths: readonly number[]): Heading[] {
  const headings: Heading[] = [];
  let from = 1;
  columns.forEach(({ name }, i) => {
    const width = widths[i]!;
    if (width <= 0) return;
    headings.push({ name, from, to: from + width });
    from += width + GAP;
  });
  return headings;
}

/** 0: not shown. Without room, columns with `wide` above 0 are dropped first, then texts are shortened, the widest first. */
function columnWidths(
  columns: readonly GridColumn[],
  texts: readonly (readonly string[])[],
  looks: GridLooks,
): number[] {
  const widths = columns.map((column, i) =>
    texts.reduce((most, cells) => Math.max(most, columnsOf(cells[i]!)), titleOf(column, looks).length),
  );
  const excess = () => widths.reduce((sum, w) => sum + (w > 0 ? w + GAP : 0), 1) - GAP - looks.width;
  for (let i = columns.length - 1; i >= 0 && excess() > 0; i--)
    if ((columns[i]!.wide ?? 0) > 0) widths[i] = 0;
  while (excess() > 0) {
    const texty = widths.map((width, i) => (columns[i]!.kind === "text" ? width : 0));
    const widest = texty.indexOf(Math.max(...texty));
    if (texty[widest]! <= MIN_TEXT) break;
    widths[widest] = widths[widest]! - 1;
  }
  for (let i = columns.length - 1; i > 1 && excess() > 0; i--) widths[i] = 0;
  return widths;
}

function titleOf({ name, title }: GridColumn, { sort = UNSORTED, glyphs }: GridLooks): string {
  if (sort.column !== name) return visible(title);
  return `${visible(title)}${sort.reversed ? glyphs.up : glyphs.down}`;
}

function isLeft({ kind }: GridColumn): boolean {
  return kind === "text" || kind === "time" || kind === "strip" || kind === "bar";
}

function headingLine(columns: readonly GridColumn[], widths: readonly number[], looks: GridLooks): Line {
  const text = columns
    .map((column, i) => ({ column, i }))
    .filter(({ i }) => widths[i]! > 0)
    .map(({ column, i }) =>
      fit(titleOf(column, looks), widths[i]!, isLeft(column) ? "left" : "right", looks.glyphs.ellipsis),
    )
    .join(" ".repeat(GAP));
  return [{ text: ` ${text}`, style: "dim" }];
}

function rowLine(
  columns: readonly GridColumn[],
  widths: readonly number[],
  row: Row,
  texts: readonly string[],
  isSelected: boolean,
  { glyphs, width }: GridLooks,
): Line {
  const spans: Span[] = [{ text: isSelected ? ">" : " ", style: isSelected ? "selected" : "plain" }];
  columns.forEach((column, i) => {
    if (widths[i]! <= 0) return;
    if (spans.length > 1) spans.push({ text: " ".repeat(GAP), style: isSelected ? "selected" : "plain" });
    const whole = column.sentence ? cutEnd(texts[i]!, widths[i]!, glyphs.ellipsis) : texts[i]!;
    const text = fit(whole, widths[i]!, isLeft(column) ? "left" : "right", glyphs.ellipsis);
    spans.push({ text, style: isSelected ? "selected" : (column.style?.(row) ?? "plain") });
  });
  if (isSelected) {
    const used = spans.reduce((sum, { text }) => sum + columnsOf(text), 0);
    spans.push({ text: " ".repeat(Math.max(0, width - used)), style: "selected" });
  }
  return spans;
}
