/** The filter language: words that must all be there, `src: dst: proto: port: state:` for one kind of cell. */
import type { Cell, Row } from "../../analyze/snapshot/snapshot.js";
import { visible } from "../../format.js";

const KEYS: Readonly<Record<string, readonly string[]>> = {
  src: ["source", "source_address", "service", "address", "client"],
  dst: ["destination", "destination_address", "service", "address", "server"],
  proto: ["transport", "protocol", "application"],
  port: ["source_port", "destination_port", "port"],
  state: ["state", "tcp_state", "verdict", "tracked", "kind", "severity"],
};

interface Term {
  /** null: any cell. */
  readonly columns: readonly string[] | null;
  readonly exact: boolean;
  readonly value: string;
}

export type Filter = (row: Row) => boolean;

/** Longest filter that is read. */
export const MAX_FILTER = 200;

/** Never fails: text without a known prefix is a word. Ignores case; ports match as a whole, other cells by a part. Linear in the text. */
export function parseFilter(text: string): Filter {
  const terms = text
    .slice(0, MAX_FILTER)
    .toLowerCase()
    .split(" ")
    .filter((word) => word !== "")
    .map(termOf);
  return (row) => terms.every((term) => matches(term, row));
}

function termOf(word: string): Term {
  const at = word.indexOf(":");
  const key = at > 0 ? word.slice(0, at) : "";
  const columns = Object.hasOwn(KEYS, key) ? KEYS[key]! : null;
  if (columns === null) return { columns, exact: false, value: word };
  return { columns, exact: key === "port", value: word.slice(at + 1) };
}

function matches({ columns, exact, value }: Term, row: Row): boolean {
  if (value === "") return true;
  const cells: readonly (Cell | undefined)[] = columns
    ? columns.map((name) => row[name])
    : Object.values(row);
  return cells.some((cell) => {
    if (cell === null || cell === undefined || typeof cell === "boolean") return false;
    if (typeof cell === "number")
      return exact ? String(cell) === value : columns === null && String(cell) === value;
    return !exact && visible(cell).toLowerCase().includes(value);
  });
}
