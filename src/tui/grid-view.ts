/** A grid as lines: columns that fit, a heading, the rows around the cursor. Pure. */
import type { Row } from "../analyze/snapshot.js";
import { columnsOf, fit, type Line, type Span } from "./cells.js";
import type { Glyphs } from "./glyphs.js";
import { type Grid, type GridColumn, shownCell } from "./grid.js";
import { type Sort, UNSORTED } from "./state.js";

const GAP = 2;
/** A text column is never made narrower than this to save another. */
const MIN_TEXT = 10;

export interface GridLooks {
  readonly width: number;
  readonly height: number;
  readonly bits: boolean;
  readonly glyphs: Glyphs;
  readonly selected: number;
  readonly sort?: Sort;
}

/** How many rows a grid of this height shows: its heading takes one line. */
export function rowsThatFit(height: number): number {
  return Math.max(1, height - 1);
}

export function gridLines(grid: Grid, looks: GridLooks): Line[] {
  if (grid.rows.length === 0)
    return [[{ text: ` ${grid.all > 0 ? "Nothing passes the filter." : grid.empty}`, style: "dim" }]];
  const page = rowsThatFit(looks.height);
  const first = Math.max(0, Math.min(looks.selected - Math.floor(page / 2), grid.rows.length - page));
  const shown = grid.rows.slice(first, first + page);
  const texts = shown.map((row) => grid.columns.map((column) => shownCell(column, row, looks.bits)));
  const widths = columnWidths(grid.columns, texts, looks);
  return [
    headingLine(grid.columns, widths, looks),
    ...shown.map((row, i) =>
      rowLine(grid.columns, widths, row, texts[i]!, first + i === looks.selected, looks),
    ),
  ];
}

/** 0: not shown. Wide columns go first where there is no room, then texts are shortened, the widest first. */
function columnWidths(
  columns: readonly GridColumn[],
  texts: readonly (readonly string[])[],
  looks: GridLooks,
): number[] {
  const widths = columns.map((column, i) =>
    texts.reduce((most, cells) => Math.max(most, columnsOf(cells[i]!)), titleOf(column, i, looks).length),
  );
  const excess = () => widths.reduce((sum, w) => sum + (w > 0 ? w + GAP : 0), 1) - GAP - (looks.width - 1);
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

function titleOf({ title }: GridColumn, index: number, { sort = UNSORTED, glyphs }: GridLooks): string {
  if (sort.column !== index) return title;
  return `${title}${sort.reversed ? glyphs.up : glyphs.down}`;
}

function isLeft({ kind }: GridColumn): boolean {
  return kind === "text" || kind === "time" || kind === "strip";
}

function headingLine(columns: readonly GridColumn[], widths: readonly number[], looks: GridLooks): Line {
  const text = columns
    .map((column, i) => ({ column, i }))
    .filter(({ i }) => widths[i]! > 0)
    .map(({ column, i }) =>
      fit(titleOf(column, i, looks), widths[i]!, isLeft(column) ? "left" : "right", looks.glyphs.ellipsis),
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
    const text = fit(texts[i]!, widths[i]!, isLeft(column) ? "left" : "right", glyphs.ellipsis);
    spans.push({ text, style: isSelected ? "selected" : (column.style?.(row) ?? "plain") });
  });
  if (isSelected) {
    const used = spans.reduce((sum, { text }) => sum + columnsOf(text), 0);
    spans.push({ text: " ".repeat(Math.max(0, width - used)), style: "selected" });
  }
  return spans;
}
