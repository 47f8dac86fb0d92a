/** Throughput over time, the classes of traffic stacked, drawn in cells. Pure. */

import { rate } from "../lists/numbers.js";
import { columnsOf, type Line, type Span, type Style } from "./cells.js";
import type { Glyphs } from "./glyphs.js";

/** One class of traffic: bytes a second at each step, oldest first. All classes have as many steps. */
export interface ChartClass {
  readonly name: string;
  readonly values: readonly number[];
}

export interface ChartLooks {
  readonly width: number;
  readonly height: number;
  readonly glyphs: Glyphs;
  readonly color: boolean;
  readonly bits: boolean;
}

const AXIS = 12;
const STYLES: readonly Style[] = ["class0", "class1", "class2", "class3"];

export function classStyle(index: number): Style {
  return STYLES[Math.min(index, STYLES.length - 1)]!;
}

export function chartLines(classes: readonly ChartClass[], looks: ChartLooks): Line[] {
  const plotWidth = looks.width - AXIS - 1;
  const columns = classes.map(({ values }) => resample(values, plotWidth));
  const sums = Array.from({ length: plotWidth }, (_, x) =>
    columns.reduce((sum, of) => sum + (of[x] ?? 0), 0),
  );
  const most = Math.max(...sums, 1);
  return Array.from({ length: looks.height }, (_, fromTop) => {
    const row = looks.height - 1 - fromTop;
    const label = fromTop === 0 ? rate(most, looks.bits) : row === 0 ? "0" : "";
    const axis: Span = { text: `${label.padStart(AXIS)} `, style: "dim" };
    return [axis, ...rowSpans(columns, row, most / looks.height, looks)];
  });
}

/** Labels under the first and the last step of a chart with so many steps. */
export function axisLine(
  steps: number,
  first: string,
  last: string,
  { width }: { readonly width: number },
): Line {
  const drawn = resample(
    Array.from({ length: steps }, () => 0),
    width - AXIS - 1,
  ).length;
  const gap = drawn - columnsOf(first) - columnsOf(last);
  const text = gap > 0 ? `${first}${" ".repeat(gap)}${last}` : first;
  return [{ text: `${" ".repeat(AXIS + 1)}${text}`, style: "dim" }];
}

/** As many values as there are columns: means if there are more steps, wide steps if there are fewer. */
export function resample(values: readonly number[], columns: number): number[] {
  if (values.length === 0) return [];
  if (values.length <= columns) {
    const wide = Math.floor(columns / values.length);
    return values.flatMap((value) => Array.from({ length: wide }, () => value));
  }
  const perColumn = values.length / columns;
  return Array.from({ length: columns }, (_, x) => {
    const part = values.slice(
      Math.floor(x * perColumn),
      Math.max(Math.floor((x + 1) * perColumn), Math.floor(x * perColumn) + 1),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** One row of cells, `step` bytes a second high; neighbours that look alike are one span. */
function rowSpans(
  columns: readonly (readonly number[])[],
  row: number,
  step: number,
  looks: ChartLooks,
): Span[] {
  const spans: { text: string; style: Style }[] = [];
  for (let x = 0; x < (columns[0]?.length ?? 0); x++) {
    const { text, style } = cellAt(columns, x, row, step, looks);
    const last = spans.at(-1);
    if (last?.style === style) last.text += text;
    else spans.push({ text, style });
  }
  return spans;
}

function cellAt(
  columns: readonly (readonly number[])[],
  x: number,
  row: number,
  step: number,
  { glyphs, color }: ChartLooks,
): Span {
  const total = columns.reduce((sum, of) => sum + of[x]!, 0);
  const filled = Math.max(0, Math.min(1, total / step - row));
  if (filled <= 0 || total === 0) return { text: " ", style: "plain" };
  // The class that holds the middle of what this cell shows.
  const middle = (row + filled / 2) * step;
  let below = 0;
  let index = columns.findIndex((of) => {
    below += of[x]!;
    return below >= middle;
  });
  if (index < 0) index = columns.length - 1;
  const steps = glyphs.columns.length - 1;
  const sign = glyphs.columns[Math.max(1, Math.round(filled * steps))]!;
  const whole = color ? glyphs.columns[steps]! : glyphs.classes[Math.min(index, glyphs.classes.length - 1)]!;
  return { text: filled >= 1 ? whole : sign, style: classStyle(index) };
}
