/** The program on a pseudo terminal of its own, read back through an emulator. Needs python3, which can open one. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import xterm from "@xterm/headless";
import { until } from "../until.test.fixture.js";
import { ROOT } from "./terminal.test.fixture.js";

/** Copies between the pseudo terminal and its own pipes; ends with the program, with its code. */
const BRIDGE = `
import fcntl, os, pty, select, struct, subprocess, sys, termios
columns, rows = int(sys.argv[1]), int(sys.argv[2])
master, slave = pty.openpty()
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
child = subprocess.Popen(sys.argv[3:], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
open_input = [0]
while child.poll() is None:
    ready = select.select([master] + open_input, [], [], 0.05)[0]
    if master in ready: os.write(1, os.read(master, 65536))
    if 0 in ready:
        typed = os.read(0, 65536)
        if typed: os.write(master, typed)
        else: open_input = []
while select.select([master], [], [], 0.05)[0]: os.write(1, os.read(master, 65536))
sys.exit(child.returncode if child.returncode >= 0 else 128 - child.returncode)
`;

export class PtyProgram {
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  #written = "";

  /** `command`: the program that gets the arguments, run in `cwd`. */
  constructor(
    words: readonly string[],
    { columns, rows } = { columns: 100, rows: 24 },
    command: readonly string[] = [process.execPath, join(ROOT, "dist/src/cli.js")],
    cwd = process.cwd(),
  ) {
    this.#terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
    const env = { ...process.env, TERM: "xterm-256color", LC_ALL: "C.UTF-8" };
    const all = ["-c", BRIDGE, String(columns), String(rows), ...command, ...words];
    this.#child = spawn("python3", all, { stdio: ["pipe", "pipe", "inherit"], env, cwd });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#written += text;
      this.#terminal.write(text);
    });
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
  }

  /** Everything written so far. */
  get written(): string {
    return this.#written;
  }

  async screen(): Promise<string> {
    await new Promise<void>((resolve) => this.#terminal.write("", resolve));
    const { active } = this.#terminal.buffer;
    return Array.from({ length: this.#terminal.rows }, (_, y) =>
      active
        .getLine(active.viewportY + y)!
        .translateToString(true)
        .trimEnd(),
    ).join("\n");
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Waits until the screen shows the text. Throws after a time-out, with the screen's content. */
  async until(pattern: RegExp): Promise<string> {
    let screen = "";
    const isSo = async () => {
      screen = await this.screen();
      return pattern.test(screen);
    };
    await until(isSo, () => `${pattern} on the screen:\n${screen}`);
    return screen;
  }

  /** Kills it if it still runs. */
  kill(): void {
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
  }
}
