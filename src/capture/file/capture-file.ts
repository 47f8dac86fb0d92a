/** Where a capture is written: one file, or a ring of them named as dumpcap names them. */
import { constants, fsyncSync, ftruncateSync, unlinkSync, writeSync } from "node:fs";
import { parse } from "node:path";
import { openOutput } from "../../output-path.js";
import { toPath } from "../../path-bytes.js";

/** When to switch to the next file. null: this limit is off. */
export interface Rotation {
  /** Kilobytes of 1000 bytes, as dumpcap counts. */
  readonly filesize: number | null;
  readonly durationSeconds: number | null;
  readonly packets: number | null;
  /** Files kept: the oldest is removed. null: all. */
  readonly files: number | null;
}

/** A file that takes whole blocks of bytes. */
export interface CaptureFile {
  readonly path: string;
  /** Bytes in it. */
  readonly size: number;
  /** Writes all of it. Where the disk is full, cuts the file after the last whole block and throws the system's error. */
  write(blocks: Uint8Array): void;
  close(): void;
}

/**
 * Opens a file to be written from its start. Links are not followed; only the owner can read the file. Its old content stays until the
 * first write. Devices and named pipes are written to as they are.
 */
export function openCaptureFile(path: string): CaptureFile {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  const { fd, isRegular, close } = openOutput(path, O_WRONLY | O_CREAT | O_NOFOLLOW);
  let size = 0;
  let begun = false;
  return {
    path,
    get size() {
      return size;
    },
    write(blocks) {
      let written = 0;
      if (isRegular && !begun) ftruncateSync(fd);
      begun = true;
      try {
        while (written < blocks.length) written += writeSync(fd, blocks, written);
      } catch (error) {
        if (isRegular) ftruncateSync(fd, size + wholeBlocks(blocks, written));
        throw error;
      }
      size += blocks.length;
    },
    close() {
      try {
        if (isRegular) fsyncSync(fd);
      } finally {
        close();
      }
    },
  };
}

/** Bytes of the whole pcapng blocks within the first `written` bytes. */
function wholeBlocks(blocks: Uint8Array, written: number): number {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  let end = 0;
  while (end + 8 <= written) {
    const length = view.getUint32(end + 4, true);
    if (end + length > written) break;
    end += length;
  }
  return end;
}

/** `out_00001_20261122103105.pcapng` of `out.pcapng`: number, then local time, as dumpcap has it. */
export function rotatedName(path: string, number: number, time: Date): string {
  const { dir, name, ext } = parse(path);
  const pad = (n: number, width = 2) => String(n).padStart(width, "0");
  const stamp =
    pad(time.getFullYear(), 4) +
    pad(time.getMonth() + 1) +
    pad(time.getDate()) +
    pad(time.getHours()) +
    pad(time.getMinutes()) +
    pad(time.getSeconds());
  return `${dir === "" ? "" : dir === "/" ? "/" : `${dir}/`}${name}_${pad(number, 5)}_${stamp}${ext}`;
}

/** Removes the oldest files of a ring beyond `keep`. Ignores files that are already gone. */
export function removeOldest(paths: string[], keep: number | null): void {
  while (keep !== null && paths.length > keep) {
    try {
      unlinkSync(toPath(paths.shift()!));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}
