/** Reads a text file whole, with an end. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { toPath } from "../../path-bytes.js";

const PIECE = 64 * 1024;

/**
 * The text of a file or a pipe, of UTF-8 if nothing else is said, without a byte order mark. Throws the system's error, or one of few words where it is longer than
 * `limit` bytes: a device may have no end.
 */
export function readText(path: string, limit: number, encoding: "utf8" | "latin1" = "utf8"): string {
  const fd = openSync(toPath(path), "r");
  try {
    if (fstatSync(fd).isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    const bytes = readUpTo(fd, limit);
    if (bytes === null) throw new Error(`is larger than ${Math.floor(limit / 1024)} KiB`);
    return bytes.toString(encoding).replace(/^\ufeff/, "");
  } finally {
    closeSync(fd);
  }
}

/** What a descriptor has left to read; null: more than `limit` bytes. Throws the system's error. */
export function readUpTo(fd: number, limit: number): Buffer | null {
  const pieces: Buffer[] = [];
  let length = 0;
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE);
    const read = readSync(fd, piece, 0, PIECE, null);
    if (read === 0) return Buffer.concat(pieces, length);
    length += read;
    if (length > limit) return null;
    pieces.push(piece.subarray(0, read));
  }
}
