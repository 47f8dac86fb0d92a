/** Reads a file that is small if it is what it should be. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { readUpTo } from "../../../capture/file/text.js";
import { toPath } from "../../../path-bytes.js";

/** Anything larger is a mistake. */
const MAX_BYTES = 1024 * 1024;

/** Never waits, and never reads more than a megabyte: a device or a pipe may have no end. Throws. */
export function readSmallFile(path: string): string {
  // A FIFO without a writer would hold up the open.
  const file = openSync(toPath(path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!fstatSync(file).isFile()) throw new Error("it is not a regular file");
    const bytes = readUpTo(file, MAX_BYTES);
    if (bytes === null) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    return bytes.toString("utf8");
  } finally {
    closeSync(file);
  }
}
