/** What the keys do. */
import type { Line } from "./cells.js";
import { PREFIXES } from "./filter.js";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["1-9, Tab, h l", "go to a screen"],
  ["j k, arrows, PgUp, g G", "move in a list"],
  ["Enter, Esc", "all of one row, and back; Esc also ends the filter"],
  ["/", `filter: words, ${PREFIXES.map((prefix) => `${prefix}:`).join(" ")}`],
  ["s S", "sort by the next column, turn the order round"],
  ["p, Space", "hold the picture; capture goes on"],
  ["b", "bits or bytes"],
  ["n", "names or addresses"],
  ["e E", "write what is shown as CSV, as JSON"],
  ["r", "write a PDF report"],
  ["Ctrl-L Ctrl-Z", "draw again, stop for a while"],
  ["q", "quit"],
];
const KEYS_WIDTH = 25;

export function helpLines(): Line[] {
  return [
    [{ text: " Keys", style: "bold" }],
    [],
    ...KEYS.map(
      ([keys, what]): Line => [
        { text: `  ${keys.padEnd(KEYS_WIDTH)}`, style: "bold" },
        { text: what, style: "plain" },
      ],
    ),
    [],
    [{ text: "  In a filter every word must be there: src:web port:5432 state:time", style: "dim" }],
    [{ text: "  Any key goes back.", style: "dim" }],
  ];
}
