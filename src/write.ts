/** Writes files completely or not at all. */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { lookAtOutput } from "./output-path.js";
import { toPath } from "./path-bytes.js";

/**
 * Writes a file beside its final name, syncs it, and only then renames it: at any time there is the old file
 * or the new one. Mode 0600. A link at the name is replaced, not followed. A device, a named pipe or a descriptor is written into.
 * Throws the system's error.
 */
export function writeWhole(path: string, pieces: Iterable<string | Uint8Array>): void {
  const target = lookAtOutput(path);
  if (target.kind !== "replace") {
    writeInto(target.kind === "descriptor" ? target.fd : null, path, pieces);
    return;
  }
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomBytes(6).toString("hex")}`);
  const fd = openSync(
    toPath(temporary),
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    try {
      for (const piece of gather(pieces)) writeAll(fd, piece);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(toPath(temporary), toPath(path));
  } catch (error) {
    unlinkSync(toPath(temporary));
    throw error;
  }
}

function writeInto(descriptor: number | null, path: string, pieces: Iterable<string | Uint8Array>): void {
  const fd =
    descriptor ?? openSync(toPath(path), constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NOCTTY);
  try {
    for (const piece of gather(pieces)) writeAll(fd, piece);
  } finally {
    if (descriptor === null) closeSync(fd);
  }
}

/**
 * Makes a folder and those above it. Throws the system's error. mkdirSync's `recursive` never returns where the kernel answers
 * ENOENT although the folder above is there, as /proc does (Node 20).
 */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    mkdirSync(toPath(path), { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(path);
    if (code === "ENOENT" && !existsSync(toPath(above))) {
      makeFolder(above, mode);
      makeFolder(path, mode);
    } else if (!statSync(toPath(path), { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; )
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      // A pipe that Node has set not to block is full: its reader takes a moment.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
}

const RETRY_MS = 5;

/** Text handed on at a time. */
const PIECE = 64 * 1024;

/** Small texts joined into pieces worth a system call. */
export function* gather(pieces: Iterable<string | Uint8Array>): Iterable<Uint8Array> {
  let text = "";
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece;
      if (text.length < PIECE) continue;
    }
    if (text !== "") yield Buffer.from(text);
    text = "";
    if (typeof piece !== "string") yield piece;
  }
  if (text !== "") yield Buffer.from(text);
}
