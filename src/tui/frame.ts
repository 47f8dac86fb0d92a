/** The whole screen as lines: tabs, the body, the filter, the status line. Pure. */
import {
  formatClock,
  formatCount,
  formatCounted,
  formatDuration,
  formatInstant,
  visible,
} from "../format.js";
import { clip, columnsOf, cut, type Line, type Span } from "./cells.js";
import { detailLines } from "./detail.js";
import { type Glyphs, toAscii } from "./glyphs.js";
import { arrange, type Grid } from "./grid.js";
import { gridLines, rowsThatFit } from "./grid-view.js";
import { gridOf } from "./grids.js";
import { helpLines } from "./help.js";
import { dropsText } from "./ledger.js";
import type { Model } from "./model.js";
import { overviewLines } from "./overview.js";
import { SCREENS, type ScreenName, type Shown, type State, UNSORTED } from "./state.js";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Frame {
  /** As many as the screen has rows, each as wide as it. */
  readonly lines: readonly Line[];
  /** What keys move in. */
  readonly shown: Shown;
  /** What an export writes; null: the screen is no list. */
  readonly grid: Grid | null;
}

export interface FrameLooks {
  readonly size: Size;
  readonly color: boolean;
  readonly glyphs: Glyphs;
  /** A word on what was just done; null: none. */
  readonly notice: string | null;
}

const TITLES: Readonly<Record<ScreenName, readonly [long: string, short: string]>> = {
  overview: ["Overview", "Over"],
  services: ["Services", "Serv"],
  pairs: ["Pairs", "Pairs"],
  talkers: ["Talkers", "Talk"],
  protocols: ["Protocols", "Proto"],
  conversations: ["Conversations", "Convs"],
  connections: ["Connections", "Conns"],
  topology: ["Topology", "Topo"],
  events: ["Events", "Events"],
};
/** Tabs, two rules, the line of the filter, the status line. */
const FURNITURE = 5;
const MIN_ROWS = 8;
const MIN_COLUMNS = 40;

export function layOut(model: Model, state: State, looks: FrameLooks): Frame {
  const { columns, rows } = looks.size;
  if (columns < MIN_COLUMNS || rows < MIN_ROWS) return tooSmall(looks);
  const height = rows - FURNITURE;
  const arranged = gridOf(state.screen, model, state, looks.glyphs);
  const grid = arranged && arrange(arranged, state.filter, state.sorts[state.screen]);
  const body = bodyLines(model, state, grid, height, looks);
  const rule: Line = [{ text: looks.glyphs.rule.repeat(columns), style: "dim" }];
  const lines = [
    tabsLine(state, columns),
    rule,
    ...Array.from({ length: height }, (_, i): Line => body[i] ?? []),
    rule,
    promptLine(state, grid, looks),
    statusLine(model, state, columns, looks.glyphs),
  ].map((line) => clip(line, columns));
  return {
    lines: looks.glyphs.ascii ? lines.map(toAscii) : lines,
    shown: { rows: grid?.rows.length ?? 0, page: rowsThatFit(height), columns: grid?.columns.length ?? 0 },
    grid,
  };
}

function tooSmall({ size, glyphs }: FrameLooks): Frame {
  const text = `${size.columns}x${size.rows}: at least ${MIN_COLUMNS}x${MIN_ROWS}`;
  const lines = Array.from(
    { length: Math.max(0, size.rows) },
    (_, i): Line =>
      clip(i === 0 ? [{ text: cut(text, size.columns, glyphs.ellipsis), style: "bad" }] : [], size.columns),
  );
  return { lines, shown: { rows: 0, page: 1, columns: 0 }, grid: null };
}

function bodyLines(model: Model, state: State, grid: Grid | null, height: number, looks: FrameLooks): Line[] {
  const { size, glyphs, color } = looks;
  const common = { width: size.columns, height, bits: state.bits, glyphs, color };
  if (state.help) return helpLines();
  if (grid === null) return overviewLines(model, common);
  const selected = Math.max(0, Math.min(grid.rows.length - 1, state.selected));
  const row = grid.rows[selected];
  if (state.detail && row) return detailLines(grid, row, common);
  const sort = state.sorts[state.screen] ?? UNSORTED;
  return gridLines(grid, { ...common, selected, sort });
}

function tabsLine({ screen }: State, columns: number): Line {
  const spansOf = (which: 0 | 1) =>
    SCREENS.map((name, i): Span => {
      const text = ` ${i + 1} ${TITLES[name][which]} `;
      return { text, style: name === screen ? "title" : "plain" };
    });
  const long = spansOf(0);
  const fits = long.reduce((sum, { text }) => sum + text.length, 0) <= columns;
  return fits ? long : spansOf(1).map(({ text, style }) => ({ text: text.slice(1), style }));
}

const KEY_HINTS = ["? help  / filter  s sort  p pause  q quit", "? help  q quit", "? help"];

/** The filter, what was just done, how many rows there are, or a word on the keys. */
function promptLine(state: State, grid: Grid | null, { notice, size, glyphs }: FrameLooks): Line {
  if (state.typing !== null) {
    const shown = cut(visible(state.typing), size.columns - 12, glyphs.ellipsis);
    return [
      { text: " filter: ", style: "bold" },
      { text: shown, style: "plain" },
      { text: " ", style: "selected" },
    ];
  }
  if (notice !== null) return [{ text: ` ${cut(notice, size.columns - 2, glyphs.ellipsis)}`, style: "warn" }];
  const left = [
    ...(grid && grid.rows.length > 0
      ? [
          `row ${formatCount(Math.min(state.selected + 1, grid.rows.length))} of ${formatCount(grid.rows.length)}`,
        ]
      : []),
    ...(grid && grid.omitted > 0 ? [`${formatCount(grid.omitted)} more only summed`] : []),
    ...(grid && state.filter !== ""
      ? [`filter: ${cut(visible(state.filter), Math.floor(size.columns / 3), glyphs.ellipsis)}`]
      : []),
  ].join(", ");
  const room = size.columns - columnsOf(left) - 4;
  const keys = KEY_HINTS.find((hint) => hint.length <= room) ?? "";
  const gap = Math.max(0, size.columns - columnsOf(left) - keys.length - 2);
  return [
    { text: ` ${left}`, style: "plain" },
    { text: `${" ".repeat(gap)}${keys}`, style: "dim" },
  ];
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
      ? "no packets yet"
      : [
          windowText(snapshot.window, columns),
          formatCounted(snapshot.totals.packets, "packet"),
          dropsText(snapshot),
        ].join(" · ");
  const text = ` ${name} · ${how} · ${[what, ...marks].join(" · ")}`;
  const lost = (snapshot?.ledger.dropped ?? 0) > 0;
  return [
    {
      text: text + " ".repeat(Math.max(0, columns - columnsOf(text))),
      style: trouble !== null ? "bad" : lost || state.paused ? "warn" : "title",
    },
  ];
}

/** Why what is shown live no longer moves; null: it does. */
function troubleOf({ mode, snapshot, ended }: Model): string | null {
  if (mode !== "live") return null;
  const interfaces = snapshot?.ledger.interfaces ?? [];
  const away = interfaces.filter((of) => of.ended !== null).length;
  if (away === 0) return null;
  if (ended) return "ENDED";
  return away === interfaces.length ? "AWAY, waiting" : `${away} OF ${interfaces.length} AWAY, waiting`;
}

function windowText(
  { start, end, duration }: { start: string | null; end: string | null; duration: number },
  columns: number,
): string {
  if (start === null || end === null) return "no time";
  const first = columns >= 110 ? formatInstant(start) : formatClock(start).slice(0, 8);
  return `${first} +${formatDuration(duration)}`;
}
