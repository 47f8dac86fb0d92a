/** What the keys do. */

import { SCREENS } from "../state.js";
import { cut, type Line, wrap } from "./cells.js";
import type { Glyphs } from "./glyphs.js";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  [`1 to 9${SCREENS.length > 9 ? ", 0, a" : ""}`, "go to a screen; Tab or l: the next, h: the one before"],
  ["Up Down, j k", "move in a list; PgUp PgDn: a page; g G: to its ends"],
  ["Enter", "everything known of the row; Esc goes back"],
  ["/", "show only rows with these words; Esc ends that"],
  ["s, S", "sort by the next column; turn the order round"],
  ["t", "the next list, on a screen that has several"],
  ["p", "hold the picture; the capture goes on. Again: let it run"],
  ["b, n", "bits or bytes; names or addresses"],
  ["e, E", "write the list shown to a file: as CSV, as JSON"],
  ["r", "write a PDF report"],
  ["m", "mouse: the terminal's, to select text, or the monitor's"],
  ["Ctrl-L, Ctrl-Z", "redraw; suspend (fg brings it back)"],
  ["q", "quit"],
];
const KEYS_WIDTH = 16;

const FILTER =
  "A filter is words that a row must all have: postgres 5432. A prefix looks in one place only: src: dst: proto: port: state:, as in src:web port:5432.";

export function helpLines({ width, glyphs }: { readonly width: number; readonly glyphs: Glyphs }): Line[] {
  return [
    [{ text: " Keys", style: "bold" }],
    ...KEYS.map(
      ([keys, what]): Line => [
        { text: `  ${keys.padEnd(KEYS_WIDTH)}`, style: "bold" },
        { text: cut(what, width - KEYS_WIDTH - 3, glyphs.ellipsis), style: "plain" },
      ],
    ),
    [],
    ...wrap(FILTER, Math.min(width, 100) - 4).map((text): Line => [{ text: `  ${text}`, style: "dim" }]),
  ];
}
