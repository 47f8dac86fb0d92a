/** Where the bytes of a capture come from: a file or a stream. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { toPath } from "../../path-bytes.js";

/** Gives bytes in order. Returns a number at once where no wait is needed; 0 means the end. The owner always closes it. */
export interface ByteSource {
  read(into: Uint8Array): number | Promise<number>;
  close(): void;
  /** Why the stream ended early (damaged gzip), or null. Known once `read` has given 0. */
  readonly failure: string | null;
  /** Bytes taken from the file or stream so far, as stored there. */
  readonly taken: number;
}

/** Opens a file. Throws the system's error if it cannot be opened or read. */
export function openFile(path: string): ByteSource & { readonly size: number; taken: number } {
  const fd = openSync(toPath(path), "r");
  const stat = fstatSync(fd);
  if (stat.isDirectory()) {
    closeSync(fd);
    throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
  }
  return {
    size: stat.size,
    failure: null,
    taken: 0,
    read(into) {
      const n = readSync(fd, into);
      this.taken += n;
      return n;
    },
    close: () => closeSync(fd),
  };
}

/** Bytes of a stream such as stdin, one piece after another. */
export function fromStream(stream: AsyncIterable<Uint8Array>): ByteSource & { taken: number } {
  const iterator = stream[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  return {
    failure: null,
    taken: 0,
    async read(into) {
      while (piece.length === 0) {
        const result = await iterator.next();
        if (result.done) return 0;
        piece = result.value;
      }
      const n = Math.min(piece.length, into.length);
      into.set(piece.subarray(0, n));
      piece = piece.subarray(n);
      this.taken += n;
      return n;
    },
    close() {
      void iterator.return?.().catch(() => {});
    },
  };
}

/** Puts bytes that were already taken from a source back in front of it. */
export function unread(first: Uint8Array, rest: ByteSource): ByteSource {
  let left = first;
  return {
    get failure() {
      return rest.failure;
    },
    get taken() {
      return rest.taken;
    },
    read(into) {
      if (left.length === 0) return rest.read(into);
      const n = Math.min(left.length, into.length);
      into.set(left.subarray(0, n));
      left = left.subarray(n);
      return n;
    },
    close: () => rest.close(),
  };
}
