/** Type on the page. Every text of the report is drawn here, and made safe and drawable here, once. */

import { cutMiddle } from "../../../view/cut.js";
import { wrapText } from "../../../view/wrap.js";
import type { Coverage } from "./fonts.js";
import { safeText } from "./safe-text.js";
import { COLOR, LEADING, SIZE } from "./theme.js";

export interface TypeStyle {
  readonly size?: number;
  readonly bold?: boolean;
  readonly color?: string;
}

export interface LineStyle extends TypeStyle {
  /** The position in the line that `x` refers to. */
  readonly align?: "left" | "center" | "right";
  /** The position in it that `y` refers to; `top` is the top of the line's box. */
  readonly baseline?: "top" | "middle" | "alphabetic" | "bottom";
}

/** Text that is safe and can be drawn as it is. */
export class Drawable {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Draws lines and paragraphs on a document's current page. Borrows the document. */
export class Type {
  readonly doc: PDFKit.PDFDocument;
  readonly #covers: Coverage;
  readonly #clean = new Map<string, string>();

  constructor(doc: PDFKit.PDFDocument, covers: Coverage) {
    this.doc = doc;
    this.#covers = covers;
  }

  /** The text in drawable characters. */
  clean(text: string | Drawable): string {
    if (typeof text !== "string") return text.text;
    const known = this.#clean.get(text);
    if (known !== undefined) return known;
    const clean = safeText(text, this.#covers);
    this.#clean.set(text, clean);
    return clean;
  }

  /** Width of one line in points. */
  width(text: string | Drawable, style: TypeStyle = {}): number {
    this.#select(style);
    return this.doc.widthOfString(this.clean(text));
  }

  /** The text, shortened in the middle to fit `width`. */
  fit(text: string, width: number, style: TypeStyle = {}): Drawable {
    const clean = this.clean(text);
    this.#select(style);
    if (this.doc.widthOfString(clean) <= width) return new Drawable(clean);
    let [fits, tooLong] = [1, Array.from(clean).length];
    while (tooLong - fits > 1) {
      const length = (fits + tooLong) >> 1;
      if (this.doc.widthOfString(cutMiddle(clean, length)) <= width) fits = length;
      else tooLong = length;
    }
    return new Drawable(cutMiddle(clean, fits));
  }

  /** One line, not wrapped. */
  line(text: string | Drawable, x: number, y: number, style: LineStyle = {}): void {
    const clean = this.clean(text);
    if (clean === "") return;
    this.#select(style);
    const { align = "left", baseline = "top" } = style;
    const left = align === "left" ? x : x - this.doc.widthOfString(clean) / (align === "center" ? 2 : 1);
    this.doc.fillColor(style.color ?? COLOR.ink);
    this.doc.text(clean, left, y, { lineBreak: false, baseline });
  }

  /** Height of a wrapped paragraph. */
  height(text: string | Drawable, width: number, style: TypeStyle = {}): number {
    return this.#wrap(text, width, style).length * lineHeight(style);
  }

  /** A wrapped paragraph. Returns its height. */
  paragraph(text: string | Drawable, x: number, y: number, width: number, style: TypeStyle = {}): number {
    const lines = this.#wrap(text, width, style);
    lines.forEach((line, i) => {
      this.line(new Drawable(line), x, y + i * lineHeight(style), style);
    });
    return lines.length * lineHeight(style);
  }

  #select(style: TypeStyle): void {
    this.doc.font(style.bold ? "semibold" : "regular", style.size ?? SIZE.body);
  }

  #wrap(text: string | Drawable, width: number, style: TypeStyle): string[] {
    this.#select(style);
    const measure = (part: string) => this.doc.widthOfString(part);
    return wrapText(this.clean(text), width, measure, (word) => {
      let n = Math.floor((word.length * width) / measure(word));
      while (n > 1 && measure(word.slice(0, n)) > width) n--;
      return n;
    });
  }
}

function lineHeight({ size = SIZE.body }: TypeStyle): number {
  return size * LEADING;
}
