/** The terminal of a live run. */

export interface Outside {
  /** Data, to stdout. Waits for a slow reader. */
  write(pieces: Iterable<string | Uint8Array>): Promise<void>;
  /** One line for the person, to stderr, with the program's name in front. Unsafe characters are shown escaped. */
  say(line: string): void;
  /** The command to do the same as root, for messages; absent: no command. */
  readonly asRoot?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What lacks a right, and what to type to have it. */
export function withCure(lack: string, { asRoot }: Pick<Outside, "asRoot">): string {
  return asRoot === undefined ? lack : `${lack}: run \`${asRoot}\``;
}
