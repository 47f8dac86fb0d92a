/** The whole screen as lines: tabs, the body, the filter, the status line. Pure. */
import {
  formatClock,
  formatCount,
  formatCounted,
  formatDuration,
  formatInstant,
  visible,
} from "../../format.js";
import { detailLines } from "../lists/detail.js";
import { arrange, type Grid } from "../lists/grid.js";
import { type GridView, rowsThatFit, viewGrid } from "../lists/grid-view.js";
import { gridOf } from "../lists/grids.js";
import { dropsText } from "../lists/ledger.js";
import { overviewLines } from "../lists/overview.js";
import type { Model } from "../model.js";
import {
  type Hit,
  SCREEN_KEYS,
  SCREENS,
  type ScreenName,
  type Shown,
  type State,
  UNSORTED,
} from "../state.js";
import { clip, columnsOf, cut, type Line, type Span } from "./cells.js";
import { type Glyphs, toAscii } from "./glyphs.js";
import { helpLines } from "./help.js";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Frame {
  /** One line per row of the screen, each of full width. */
  readonly lines: readonly Line[];
  /** The list that keys move in. */
  readonly shown: Shown;
  /** The grid for exports; null: the screen has no list. */
  readonly grid: Grid | null;
  /** The click target in a cell, counted from 0; null: none. */
  hit(x: number, y: number): Hit | null;
}

export interface FrameLooks {
  readonly size: Size;
  readonly color: boolean;
  readonly glyphs: Glyphs;
  /** A short message on the last action; null: none. */
  readonly notice: string | null;
}

const TITLES: Readonly<Record<ScreenName, readonly [long: string, short: string]>> = {
  overview: ["Overview", "Over"],
  services: ["Services", "Serv"],
  pairs: ["Pairs", "Pair"],
  talkers: ["Talkers", "Talk"],
  protocols: ["Protocols", "Prot"],
  conversations: ["Conversations", "Conv"],
  connections: ["Connections", "Conn"],
  topology: ["Topology", "Topo"],
  events: ["Events", "Event"],
  quality: ["Quality", "Qual"],
  applications: ["Applications", "Apps"],
};
/** Tabs, two rules, the line of the filter, the status line. */
const FURNITURE = 5;
/** The line that the body begins in. */
const BODY = 2;
const MIN_ROWS = 8;
const MIN_COLUMNS = 40;

export function layOut(model: Model, state: State, looks: FrameLooks): Frame {
  const { columns, rows } = looks.size;
  if (columns < MIN_COLUMNS || rows < MIN_ROWS) return tooSmall(looks);
  const height = rows - FURNITURE;
  const arranged = gridOf(state.screen, model, state, looks.glyphs);
  const grid = arranged && arrange(arranged, state.filter, state.sorts[state.screen]);
  const list = grid && new ListBody(grid, state, height, looks);
  const body = bodyLines(model, state, list, height, looks);
  const rule: Line = [{ text: looks.glyphs.rule.repeat(columns), style: "dim" }];
  const tabs = tabsOf(state, columns);
  const lines = [
    tabs,
    rule,
    ...Array.from({ length: height }, (_, i): Line => body[i] ?? []),
    rule,
    promptLine(state, grid, looks),
    statusLine(model, state, columns, looks.glyphs),
  ].map((line) => clip(line, columns));
  const shown: Shown = {
    rows: grid?.rows.length ?? 0,
    page: list?.page ?? 1,
    columns: list?.view.headings.map(({ name }) => name) ?? [],
    parts: grid?.parts?.length ?? 0,
    part: grid?.part ?? 0,
  };
  const hit = (x: number, y: number): Hit | null => {
    if (y === 0) return tabAt(tabs, x);
    return list === null || state.help || state.detail ? null : list.hit(x, y - BODY);
  };
  return { lines: looks.glyphs.ascii ? lines.map(toAscii) : lines, shown, grid, hit };
}

function tooSmall({ size, glyphs }: FrameLooks): Frame {
  const text = `${size.columns}x${size.rows}: at least ${MIN_COLUMNS}x${MIN_ROWS}`;
  const lines = Array.from(
    { length: Math.max(0, size.rows) },
    (_, i): Line =>
      clip(i === 0 ? [{ text: cut(text, size.columns, glyphs.ellipsis), style: "bad" }] : [], size.columns),
  );
  const shown = { rows: 0, page: 1, columns: [], parts: 0, part: 0 };
  return { lines, shown, grid: null, hit: () => null };
}

/** A list below the names of the screen's other lists, where it has several. */
class ListBody {
  readonly grid: Grid;
  readonly view: GridView;
  readonly page: number;
  readonly #head: readonly Line[];

  constructor(grid: Grid, state: State, height: number, { size, glyphs }: FrameLooks) {
    this.grid = grid;
    this.#head = grid.parts ? [partsLine(grid)] : [];
    const left = height - this.#head.length;
    this.page = rowsThatFit(left);
    const selected = this.selected(state);
    const sort = state.sorts[state.screen] ?? UNSORTED;
    this.view = viewGrid(grid, {
      width: size.columns,
      height: left,
      bits: state.bits,
      glyphs,
      selected,
      sort,
    });
  }

  get lines(): readonly Line[] {
    return [...this.#head, ...this.view.lines];
  }

  selected(state: State): number {
    return Math.max(0, Math.min(this.grid.rows.length - 1, state.selected));
  }

  /** `y` counts from the body's first line. */
  hit(x: number, y: number): Hit | null {
    const { headings, first, lines } = this.view;
    const line = y - this.#head.length;
    const heading = headings.find(({ from, to }) => x >= from && x < to);
    if (line === 0) return heading ? { on: "heading", column: heading.name } : null;
    const isRow = headings.length > 0 && line > 0 && line < lines.length;
    return isRow ? { on: "row", row: first + line - 1 } : null;
  }
}

function partsLine({ parts = [], part: at }: Grid): Line {
  const names = parts.flatMap(({ title, rows }, i): Span[] => [
    { text: " ", style: "plain" },
    { text: ` ${visible(title)} ${formatCount(rows)} `, style: i === at ? "title" : "plain" },
  ]);
  return [...names, { text: "   t: the next", style: "dim" }];
}

function bodyLines(
  model: Model,
  state: State,
  list: ListBody | null,
  height: number,
  { size, glyphs, color }: FrameLooks,
): readonly Line[] {
  const looks = { width: size.columns, height, bits: state.bits, glyphs, color };
  if (state.help) return helpLines(looks);
  if (list === null) return overviewLines(model, looks);
  const row = list.grid.rows[list.selected(state)];
  return state.detail && row ? detailLines(list.grid, row, looks) : list.lines;
}

function tabsOf({ screen }: State, columns: number): readonly Span[] {
  const spansOf = (which: 0 | 1) =>
    SCREENS.map((name, i): Span => {
      const text = ` ${SCREEN_KEYS[i]} ${TITLES[name][which]} `;
      return { text, style: name === screen ? "title" : "plain" };
    });
  const long = spansOf(0);
  const fits = long.reduce((sum, { text }) => sum + text.length, 0) <= columns;
  return fits ? long : spansOf(1).map(({ text, style }) => ({ text: text.slice(1), style }));
}

function tabAt(tabs: readonly Span[], x: number): Hit | null {
  let end = 0;
  const at = tabs.findIndex(({ text }) => {
    end += text.length;
    return x < end;
  });
  return at < 0 ? null : { on: "screen", screen: SCREENS[at]! };
}

/** The keys of this screen, the longest text that fits. */
function hintsOf({ help, detail, screen }: State): readonly string[] {
  if (help) return ["any key goes back"];
  if (detail) return ["Esc back  j k next row  e export  ? help  q quit", "Esc back  q quit"];
  if (screen === "overview") return ["1-9 Tab screens  p pause  b bits  ? help  q quit", "? help  q quit"];
  return [
    "Enter detail  / filter  s sort  p pause  ? help  q quit",
    "Enter detail  / filter  s sort  ? help",
    "/ filter  ? help",
    "? help",
  ];
}

/** The filter, the last message, the number of rows, or a hint on keys. */
function promptLine(state: State, grid: Grid | null, { notice, size, glyphs }: FrameLooks): Line {
  if (state.typing !== null) {
    const shown = cut(state.typing, Math.max(8, size.columns - 36), glyphs.ellipsis);
    return [
      { text: " filter: ", style: "bold" },
      { text: shown, style: "plain" },
      { text: " ", style: "selected" },
      { text: "  Enter filters, Esc does not", style: "dim" },
    ];
  }
  if (notice !== null)
    return [{ text: ` ${cut(visible(notice), size.columns - 2, glyphs.ellipsis)}`, style: "warn" }];
  const left = state.help ? "" : listText(state, grid, size.columns, glyphs);
  const room = size.columns - columnsOf(left) - 4;
  const keys = hintsOf(state).find((hint) => hint.length <= room) ?? "";
  const gap = Math.max(0, size.columns - columnsOf(left) - keys.length - 2);
  return [
    { text: ` ${left}`, style: "plain" },
    { text: `${" ".repeat(gap)}${keys}`, style: "dim" },
  ];
}

function listText(state: State, grid: Grid | null, columns: number, glyphs: Glyphs): string {
  if (grid === null) return "";
  const parts: string[] = [];
  if (grid.rows.length > 0) {
    const row = Math.min(state.selected + 1, grid.rows.length);
    parts.push(`row ${formatCount(row)} of ${formatCount(grid.rows.length)}`);
  }
  if (grid.omitted > 0) parts.push(`${formatCount(grid.omitted)} more only summed`);
  const { misses = [] } = grid;
  if (misses.length > 0) parts.push(missesText(misses, columns - columnsOf(parts.join(", ")) - 4));
  if (state.filter !== "")
    parts.push(`filter: ${cut(state.filter, Math.floor(columns / 3), glyphs.ellipsis)}`);
  return parts.join(", ");
}

/** As many reasons as fit, at least one, and the number of further ones. */
function missesText(misses: readonly string[], room: number): string {
  for (let n = misses.length; ; n--) {
    const more = n < misses.length ? `, and ${formatCount(misses.length - n)} more` : "";
    const text = visible(`missing: ${misses.slice(0, n).join(", ")}${more}`);
    if (n <= 1 || columnsOf(text) <= room) return text;
  }
}

/** Always there: source, window, packets, drops. */
function statusLine(model: Model, state: State, columns: number, glyphs: Glyphs): Line {
  const { source, snapshot } = model;
  const trouble = troubleOf(model);
  const past = model.mode === "live" ? "ended" : "replayed";
  const how = state.paused ? "PAUSED" : (trouble ?? (model.ended ? past : model.mode));
  const marks = [...(state.bits ? ["bits"] : []), ...(state.numeric ? ["addresses"] : [])];
  const name = cut(visible(source), Math.max(8, columns - 66), glyphs.ellipsis);
  const what =
    snapshot === null
      ? ["no packets yet"]
      : [
          ...windowTexts(snapshot.window, columns),
          formatCounted(snapshot.totals.packets, "packet"),
          dropsText(snapshot),
        ];
  const text = ` ${[name, how, ...what, ...marks].join(" · ")}`;
  const lost = (snapshot?.ledger.dropped ?? 0) > 0;
  return [
    {
      text: text + " ".repeat(Math.max(0, columns - columnsOf(text))),
      style: trouble !== null ? "bad" : lost || state.paused ? "warn" : "title",
    },
  ];
}

/** Why the live screen no longer changes; null: it still does. */
function troubleOf({ mode, snapshot, ended }: Model): string | null {
  if (mode !== "live") return null;
  const interfaces = snapshot?.ledger.interfaces ?? [];
  const away = interfaces.filter((of) => of.ended !== null).length;
  if (away === 0) return null;
  if (ended) return "ENDED";
  return away === interfaces.length ? "AWAY, waiting" : `${away} OF ${interfaces.length} AWAY, waiting`;
}

/** Without packets there is no time. */
function windowTexts(
  { start, end, duration }: { start: string | null; end: string | null; duration: number },
  columns: number,
): string[] {
  if (start === null || end === null) return [];
  const first = columns >= 110 ? formatInstant(start) : formatClock(start).slice(0, 8);
  return [`${visible(first)} +${formatDuration(duration)}`];
}
