/** Reads a text file whole, with an end. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { toPath } from "../../path-bytes.js";

const PIECE = 64 * 1024;

/** Bytes asked for in one call: the system gives less than 2 GiB. */
const MOST_AT_ONCE = 1024 * 1024 * 1024;

/**
 * The text of a file or a pipe (UTF-8 by default) without its byte order mark. Throws the system's error, or a short error if it is longer than
 * `limit` bytes: a device may have no end.
 */
export function readText(path: string, limit: number, encoding: "utf8" | "latin1" = "utf8"): string {
  return readBytes(path, limit)
    .toString(encoding)
    .replace(/^\ufeff/, "");
}

/**
 * The bytes of a file or a pipe, of a file that is one up to `fileLimit`. Throws as `readText`.
 */
export function readBytes(path: string, limit: number, fileLimit = limit): Buffer {
  const fd = openSync(toPath(path), "r");
  try {
    const status = fstatSync(fd);
    if (status.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    const most = status.isFile() ? fileLimit : limit;
    const bytes = status.size > most ? null : readUpTo(fd, most, status.size);
    if (bytes === null) throw new Error(`is larger than ${Math.floor(most / 1024)} KiB`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** What a descriptor has left to read, as many bytes as `expected` without a copy; null: more than `limit`. Throws the system's error. */
export function readUpTo(fd: number, limit: number, expected = 0): Buffer | null {
  const pieces: Buffer[] = [];
  let piece: Buffer = Buffer.allocUnsafe(Math.max(PIECE, expected + 1));
  let [length, filled] = [0, 0];
  for (;;) {
    const read = readSync(fd, piece, filled, Math.min(MOST_AT_ONCE, piece.length - filled), null);
    if (read === 0) break;
    filled += read;
    length += read;
    if (length > limit) return null;
    if (filled < piece.length) continue;
    pieces.push(piece);
    piece = Buffer.allocUnsafe(PIECE);
    filled = 0;
  }
  const last = piece.subarray(0, filled);
  return pieces.length === 0 ? last : Buffer.concat([...pieces, last], length);
}
