/** The monitor on a terminal: the app, its screen, the keys and signals that reach beyond both. */
import { App } from "../../tui/app.js";
import { ASCII, UNICODE } from "../../tui/chrome/glyphs.js";
import type { Model } from "../../tui/model.js";
import { openScreen, type Screen } from "../../tui/screen.js";
import type { Terminal } from "../terminal.js";
import { carryOut } from "./tui-exports.js";

/** The process's own terminal, or a test's. */
export interface Tty {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** End of a run's first message; in the monitor the key is q. */
const HOW_TO_END = "; Ctrl-C ends it";
/** Lines to repeat after the screen is closed. */
const MAX_MESSAGES = 20;

export class Monitor {
  readonly app: App;
  /** A message of the run becomes an event, and is repeated after the screen is closed. */
  readonly terminal: Terminal;
  readonly lastWords: string[] = [];
  readonly #screen: Screen;
  readonly #quit: () => void;
  readonly #suspend = () => {
    this.#screen.suspend();
    process.kill(process.pid, "SIGSTOP");
  };
  readonly #resume = () => this.#screen.resume();

  constructor(model: Model, terminal: Terminal, { input, output }: Tty, quit: () => void) {
    const { env, color } = terminal;
    this.#quit = quit;
    this.terminal = { ...terminal, say: (line) => this.#hear(line), progress: () => {} };
    this.#screen = openScreen({
      input,
      output,
      terminal: env.TERM ?? "xterm",
      color,
      onKey: (key) => this.#act(key),
      onMouse: (event) => this.app.onMouse(event),
      onResize: () => this.#redraw(),
    });
    const isUtf8 = /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "");
    this.app = new App(model, {
      size: () => this.#screen.size(),
      color,
      glyphs: isUtf8 ? UNICODE : ASCII,
      paint: (lines) => this.#screen.paint(lines),
    });
    process.on("SIGTSTP", this.#suspend);
    process.on("SIGCONT", this.#resume);
  }

  close(): void {
    process.removeListener("SIGTSTP", this.#suspend);
    process.removeListener("SIGCONT", this.#resume);
    this.#screen.close();
  }

  #act(key: string): void {
    const effect = this.app.onKey(key);
    if (effect === "quit") this.#quit();
    else if (effect === "suspend") this.#suspend();
    else if (effect === "redraw") this.#redraw();
    else if (effect === "mouse") this.#switchMouse();
    else if (effect !== null) void carryOut(effect, this.app);
  }

  #switchMouse(): void {
    const { mouse } = this.app.state;
    this.#screen.setMouse(mouse);
    this.app.say(mouse ? "the mouse moves in lists" : "the mouse is the terminal's: it selects text");
  }

  #redraw(): void {
    this.#screen.forget();
    this.app.draw();
  }

  #hear(line: string): void {
    const begun = line.endsWith(HOW_TO_END);
    this.app.onNote("note", begun ? line.slice(0, -HOW_TO_END.length) : line, new Date().toISOString());
    if (begun) return;
    this.lastWords.push(line);
    if (this.lastWords.length > MAX_MESSAGES) this.lastWords.shift();
  }
}
