/**
 * chart.js's drawing calls as vectors and text of the PDF. Chosen over a 3x PNG (no selectable text, 50 to 120 KB and 70 ms a chart)
 * and over cairo's SVG (text as outlines, and its dialect changes with cairo's version): smallest, sharpest, the same everywhere.
 */

import type { LineStyle, Type } from "../pdf/pdf-type.js";
import type { CanvasContext } from "./charts-canvas.js";

type Box = [x: number, y: number, width: number, height: number];

/** Canvas and PDF name the same places of a line. */
const BASELINES: Readonly<Record<string, LineStyle["baseline"]>> = {
  top: "top",
  hanging: "top",
  middle: "middle",
  bottom: "bottom",
};
const ALIGNS: Readonly<Record<string, LineStyle["align"]>> = {
  center: "center",
  right: "right",
  end: "right",
};

/** Makes everything drawn on the context appear on the page, its origin at (x, y). */
export function traceOnto(context: CanvasContext, type: Type, x: number, y: number): void {
  type.doc.translate(x, y);
  const trace = new Trace(context, type);
  for (const name of Object.keys(trace)) context[name] = trace[name as keyof Trace];
}

/**
 * The methods of a canvas context, one property each. What the context itself keeps, and `save` and `restore` stack (colours,
 * font, alignment), is read from it. A path is held back until it is filled or stroked, for a canvas may do both with one.
 */
class Trace {
  readonly #context: CanvasContext;
  readonly #type: Type;
  readonly #doc: PDFKit.PDFDocument;
  #path: (() => void)[] = [];

  readonly save: () => void;
  readonly restore: () => void;

  constructor(context: CanvasContext, type: Type) {
    this.#context = context;
    this.#type = type;
    this.#doc = type.doc;
    const own = { save: method(context, "save"), restore: method(context, "restore") };
    this.save = () => {
      own.save();
      this.#doc.save();
    };
    this.restore = () => {
      own.restore();
      this.#doc.restore();
    };
  }

  readonly beginPath = () => {
    this.#path = [];
  };
  readonly moveTo = (x: number, y: number) => {
    this.#path.push(() => this.#doc.moveTo(x, y));
  };
  readonly lineTo = (x: number, y: number) => {
    this.#path.push(() => this.#doc.lineTo(x, y));
  };
  readonly rect = (...box: Box) => {
    this.#path.push(() => this.#doc.rect(...box));
  };
  readonly closePath = () => {
    this.#path.push(() => this.#doc.closePath());
  };
  readonly fill = () => {
    this.#lay();
    this.#doc.fill(this.#context.fillStyle);
  };
  readonly stroke = () => {
    this.#lay();
    this.#doc.undash().lineWidth(this.#context.lineWidth).stroke(this.#context.strokeStyle);
  };
  readonly clip = () => {
    this.#lay();
    this.#doc.clip();
  };
  readonly translate = (x: number, y: number) => {
    this.#doc.translate(x, y);
  };
  readonly rotate = (radians: number) => {
    this.#doc.rotate((radians * 180) / Math.PI);
  };
  readonly fillText = (text: string, x: number, y: number) => {
    const { fillStyle, textAlign, textBaseline } = this.#context;
    const align = ALIGNS[textAlign] ?? "left";
    const baseline = BASELINES[textBaseline] ?? "alphabetic";
    this.#type.line(text, x, y, { size: this.#fontSize(), color: fillStyle, align, baseline });
  };
  readonly measureText = (text: string) => ({ width: this.#type.width(text, { size: this.#fontSize() }) });
  /** The page has nothing to clear, and its scale is its own. */
  readonly clearRect = () => {};
  readonly setTransform = () => {};
  readonly resetTransform = () => {};

  #lay(): void {
    for (const step of this.#path) step();
  }

  #fontSize(): number {
    return Number.parseFloat(/([\d.]+)px/.exec(this.#context.font)?.[1] ?? "8");
  }
}

function method(context: CanvasContext, name: string): () => void {
  return (context[name] as () => void).bind(context);
}
