/** Text in a grid of cells: widths of one and two columns, and cutting by width. Output never has control characters. */
import stringWidth from "string-width";

export type Style =
  | "plain"
  | "dim"
  | "bold"
  | "title"
  | "selected"
  | "good"
  | "bad"
  | "warn"
  | "class0"
  | "class1"
  | "class2"
  | "class3";

export interface Span {
  readonly text: string;
  readonly style: Style;
}
export type Line = readonly Span[];

/** The content of one cell, or of two. */
export interface Unit {
  readonly text: string;
  readonly width: 1 | 2;
}

const ASCII = /^[\x20-\x7e]*$/;
/** Most combining marks on a letter; more would paint over the lines above. */
const MAX_MARKS = 2;
const REGIONAL_A = 0x1f1e6;
const LETTERS = 26;

/**
 * The text as units. A terminal never sees a control character, a joined emoji or a flag here: terminals disagree on how wide
 * those are, and the rest of the line would slip.
 */
export function unitsOf(text: string): Unit[] {
  const units: Unit[] = [];
  let marks = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0x20 && code < 0x7f) {
      units.push({ text: character, width: 1 });
      marks = 0;
      continue;
    }
    const width = widthOf(character, code);
    if (width === 0) {
      const before = units.at(-1);
      if (before && /\p{M}/u.test(character) && !isSelector(code) && marks++ < MAX_MARKS)
        units[units.length - 1] = { ...before, text: before.text + character };
      continue;
    }
    marks = 0;
    units.push(plainUnit(character, code, width));
  }
  return units;
}

function plainUnit(character: string, code: number, width: 1 | 2): Unit {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return { text: "?", width: 1 };
  if (code >= REGIONAL_A && code < REGIONAL_A + LETTERS)
    return { text: String.fromCharCode(0x41 + code - REGIONAL_A), width: 1 };
  return { text: character, width };
}

function widthOf(character: string, code: number): 0 | 1 | 2 {
  if (code < 0x300) return 1;
  if (isSelector(code) || (code >= 0x1f3fb && code <= 0x1f3ff)) return 0;
  // Box drawing, blocks and geometric shapes: most non-ASCII characters on the screen.
  if (code >= 0x2500 && code < 0x25fd) return 1;
  let width = widths.get(code);
  if (width === undefined) {
    if (widths.size >= MAX_WIDTHS) widths.clear();
    width = Math.min(2, stringWidth(character)) as 0 | 1 | 2;
    widths.set(code, width);
  }
  return width;
}

/** Cache of widths: computing one costs microseconds. */
const widths = new Map<number, 0 | 1 | 2>();
const MAX_WIDTHS = 4096;

function isSelector(code: number): boolean {
  return code >= 0xfe00 && code <= 0xfe0f;
}

/** Columns the text takes. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  return unitsOf(text).reduce((sum, { width }) => sum + width, 0);
}

/** Longer text is cut first. */
const MAX_TEXT = 2000;

/** The beginning and the end of the text, `ellipsis` between them, in at most `width` columns. */
export function cut(text: string, width: number, ellipsis: string): string {
  if (width <= 0) return "";
  const short = text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text;
  if (columnsOf(short) <= width && short === text) return text;
  const units = unitsOf(short);
  if (width === 1) return ellipsis;
  const head = take(units, Math.ceil((width - 1) / 2));
  const tail = take(units.toReversed(), width - 1 - columnsOf(head.join("")));
  return head.join("") + ellipsis + tail.reverse().join("");
}

function take(units: readonly Unit[], room: number): string[] {
  const taken: string[] = [];
  let used = 0;
  for (const { text, width } of units) {
    used += width;
    if (used > room) break;
    taken.push(text);
  }
  return taken;
}

/** The beginning of the text, `ellipsis` where its end is left out, in at most `width` columns: for sentences. */
export function cutEnd(text: string, width: number, ellipsis: string): string {
  if (width <= 0) return "";
  const short = text.slice(0, MAX_TEXT);
  if (columnsOf(short) <= width && short === text) return text;
  return (
    take(unitsOf(short), width - 1)
      .join("")
      .trimEnd() + ellipsis
  );
}

/** The text in lines of at most `width` columns, broken at spaces where there are any. */
export function wrap(text: string, width: number): string[] {
  const room = Math.max(2, width);
  const lines: string[] = [];
  let line = "";
  for (const word of text.slice(0, MAX_TEXT).split(" ")) {
    let rest = unitsOf(word);
    if (line !== "" && columnsOf(line) + 1 + columnsOf(word) <= room) {
      line += ` ${word}`;
      continue;
    }
    if (line !== "") lines.push(line);
    while (rest.reduce((sum, unit) => sum + unit.width, 0) > room) {
      const part = take(rest, room);
      lines.push(part.join(""));
      rest = rest.slice(part.length);
    }
    line = rest.map((unit) => unit.text).join("");
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line];
}

/** Exactly `width` columns: cut, or padded on the side opposite to `align`. */
export function fit(text: string, width: number, align: "left" | "right", ellipsis: string): string {
  const shown = cut(text, width, ellipsis);
  const space = " ".repeat(Math.max(0, width - columnsOf(shown)));
  return align === "left" ? shown + space : space + shown;
}

/** The line in exactly `width` columns: cut or padded with blanks. */
export function clip(line: Line, width: number): Line {
  const spans: Span[] = [];
  let left = width;
  for (const { text, style } of line) {
    if (left <= 0) break;
    const columns = columnsOf(text);
    const shown = columns <= left ? text : take(unitsOf(text), left).join("");
    spans.push({ text: shown, style });
    left -= Math.min(left, columnsOf(shown));
    if (columns > columnsOf(shown)) break;
  }
  if (left > 0) spans.push({ text: " ".repeat(left), style: "plain" });
  return spans;
}

export function plain(text: string): Line {
  return [{ text, style: "plain" }];
}

/** The line as text, without trailing blanks: for tests and exports. */
export function textOf(line: Line): string {
  return line
    .map(({ text }) => text)
    .join("")
    .trimEnd();
}
