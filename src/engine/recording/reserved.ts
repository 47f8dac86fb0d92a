/** Files reserved before rights are given up, and written after. */
import { constants, fsyncSync, ftruncateSync, writeSync } from "node:fs";
import { openOutput } from "../../output-path.js";
import { gather } from "../../write.js";

/** An open file without its content yet. */
export interface ReservedFile {
  /** Replaces the content. Not atomic like `writeWhole`: the right to rename has been given up. */
  write(pieces: Iterable<string | Uint8Array>): void;
  close(): void;
}

/** Opens or makes a file that only its owner can read; its old content stays until `write`. Links are not followed. */
export function reserveFile(path: string): ReservedFile {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  const { fd, isRegular, close } = openOutput(path, O_WRONLY | O_CREAT | O_NOFOLLOW);
  return {
    write(pieces) {
      let at = 0;
      for (const piece of gather(pieces))
        for (let done = 0; done < piece.length; ) {
          const n = writeSync(fd, piece, done, piece.length - done, isRegular ? at : null);
          done += n;
          at += n;
        }
      if (!isRegular) return;
      ftruncateSync(fd, at);
      fsyncSync(fd);
    },
    close,
  };
}
