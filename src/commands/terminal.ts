/** The output of a command. cli.ts or a test provides it. */
import type { Outside } from "../engine/outside.js";

export interface Terminal extends Outside {
  /** Shows progress in place; an empty text removes it. Does nothing without a terminal. */
  progress(text: string): void;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Columns of the terminal, or 80. */
  readonly width: number;
  readonly color: boolean;
  /** Present if stdout is a terminal that can be redrawn; its size may change. */
  readonly screen?: { size(): { readonly columns: number; readonly rows: number } };
}
