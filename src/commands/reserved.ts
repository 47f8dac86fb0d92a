/** Files whose place is taken while there still is the right to: they are written when there no longer is. */
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { lookAtOutput, restrictOutput } from "../output-path.js";
import { gather } from "../report/write.js";

/** An open file that waits for its content. */
export interface ReservedFile {
  /** Writes the file anew. Not in one step, as `writeWhole` does: the right to rename has been given up. */
  write(pieces: Iterable<string | Uint8Array>): void;
  close(): void;
}

/** Opens a file, or makes it, for its owner alone; what it holds stays until `write`. Links are not followed. */
export function reserveFile(path: string): ReservedFile {
  const target = lookAtOutput(path);
  const fd =
    target.kind === "descriptor"
      ? target.fd
      : openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  restrictOutput(fd);
  const regular = fstatSync(fd).isFile();
  return {
    write(pieces) {
      let at = 0;
      for (const piece of gather(pieces))
        for (let done = 0; done < piece.length; ) {
          const n = writeSync(fd, piece, done, piece.length - done, regular ? at : null);
          done += n;
          at += n;
        }
      if (!regular) return;
      ftruncateSync(fd, at);
      fsyncSync(fd);
    },
    close: () => closeSync(fd),
  };
}
