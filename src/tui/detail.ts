/** One row with everything that is known of it. Pure. */
import type { Row } from "../analyze/snapshot.js";
import { formatCell } from "../format.js";
import { cut, type Line } from "./cells.js";
import type { Glyphs } from "./glyphs.js";
import { type Grid, shownCell } from "./grid.js";

const LABEL = 22;

export function detailLines(
  grid: Grid,
  row: Row,
  looks: { readonly width: number; readonly bits: boolean; readonly glyphs: Glyphs },
): Line[] {
  const shown = new Set<string>();
  const lines: Line[] = [[{ text: ` ${grid.title}: one row`, style: "bold" }], []];
  const add = (label: string, text: string) =>
    lines.push([
      { text: ` ${cut(label, LABEL - 2, looks.glyphs.ellipsis).padEnd(LABEL)}`, style: "dim" },
      { text: cut(text, looks.width - LABEL - 2, looks.glyphs.ellipsis), style: "plain" },
    ]);
  for (const column of grid.columns) {
    if (column.title === "") continue;
    shown.add(column.name);
    const text = shownCell(column, row, looks.bits);
    add(column.title, text === "" ? "-" : text);
  }
  for (const { name, title, kind } of grid.table?.columns ?? []) {
    if (shown.has(name) || row[name] === undefined) continue;
    add(title, shownCell({ name, title, kind }, row, looks.bits));
  }
  if (grid.table === null)
    for (const [name, cell] of Object.entries(row))
      if (!shown.has(name) && cell !== null && cell !== "" && name !== "tree")
        add(name, formatCell("text", cell));
  lines.push([], [{ text: " Esc goes back", style: "dim" }]);
  return lines;
}
