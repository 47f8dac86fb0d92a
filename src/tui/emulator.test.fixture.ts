/** A fake terminal: an emulator that reads back the painted screen and types keys. */
import { PassThrough, Writable } from "node:stream";
import xterm from "@xterm/headless";
import type { Size } from "./chrome/frame.js";

export interface Emulator {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** Whether the program set raw mode. */
  raw(): boolean;
  /** The screen's text, one line per row, without trailing blanks. */
  text(): Promise<string>;
  resize(size: Size): void;
  /** All bytes written. */
  written(): string;
}

export function createEmulator({ columns, rows }: Size): Emulator {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  let written = "";
  const input = createKeyboard();
  const output = Object.assign(
    new Writable({
      write(chunk: Buffer, _, done) {
        written += chunk.toString("utf8");
        terminal.write(chunk);
        done();
      },
    }),
    { isTTY: true, columns, rows },
  );
  return {
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    raw: () => input.isRaw,
    written: () => written,
    async text() {
      await new Promise<void>((resolve) => terminal.write("", resolve));
      const { active } = terminal.buffer;
      const lines = Array.from({ length: terminal.rows }, (_, y) =>
        active
          .getLine(active.viewportY + y)!
          .translateToString(true)
          .trimEnd(),
      );
      return `${lines.join("\n")}\n`;
    },
    resize(size) {
      terminal.resize(size.columns, size.rows);
      Object.assign(output, size);
      output.emit("resize");
    },
  };
}

function createKeyboard() {
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    isRaw: false,
    setRawMode(on: boolean) {
      input.isRaw = on;
      return input;
    },
  });
  return input;
}
