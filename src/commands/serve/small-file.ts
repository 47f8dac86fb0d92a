/** Reads a file that is small if it is what it should be. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Anything larger is a mistake. */
const MAX_BYTES = 1024 * 1024;

/** Never waits, and never reads more than a megabyte: a device or a pipe may have no end. Throws. */
export function readSmallFile(path: string): string {
  // A FIFO without a writer would hold up the open.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!fstatSync(file).isFile()) throw new Error("it is not a regular file");
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.toString("utf8", 0, length);
      length += read;
    }
    throw new Error(`it is larger than ${MAX_BYTES} bytes`);
  } finally {
    closeSync(file);
  }
}
