/** Headers and footers. Drawn last, when the number of pages is known. */
import { COLOR, FLOOR, MEASURE, PAGE, RIGHT, SIZE } from "./theme.js";
import type { Type } from "./type.js";

const STYLE = { size: SIZE.small, color: COLOR.muted } as const;
const HEAD_Y = 32;
const FOOT_Y = FLOOR + 26;

export interface FurnitureTexts {
  readonly title: string;
  readonly producer: string;
  /** The missing data; empty: none. */
  readonly mark: string;
}

/** The title at the head of all pages except the first; at the foot the author, the missing data, and the page number. */
export function drawFurniture(type: Type, { title, producer, mark }: FurnitureTexts): void {
  const { doc } = type;
  const { count } = doc.bufferedPageRange();
  for (let i = 0; i < count; i++) {
    doc.switchToPage(i);
    if (i > 0) type.line(type.fit(title, MEASURE, STYLE), PAGE.left, HEAD_Y, STYLE);
    doc
      .moveTo(PAGE.left, FOOT_Y - 8)
      .lineTo(RIGHT, FOOT_Y - 8)
      .lineWidth(0.5)
      .undash()
      .stroke(COLOR.hairline);
    const made = type.fit(producer, 110, STYLE);
    type.line(made, PAGE.left, FOOT_Y, STYLE);
    const page = `${i + 1} of ${count}`;
    type.line(page, RIGHT, FOOT_Y, { ...STYLE, align: "right" });
    const warning = { size: SIZE.small, color: COLOR.warning, bold: true };
    const room = MEASURE - 2 * (Math.max(type.width(made, STYLE), type.width(page, STYLE)) + 14);
    type.line(type.fit(mark, room, warning), PAGE.left + MEASURE / 2, FOOT_Y, {
      ...warning,
      align: "center",
    });
  }
}
