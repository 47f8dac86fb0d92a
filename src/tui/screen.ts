/** Paints lines on a terminal and reads its keys. The only file that imports blessed; its only state is the terminal's. */
import blessed from "blessed";
import type { MouseEvent } from "./app.js";
import { type Line, type Style, unitsOf } from "./chrome/cells.js";
import type { Size } from "./chrome/frame.js";

export interface ScreenOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** TERM. */
  readonly terminal: string;
  readonly color: boolean;
  onKey(key: string): void;
  onMouse(event: MouseEvent): void;
  onResize(): void;
}

export interface Screen {
  size(): Size;
  /** Paints the cells that differ from the screen. Lines are as wide as the screen. */
  paint(lines: readonly Line[]): void;
  /** Turns mouse events on, or leaves the mouse to the terminal. */
  setMouse(on: boolean): void;
  /** The next `paint` paints every cell. */
  forget(): void;
  /** Restores the terminal until `resume`. */
  suspend(): void;
  resume(): void;
  /** Restores the terminal. Further calls do nothing. */
  close(): void;
}

const DEFAULT = 0x1ff;
const Flag = { bold: 1, inverse: 8 } as const;

function attribute(flags: number, foreground = DEFAULT): number {
  return (flags << 18) | (foreground << 9) | DEFAULT;
}

/** Terminal colors 0 to 15 (ECMA-48, aixterm). */
const COLORED: Readonly<Record<Style, number>> = {
  plain: attribute(0),
  dim: attribute(0, 8),
  bold: attribute(Flag.bold),
  title: attribute(Flag.inverse),
  selected: attribute(Flag.inverse | Flag.bold),
  good: attribute(0, 2),
  bad: attribute(Flag.bold, 1),
  warn: attribute(Flag.bold, 3),
  class0: attribute(0, 4),
  class1: attribute(0, 6),
  class2: attribute(0, 5),
  class3: attribute(0, 3),
};

/** With eight colours grey would be black. */
const EIGHT_COLORED: Readonly<Record<Style, number>> = { ...COLORED, dim: attribute(0) };

const COLORLESS: Readonly<Record<Style, number>> = {
  ...Object.fromEntries(Object.keys(COLORED).map((style) => [style, attribute(0)])),
  bold: attribute(Flag.bold),
  title: attribute(Flag.inverse),
  selected: attribute(Flag.inverse),
  bad: attribute(Flag.bold),
  warn: attribute(Flag.bold),
} as Record<Style, number>;

/** blessed's own buffers, missing in its types: the new and the current screen, attribute and text per cell. */
interface Buffers {
  /** `leave` releases the mouse. */
  _listenedMouse: boolean;
  lines: ([number, string | null][] & { dirty: boolean })[];
  olines: [number, string | null][][];
  alloc(): void;
  enter(): void;
  leave(): void;
  draw(start: number, end: number): void;
}

/** Sets up the terminal: raw keys, the alternate screen, no cursor. */
export function openScreen(options: ScreenOptions): Screen {
  return new BlessedScreen(options);
}

class BlessedScreen implements Screen {
  readonly #options: ScreenOptions;
  readonly #screen: blessed.Widgets.Screen;
  readonly #buffers: Buffers;
  readonly #attributes: Readonly<Record<Style, number>>;
  readonly #hearMouse = (data: Buffer) => {
    if (this.#away || !this.#mouse) return;
    for (const event of mouseEvents(data.toString("latin1"))) this.#options.onMouse(event);
  };
  #mouse = false;
  #away = false;
  #closed = false;

  constructor(options: ScreenOptions) {
    const { input, output, terminal, color } = options;
    const program = blessed.program({ input, output, terminal, zero: true } as Parameters<
      typeof blessed.program
    >[0]);
    this.#options = options;
    this.#screen = blessed.screen({ program, warnings: false, resizeTimeout: 20 } as Parameters<
      typeof blessed.screen
    >[0]);
    this.#buffers = this.#screen as unknown as Buffers;
    const tput = (program as unknown as { tput: { colors: number } }).tput;
    this.#attributes = !color ? COLORLESS : tput.colors > 8 ? COLORED : EIGHT_COLORED;
    // The caller has removed unsafe characters and chosen the glyphs.
    Object.assign(tput, { unicode: true, brokenACS: true });
    program.on("keypress", (ch: string | undefined, key: BlessedKey) => {
      const name = keyName(ch, key);
      if (name !== null && !this.#away) options.onKey(name);
    });
    this.#screen.on("resize", () => {
      if (!this.#away && !this.#closed) options.onResize();
    });
    input.on("data", this.#hearMouse);
    this.#buffers._listenedMouse = true;
    this.setMouse(true);
  }

  size(): Size {
    return { columns: Number(this.#screen.width), rows: Number(this.#screen.height) };
  }

  paint(lines: readonly Line[]): void {
    if (this.#away || this.#closed) return;
    paintInto(this.#buffers, lines, this.#attributes);
    this.#buffers.draw(0, this.#buffers.lines.length - 1);
  }

  setMouse(on: boolean): void {
    this.#mouse = on;
    const { program } = this.#screen;
    if (on) program.setMouse(MOUSE_MODES, true);
    else program.disableMouse();
    program.flush();
  }

  forget(): void {
    this.#buffers.alloc();
  }

  suspend(): void {
    if (this.#away || this.#closed) return;
    this.#away = true;
    this.#buffers.leave();
    this.#options.input.setRawMode?.(false);
    this.#options.input.pause();
  }

  resume(): void {
    if (!this.#away || this.#closed) return;
    this.#away = false;
    this.#options.input.setRawMode?.(true);
    this.#options.input.resume();
    this.#buffers.enter();
    if (this.#mouse) this.setMouse(true);
    this.#options.onResize();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.input.removeListener("data", this.#hearMouse);
    this.#screen.destroy();
  }
}

/** Buttons and wheel in decimal (xterm's modes 1000 and 1006). */
const MOUSE_MODES = { vt200Mouse: true, sgrMouse: true };

/** The mouse events in one piece of input: only presses of the left button and the wheel. */
function mouseEvents(input: string): MouseEvent[] {
  const events: MouseEvent[] = [];
  for (const [, button, x, y, end] of input.matchAll(/\x1b\[<(\d{1,3});(\d{1,4});(\d{1,4})([Mm])/g)) {
    const what = end === "M" ? BUTTONS.get(Number(button)) : undefined;
    if (what !== undefined) events.push({ what, x: Number(x) - 1, y: Number(y) - 1 });
  }
  return events;
}

const BUTTONS: ReadonlyMap<number, MouseEvent["what"]> = new Map([
  [0, "click"],
  [64, "up"],
  [65, "down"],
]);

/**
 * A character of two columns fills one cell and leaves the next empty. It is always painted again: the terminal's cursor
 * moves by two where blessed counts one.
 */
function paintInto(
  { lines, olines }: Buffers,
  painted: readonly Line[],
  attributes: Readonly<Record<Style, number>>,
): void {
  for (let y = 0; y < lines.length; y++) {
    const cells = lines[y]!;
    let x = 0;
    const put = (attr: number, text: string) => {
      const cell = cells[x];
      if (cell) {
        cell[0] = attr;
        cell[1] = text;
      }
      x++;
    };
    for (const { text, style } of painted[y] ?? []) {
      const attr = attributes[style];
      for (const unit of unitsOf(text)) {
        if (x + unit.width > cells.length) break;
        put(attr, unit.text);
        if (unit.width === 1) continue;
        put(attr, "");
        for (const there of [x - 1, x - 2]) olines[y]![there]![1] = null;
      }
    }
    while (x < cells.length) put(attributes.plain, " ");
    cells.dirty = true;
  }
}

interface BlessedKey {
  readonly name?: string;
  readonly full?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
  readonly shift?: boolean;
}

/** `a`, `A`, `/`, `up`, `C-c`, `S-tab`; null: no key of the monitor. Enter comes twice, once as `return`. */
function keyName(ch: string | undefined, key: BlessedKey): string | null {
  const { name, ctrl, shift, meta } = key;
  if (name === "return") return null;
  if (name === "linefeed") return "enter";
  if (ctrl && name) return `C-${name}`;
  if (name === "tab") return shift ? "S-tab" : "tab";
  if (!meta && ch !== undefined && [...ch].length === 1 && ch >= " " && ch !== "\x7f") return ch;
  if (name !== undefined && NAMED.has(name)) return name;
  return null;
}

const NAMED = new Set([
  "up",
  "down",
  "left",
  "right",
  "pageup",
  "pagedown",
  "home",
  "end",
  "enter",
  "escape",
  "backspace",
]);
