/** The outside of a live run, as far as it needs one. */

export interface Outside {
  /** Data, to stdout. Waits where the reader is slow. */
  write(pieces: Iterable<string | Uint8Array>): Promise<void>;
  /** One line for the person, to stderr, with the program's name in front. Unsafe characters are shown escaped. */
  say(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}
