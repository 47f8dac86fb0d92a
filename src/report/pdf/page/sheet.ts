/** Page flow: each element goes below the previous one or onto a new page. */

import { COLOR, FLOOR, LEADING, MEASURE, PAGE, SIZE } from "./theme.js";
import type { Type, TypeStyle } from "./type.js";

/** Room above a heading. */
const SECTION_GAP = 28;
const SUBSECTION_GAP = 18;

export class Sheet {
  readonly type: Type;
  /** Position of the next element. */
  y: number = PAGE.top;
  #section: PDFKit.PDFOutline | null = null;

  constructor(type: Type) {
    this.type = type;
  }

  get doc(): PDFKit.PDFDocument {
    return this.type.doc;
  }

  get room(): number {
    return FLOOR - this.y;
  }

  get isAtTop(): boolean {
    return this.y <= PAGE.top;
  }

  breakPage(): void {
    this.doc.addPage();
    this.y = PAGE.top;
  }

  /** Starts a new page if `height` does not fit on the current one. */
  keep(height: number): void {
    if (height > this.room && !this.isAtTop) this.breakPage();
  }

  space(height: number): void {
    if (!this.isAtTop) this.y += height;
  }

  /** Begins a section: heading, introduction and the next `following` points stay on one page. */
  section(title: string, introduction: string, following: number): void {
    const style = { size: SIZE.heading, bold: true };
    const intro = { color: COLOR.muted };
    const head = SIZE.heading * LEADING + 4;
    const text = introduction === "" ? 0 : this.type.height(introduction, MEASURE, intro) + 10;
    this.#makeRoom(SECTION_GAP, head + text + following);
    this.#section = this.doc.outline.addItem(title, { expanded: false });
    this.type.line(title, PAGE.left, this.y, style);
    this.y += head;
    if (introduction === "") return;
    this.type.paragraph(introduction, PAGE.left, this.y, MEASURE, intro);
    this.y += text;
  }

  /** Begins a part of the section. */
  subsection(title: string, following: number): void {
    const head = SIZE.subheading * LEADING + 5;
    this.#makeRoom(SUBSECTION_GAP, head + following);
    this.#section?.addItem(title);
    this.type.line(title, PAGE.left, this.y, { size: SIZE.subheading, bold: true });
    this.y += head;
  }

  paragraph(text: string, style: TypeStyle = {}): void {
    this.keep(this.type.height(text, MEASURE, style));
    this.y += this.type.paragraph(text, PAGE.left, this.y, MEASURE, style);
  }

  /** A caption below a picture. */
  caption(text: string): void {
    this.y += 4;
    this.paragraph(text, { size: SIZE.small, color: COLOR.muted });
    this.y += 6;
  }

  rule(y: number, width: number = MEASURE, color: string = COLOR.rule, weight = 0.5): void {
    this.doc
      .moveTo(PAGE.left, y)
      .lineTo(PAGE.left + width, y)
      .lineWidth(weight)
      .undash()
      .stroke(color);
  }

  #makeRoom(gap: number, height: number): void {
    if (!this.isAtTop && gap + height > this.room) this.breakPage();
    this.space(gap);
  }
}
