/** The user's choices, and the effect of each key. Pure. */
import { visible } from "../format.js";
import { MAX_FILTER } from "./lists/filter.js";

export const SCREENS = [
  "overview",
  "services",
  "pairs",
  "talkers",
  "protocols",
  "conversations",
  "connections",
  "topology",
  "events",
  "quality",
  "applications",
] as const;
export type ScreenName = (typeof SCREENS)[number];

/** The key of each screen, in their order. */
export const SCREEN_KEYS = "1234567890a";

export interface Sort {
  /** Name of the column; null: the order of the Snapshot. */
  readonly column: string | null;
  readonly reversed: boolean;
}

export interface State {
  readonly screen: ScreenName;
  readonly sorts: Readonly<Partial<Record<ScreenName, Sort>>>;
  /** Index of the shown list on a screen with several. */
  readonly parts: Readonly<Partial<Record<ScreenName, number>>>;
  /** Row of the cursor, among those that pass the filter. */
  readonly selected: number;
  readonly filter: string;
  /** The filter during typing; null: not typing. */
  readonly typing: string | null;
  readonly detail: boolean;
  readonly help: boolean;
  readonly paused: boolean;
  readonly bits: boolean;
  /** Show addresses instead of names. */
  readonly numeric: boolean;
  /** The monitor gets mouse events, not the terminal. */
  readonly mouse: boolean;
}

export const START: State = {
  screen: "overview",
  sorts: {},
  parts: {},
  selected: 0,
  filter: "",
  typing: null,
  detail: false,
  help: false,
  paused: false,
  bits: false,
  numeric: false,
  mouse: true,
};

/** An action of a key beyond the screen. */
export type Effect = "quit" | "suspend" | "csv" | "json" | "report" | "redraw" | "mouse";

export interface Step {
  readonly state: State;
  readonly effect: Effect | null;
}

/** The current screen, in which keys move. */
export interface Shown {
  readonly rows: number;
  /** Number of rows that fit. */
  readonly page: number;
  /** Names of the sortable columns. */
  readonly columns: readonly string[];
  /** Number of named lists; 0: one list without a name. */
  readonly parts: number;
  /** The one of them that is shown. */
  readonly part: number;
}

export const UNSORTED: Sort = { column: null, reversed: false };

export function press(state: State, key: string, shown: Shown): Step {
  if (key === "C-c") return { state, effect: "quit" };
  if (key === "C-z") return { state, effect: "suspend" };
  if (key === "C-l") return { state, effect: "redraw" };
  if (state.typing !== null) return still(type(state, state.typing, key));
  if (state.help) return key === "q" ? { state, effect: "quit" } : still({ ...state, help: false });
  if (key === "m") return { state: { ...state, mouse: !state.mouse }, effect: "mouse" };
  const effect = Object.hasOwn(EFFECTS, key) ? EFFECTS[key]! : null;
  if (effect !== null) return { state, effect };
  return still(change(state, key, shown));
}

const EFFECTS: Readonly<Record<string, Effect>> = { q: "quit", e: "csv", E: "json", r: "report" };

function still(state: State): Step {
  return { state, effect: null };
}

function type(state: State, typing: string, key: string): State {
  switch (key) {
    case "enter":
      return { ...state, typing: null, filter: typing.trim(), selected: 0 };
    case "escape":
      return { ...state, typing: null };
    case "backspace":
      return { ...state, typing: [...typing].slice(0, -1).join("") };
    case "C-u":
      return { ...state, typing: "" };
    default:
      return [...key].length === 1 && typing.length < MAX_FILTER
        ? { ...state, typing: typing + visible(key) }
        : state;
  }
}

function change(state: State, key: string, shown: Shown): State {
  const chosen = key.length === 1 ? SCREENS[SCREEN_KEYS.indexOf(key)] : undefined;
  if (chosen !== undefined) return open(state, chosen);
  const moved = move(state, key, shown);
  if (moved !== null) return moved;
  switch (key) {
    case "tab":
    case "right":
    case "l":
      return open(state, neighbour(state.screen, 1));
    case "S-tab":
    case "left":
    case "h":
      return open(state, neighbour(state.screen, -1));
    case "/":
      return { ...state, typing: state.filter, detail: false };
    case "s":
      return sortNext(state, shown.columns);
    case "t":
      return partNext(state, shown);
    case "S":
      return withSort(state, ({ column, reversed }) => ({ column, reversed: !reversed }));
    case "enter":
      return shown.rows > 0 && state.screen !== "overview" ? { ...state, detail: true } : state;
    case "escape":
      return state.detail ? { ...state, detail: false } : { ...state, filter: "", selected: 0 };
    case "p":
    case " ":
      return { ...state, paused: !state.paused };
    case "b":
      return { ...state, bits: !state.bits };
    case "n":
      return { ...state, numeric: !state.numeric, selected: 0 };
    case "?":
      return { ...state, help: true };
    default:
      return state;
  }
}

export function open(state: State, screen: ScreenName): State {
  return { ...state, screen, selected: 0, detail: false };
}

/** The target of a mouse event. */
export type Hit =
  | { readonly on: "screen"; readonly screen: ScreenName }
  | { readonly on: "row"; readonly row: number }
  | { readonly on: "heading"; readonly column: string };

/** A click: on a screen's name, on a row (twice: opens it), on a heading (twice: reverses the order). */
export function click(state: State, hit: Hit | null): State {
  if (state.typing !== null || hit === null) return state;
  switch (hit.on) {
    case "screen":
      return { ...open(state, hit.screen), help: false };
    case "row":
      return { ...state, selected: hit.row, detail: hit.row === state.selected };
    case "heading":
      return withSort(state, ({ column, reversed }) => ({
        column: hit.column,
        reversed: column === hit.column && !reversed,
      }));
  }
}

function neighbour(screen: ScreenName, by: number): ScreenName {
  return SCREENS[(SCREENS.indexOf(screen) + by + SCREENS.length) % SCREENS.length]!;
}

/** null: the key moves nothing. */
function move(state: State, key: string, { rows, page }: Shown): State | null {
  const steps: Readonly<Record<string, number>> = {
    up: -1,
    k: -1,
    down: 1,
    j: 1,
    pageup: -page,
    "C-b": -page,
    pagedown: page,
    "C-f": page,
    home: -rows,
    g: -rows,
    end: rows,
    G: rows,
  };
  const step = Object.hasOwn(steps, key) ? steps[key]! : null;
  if (step === null) return null;
  return { ...state, selected: Math.max(0, Math.min(rows - 1, state.selected + step)) };
}

/** Cycles through the Snapshot's order and each column. */
function sortNext(state: State, columns: readonly string[]): State {
  return withSort(state, ({ column, reversed }) => {
    const next = column === null ? 0 : columns.indexOf(column) + 1;
    return { column: columns[next] ?? null, reversed };
  });
}

function partNext(state: State, { parts, part: shown }: Shown): State {
  if (parts < 2) return state;
  const part = (shown + 1) % parts;
  return withSort(
    { ...state, parts: { ...state.parts, [state.screen]: part }, detail: false },
    () => UNSORTED,
  );
}

function withSort(state: State, change: (sort: Sort) => Sort): State {
  const sort = change(state.sorts[state.screen] ?? UNSORTED);
  return { ...state, sorts: { ...state.sorts, [state.screen]: sort }, selected: 0 };
}
