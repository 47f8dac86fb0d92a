import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

/**
 * A file of lines that several processes append to, each line in one write: with O_APPEND the kernel puts it as a whole behind the
 * others' (open(2)). Opened as root, written as the user that the process has become.
 */
export class EventFile {
  readonly #fd: number;
  readonly #limit: number;
  /** The last write was cut short: the next begins a new line. */
  #torn = false;

  /** Past `limitBytes` the file starts again. Links are not followed; only the owner can read a file made here. */
  constructor(path: string, limitBytes = Number.POSITIVE_INFINITY) {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    // a named pipe without a reader would block
    this.#fd = openSync(path, flags | constants.O_NONBLOCK, 0o600);
    this.#limit = limitBytes;
  }

  /** True: the file had grown past its limit and starts again with this line. Throws the system's error. */
  append(line: string): boolean {
    const bytes = Buffer.from(`${this.#torn ? "\n" : ""}${line}\n`);
    const { size } = fstatSync(this.#fd);
    const isOver = size + bytes.length > this.#limit && size > 0;
    if (isOver) ftruncateSync(this.#fd);
    const written = writeSync(this.#fd, bytes);
    this.#torn = written < bytes.length;
    if (this.#torn) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    return isOver;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
