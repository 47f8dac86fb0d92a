/** The outside of a command: where its words go. Given to it by cli.ts, or by a test. */
import type { Outside } from "../engine/outside.js";

export interface Terminal extends Outside {
  /** Shows how far a long piece of work is, in place; an empty text takes it away. Nothing where nobody watches. */
  progress(text: string): void;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Columns of the terminal, or 80. */
  readonly width: number;
  readonly color: boolean;
  /** Where stdout is a terminal that can be redrawn; its size may change. */
  readonly screen?: { size(): { readonly columns: number; readonly rows: number } };
}
