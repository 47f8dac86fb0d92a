/** What chart.js draws with: a plain object in place of a canvas context, whose drawing goes to a pen. No native part is needed. */

/** One step of a path, as canvas and PDF name it. */
export type PathStep =
  | readonly ["moveTo" | "lineTo", x: number, y: number]
  | readonly ["rect", x: number, y: number, width: number, height: number]
  | readonly ["closePath"];

export interface TextStyle {
  readonly size: number;
  readonly color: string;
  readonly align: "left" | "center" | "right";
  readonly baseline: "top" | "middle" | "alphabetic" | "bottom";
}

/** Where a chart is drawn: a PDF page, an SVG. Angles are radians, widths and sizes the chart's units. */
export interface Pen {
  save(): void;
  restore(): void;
  translate(x: number, y: number): void;
  rotate(radians: number): void;
  fill(path: readonly PathStep[], color: string): void;
  stroke(path: readonly PathStep[], color: string, width: number): void;
  clip(path: readonly PathStep[]): void;
  text(text: string, x: number, y: number, style: TextStyle): void;
  /** Width of one line of text. */
  width(text: string, size: number): number;
}

const BASELINES: Readonly<Record<string, TextStyle["baseline"]>> = {
  top: "top",
  hanging: "top",
  middle: "middle",
  bottom: "bottom",
};
const ALIGNS: Readonly<Record<string, TextStyle["align"]>> = {
  center: "center",
  right: "right",
  end: "right",
};

/** What `save` keeps and `restore` brings back. */
interface State {
  font: string;
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  textAlign: string;
  textBaseline: string;
}

/** The part of CanvasRenderingContext2D that the charts of the report use (HTML, "The 2D rendering context"). */
export class ChartContext implements State {
  font = "10px sans-serif";
  fillStyle = "#000";
  strokeStyle = "#000";
  lineWidth = 1;
  textAlign = "start";
  textBaseline = "alphabetic";
  /** chart.js asks it for its size. */
  readonly canvas: { readonly width: number; readonly height: number; getContext(): ChartContext };
  readonly #pen: Pen;
  readonly #saved: State[] = [];
  #path: PathStep[] = [];

  constructor(pen: Pen, width: number, height: number) {
    this.#pen = pen;
    this.canvas = { width, height, getContext: () => this };
  }

  save(): void {
    const { font, fillStyle, strokeStyle, lineWidth, textAlign, textBaseline } = this;
    this.#saved.push({ font, fillStyle, strokeStyle, lineWidth, textAlign, textBaseline });
    this.#pen.save();
  }

  restore(): void {
    const state = this.#saved.pop();
    if (state === undefined) return;
    Object.assign(this, state);
    this.#pen.restore();
  }

  beginPath(): void {
    this.#path = [];
  }

  moveTo(x: number, y: number): void {
    this.#path.push(["moveTo", x, y]);
  }

  lineTo(x: number, y: number): void {
    this.#path.push(["lineTo", x, y]);
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.#path.push(["rect", x, y, width, height]);
  }

  closePath(): void {
    this.#path.push(["closePath"]);
  }

  fill(): void {
    this.#pen.fill(this.#path, this.fillStyle);
  }

  stroke(): void {
    this.#pen.stroke(this.#path, this.strokeStyle, this.lineWidth);
  }

  clip(): void {
    this.#pen.clip(this.#path);
  }

  translate(x: number, y: number): void {
    this.#pen.translate(x, y);
  }

  rotate(radians: number): void {
    this.#pen.rotate(radians);
  }

  fillText(text: string, x: number, y: number): void {
    const align = ALIGNS[this.textAlign] ?? "left";
    const baseline = BASELINES[this.textBaseline] ?? "alphabetic";
    this.#pen.text(text, x, y, { size: this.#fontSize(), color: this.fillStyle, align, baseline });
  }

  measureText(text: string): { width: number } {
    return { width: this.#pen.width(text, this.#fontSize()) };
  }

  /** All lines of the charts are whole. */
  setLineDash(): void {}
  /** The pen begins with an empty sheet of its own scale. */
  clearRect(): void {}
  setTransform(): void {}
  resetTransform(): void {}

  #fontSize(): number {
    return Number.parseFloat(/([\d.]+)px/.exec(this.font)?.[1] ?? "8");
  }
}
