/** The characters for drawing: for terminals with UTF-8 and without. */
import type { HealthState } from "../../analyze/snapshot/snapshot.js";
import { type Line, type Span, unitsOf } from "./cells.js";

export interface Glyphs {
  readonly ascii: boolean;
  readonly ellipsis: string;
  readonly rule: string;
  readonly gaugeFull: string;
  readonly gaugeEmpty: string;
  /** From nothing to a full cell. */
  readonly columns: readonly string[];
  /** Fill of a class of traffic without colours. */
  readonly classes: readonly string[];
  readonly health: Readonly<Record<HealthState, string>>;
  readonly up: string;
  readonly down: string;
}

export const UNICODE: Glyphs = {
  ascii: false,
  ellipsis: "…",
  rule: "─",
  gaugeFull: "█",
  gaugeEmpty: "░",
  columns: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
  classes: ["█", "▓", "▒", "░"],
  health: { up: "█", degraded: "▄", down: "_", unknown: "·" },
  up: "▲",
  down: "▼",
};

export const ASCII: Glyphs = {
  ascii: true,
  ellipsis: "~",
  rule: "-",
  gaugeFull: "#",
  gaugeEmpty: ".",
  columns: [" ", ".", ":", "|", "#"],
  classes: ["#", "%", "+", "."],
  health: { up: "#", degraded: "=", down: "_", unknown: "." },
  up: "^",
  down: "v",
};

const SIMPLE: Readonly<Record<string, string>> = { µ: "u", "·": "-", "…": "~", "–": "-", "’": "'" };

/** The line for a terminal that shows ASCII only; others become `?` of the same width. */
export function toAscii(line: Line): Line {
  return line.map(
    (span): Span => (/^[\x20-\x7e]*$/.test(span.text) ? span : { ...span, text: asciiOf(span.text) }),
  );
}

function asciiOf(text: string): string {
  return unitsOf(text)
    .map(({ text: unit, width }) =>
      /^[\x20-\x7e]$/.test(unit) ? unit : (SIMPLE[unit] ?? "?").padEnd(width, "?"),
    )
    .join("");
}
