/** A chart as SVG: the same drawing as on the PDF's page. */
import type { FontMetrics } from "../pdf/page/fonts.js";
import { xmlText } from "../xml.js";
import type { PathStep, Pen, TextStyle } from "./chart-context.js";

const ANCHORS = { left: "start", center: "middle", right: "end" } as const;

/** Gathers elements; `document` puts them together. Text is of the font `family`, whose widths `measure` tells. */
export class SvgPen implements Pen {
  readonly #family: string;
  readonly #metrics: FontMetrics;
  readonly #measure: (text: string, size: number) => number;
  readonly #elements: string[] = [];
  /** Open groups of each `save`, the whole drawing's first. */
  readonly #groups = [0];
  #clips = 0;

  constructor(family: string, metrics: FontMetrics, measure: (text: string, size: number) => number) {
    this.#family = family;
    this.#metrics = metrics;
    this.#measure = measure;
  }

  save(): void {
    this.#groups.push(0);
  }

  restore(): void {
    this.#elements.push("</g>".repeat(this.#groups.pop() ?? 0));
  }

  translate(x: number, y: number): void {
    this.#open(`transform="translate(${x} ${y})"`);
  }

  rotate(radians: number): void {
    this.#open(`transform="rotate(${(radians * 180) / Math.PI})"`);
  }

  fill(path: readonly PathStep[], color: string): void {
    this.#elements.push(`<path d="${dataOf(path)}" fill="${color}"/>`);
  }

  stroke(path: readonly PathStep[], color: string, width: number): void {
    const line = `stroke="${color}" stroke-width="${width}"`;
    this.#elements.push(`<path d="${dataOf(path)}" fill="none" ${line}/>`);
  }

  clip(path: readonly PathStep[]): void {
    const id = `clip${this.#clips++}`;
    this.#elements.push(`<clipPath id="${id}"><path d="${dataOf(path)}"/></clipPath>`);
    this.#open(`clip-path="url(#${id})"`);
  }

  text(text: string, x: number, y: number, { size, color, align, baseline }: TextStyle): void {
    const { ascender, descender } = this.#metrics;
    const raised = { top: ascender, middle: (ascender + descender) / 2, alphabetic: 0, bottom: descender };
    const place = `x="${x}" y="${y + raised[baseline] * size}" text-anchor="${ANCHORS[align]}"`;
    const look = `font-size="${size}" fill="${color}"`;
    this.#elements.push(`<text ${place} ${look}>${xmlText(text)}</text>`);
  }

  width(text: string, size: number): number {
    return this.#measure(text, size);
  }

  /** The drawing on white, as large as this in units. */
  document(width: number, height: number): string {
    const family = xmlText(this.#family);
    const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${family}">`;
    const ends = "</g>".repeat(this.#groups.reduce((sum, open) => sum + open, 0));
    return `${head}<rect width="100%" height="100%" fill="#ffffff"/>${this.#elements.join("\n")}${ends}</svg>`;
  }

  #open(attribute: string): void {
    this.#elements.push(`<g ${attribute}>`);
    this.#groups[this.#groups.length - 1]! += 1;
  }
}

function dataOf(path: readonly PathStep[]): string {
  return path.map(segmentOf).join("");
}

function segmentOf(step: PathStep): string {
  switch (step[0]) {
    case "moveTo":
      return `M${step[1]} ${step[2]}`;
    case "lineTo":
      return `L${step[1]} ${step[2]}`;
    case "rect":
      return `M${step[1]} ${step[2]}h${step[3]}v${step[4]}h${-step[3]}z`;
    case "closePath":
      return "z";
  }
}
