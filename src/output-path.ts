/** The kind of an output path, and whether it may be written. */
import { closeSync, fchmodSync, fstatSync, lstatSync, openSync, type Stats } from "node:fs";
import { normalize } from "node:path";
import { toPath } from "./path-bytes.js";

/** How a path is to be written. */
export type OutputPath =
  /** A regular file, a link or nothing: a complete new file replaces it. */
  | { readonly kind: "replace" }
  /** A device or a named pipe: bytes go into it. */
  | { readonly kind: "into" }
  /** A name of an open descriptor, such as /dev/stdout. Its owner closes it. */
  | { readonly kind: "descriptor"; readonly fd: number };

const DESCRIPTOR = /^\/(?:dev\/(?:(stdin|stdout|stderr)|fd\/(\d{1,6}))|proc\/self\/fd\/(\d{1,6}))$/;
const STANDARD = ["stdin", "stdout", "stderr"];

/** Looks at a path before it is written. Throws an Error, the system's or a short one, if it must not be written. */
export function lookAtOutput(path: string): OutputPath {
  const named = DESCRIPTOR.exec(normalize(path));
  if (named !== null) {
    const [, standard, ...numbers] = named;
    const fd =
      standard === undefined ? Number(numbers.find((n) => n !== undefined)) : STANDARD.indexOf(standard);
    return { kind: "descriptor", fd };
  }
  const found = lstatSync(toPath(path), { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) return { kind: "replace" };
  checkKind(found);
  if (!found.isFile()) return { kind: "into" };
  checkOwner(found);
  return { kind: "replace" };
}

/** An output that stays open. */
export interface OpenOutput {
  readonly fd: number;
  readonly isRegular: boolean;
  /** False for an inherited descriptor: its owner closes it. */
  close(): void;
}

/**
 * Opens an output with these flags of open(2), a file made here for its owner alone. Nothing that the file holds changes. Throws as
 * `lookAtOutput`, and leaves nothing open then.
 */
export function openOutput(path: string, flags: number): OpenOutput {
  const target = lookAtOutput(path);
  const isOwn = target.kind !== "descriptor";
  const fd = isOwn ? openSync(toPath(path), flags, 0o600) : target.fd;
  const close = () => {
    if (isOwn) closeSync(fd);
  };
  try {
    return { fd, isRegular: restrict(fd), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Holds an opened output to the same rules, and keeps it for its owner alone. Whether it is a regular file. */
function restrict(fd: number): boolean {
  const found = fstatSync(fd);
  checkKind(found);
  if (!found.isFile()) return false;
  checkOwner(found);
  try {
    fchmodSync(fd, 0o600);
  } catch (error) {
    // Another user's writable file keeps its mode.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
  return true;
}

function checkKind(found: Stats): void {
  if (found.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
  if (found.isSocket()) throw new Error("is a socket");
}

/** Root may write anything, so files that others could have placed there are refused: they could redirect the write. */
function checkOwner({ uid, nlink }: Stats): void {
  const own = process.geteuid?.() ?? 0;
  if (own !== 0) return;
  if (uid !== 0 && String(uid) !== process.env.SUDO_UID)
    throw new Error(`belongs to another user (uid ${uid}): remove it, or choose another name`);
  if (nlink > 1) throw new Error("has further hard links: remove it, or choose another name");
}

/** Whether opening this file may wait. A descriptor's name, such as /dev/fd/63, is a link: it is open already. */
export function isNamedPipe(path: string | undefined): boolean {
  if (path === undefined) return false;
  try {
    return lstatSync(toPath(path)).isFIFO();
  } catch {
    return false;
  }
}
