/** The outside of a live run, as far as it needs one. */

export interface Outside {
  /** Data, to stdout. Waits where the reader is slow. */
  write(pieces: Iterable<string | Uint8Array>): Promise<void>;
  /** One line for the person, to stderr, with the program's name in front. Unsafe characters are shown escaped. */
  say(line: string): void;
  /** What to type to do the same as root, for messages; absent: nobody types it. */
  readonly asRoot?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What lacks a right, and what to type to have it. */
export function withCure(lack: string, { asRoot }: Pick<Outside, "asRoot">): string {
  return asRoot === undefined ? lack : `${lack}: run \`${asRoot}\``;
}
