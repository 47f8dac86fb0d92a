/** The matrix of services as a heat map on the page. */
import { formatBytes, formatRatio } from "../../../format.js";
import { heatOf, type Matrix } from "../../../view/map/matrix.js";
import { HEAT_STEPS, heatColor } from "../../charts/palette.js";
import type { Sheet } from "../page/sheet.js";
import { COLOR, MEASURE, PAGE, SIZE } from "../page/theme.js";

const ROW = 15.5;
const MAX_COLUMN = 44;
const MAX_LABEL = 96;
const LABEL = { size: SIZE.small } as const;
const CELL = { size: 5.8 } as const;
/** Height of the key below the cells. */
const KEY = 30;

export const MAX_SERVICES = 14;

/** Height that `drawMatrix` takes. */
export function matrixHeight(sheet: Sheet, matrix: Matrix): number {
  return headHeight(sheet, matrix) + matrix.services.length * ROW + KEY + 30;
}

function headHeight(sheet: Sheet, { services }: Matrix): number {
  return Math.min(MAX_LABEL, Math.max(...services.map((name) => sheet.type.width(name, LABEL)), 0)) + 18;
}

/** Rows send, columns receive. */
export function drawMatrix(sheet: Sheet, matrix: Matrix, noun: "service" | "address"): void {
  const { doc, type } = sheet;
  const { services, cells } = matrix;
  const label = Math.min(MAX_LABEL, Math.max(...services.map((name) => type.width(name, LABEL)))) + 8;
  const column = Math.min(MAX_COLUMN, (MEASURE - label) / services.length);
  const values = cells.flat().filter((bytes) => bytes > 0);
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const head = headHeight(sheet, matrix);
  const [left, top] = [PAGE.left + label, sheet.y + head];
  type.line("from ↓   to →", PAGE.left, top - 4, { ...LABEL, color: COLOR.muted, baseline: "bottom" });
  services.forEach((name, i) => {
    const cut = type.fit(name, MAX_LABEL, LABEL);
    type.line(cut, left - 6, top + i * ROW + ROW / 2, { ...LABEL, align: "right", baseline: "middle" });
    doc.save();
    doc.translate(left + (i + 0.5) * column, top - 5).rotate(-90);
    type.line(cut, 0, 0, { ...LABEL, baseline: "middle" });
    doc.restore();
    services.forEach((_, j) => {
      const bytes = cells[i]![j]!;
      const [x, y] = [left + j * column, top + i * ROW];
      const heat = bytes > 0 ? heatColor(heatOf(bytes, min, max)) : { fill: "#ffffff", text: COLOR.ink };
      doc.rect(x, y, column, ROW).lineWidth(0.5).undash().fillAndStroke(heat.fill, COLOR.hairline);
      if (bytes === 0) return;
      type.line(type.fit(formatBytes(bytes), column - 1, CELL), x + column / 2, y + ROW / 2, {
        ...CELL,
        color: heat.text,
        align: "center",
        baseline: "middle",
      });
    });
  });
  sheet.y = top + services.length * ROW;
  drawKey(sheet, left, min, max);
  const covered = matrix.total === 0 ? 0 : matrix.bytes / matrix.total;
  const part = `Those of the largest pairs; the matrix holds ${formatRatio(covered)} of the bytes of all pairs.`;
  sheet.caption(
    `Bytes on the wire from the ${noun} of the row to that of the column; the shade follows the logarithm. ${matrix.partial ? part : "None is left out."}`,
  );
}

function drawKey(sheet: Sheet, left: number, min: number, max: number): void {
  const { doc, type } = sheet;
  if (min === max) return;
  const style = { size: 6.8, color: COLOR.muted, baseline: "middle" } as const;
  const y = sheet.y + 8;
  const low = formatBytes(min);
  type.line(low, left, y + 4, style);
  let x = left + type.width(low, style) + 6;
  for (let i = 0; i < HEAT_STEPS; i++) {
    doc.rect(x, y, 16, 8).fill(heatColor((i + 0.5) / HEAT_STEPS).fill);
    x += 16;
  }
  type.line(formatBytes(max), x + 6, y + 4, style);
  sheet.y += KEY - 10;
}
