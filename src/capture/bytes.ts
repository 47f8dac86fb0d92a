/** Where the bytes of a capture come from: a file or a stream, plain or gzip. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { createGunzip } from "node:zlib";

/** Gives bytes in order. A number at once where that costs no waiting; 0 means the end. Close it in any case. */
export interface ByteSource {
  read(into: Uint8Array): number | Promise<number>;
  close(): void;
  /** Why the stream ended before its time (damaged gzip), or null. Known once `read` has given 0. */
  readonly failure: string | null;
  /** Bytes taken from the file or stream so far, as stored there. */
  readonly taken: number;
}

/** Opens a file. Throws the system's error where it cannot be opened or is not something to read from. */
export function openFile(path: string): ByteSource & { readonly size: number; taken: number } {
  const fd = openSync(path, "r");
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

/** Whether these first bytes are gzip's (RFC 1952 2.3.1). */
export function isGzip(first: Uint8Array): boolean {
  return first[0] === 0x1f && first[1] === 0x8b;
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

/** Compressed bytes given to zlib at a time. What comes out of one such piece is all that waits in memory. */
const GZIP_PIECE = 4 * 1024;

/**
 * Decompresses a gzip source, of any number of members. What was good before a damage is given; `failure` says that
 * there was one. A piece is inflated only when the one before it has been read, so memory stays bounded whatever the
 * ratio of compression.
 */
export function gunzip(compressed: ByteSource): ByteSource {
  const inflate = createGunzip({ chunkSize: 64 * 1024 });
  const ready: Uint8Array[] = [];
  let failure: string | null = null;
  let ended = false;
  let wake = () => {};
  inflate.on("data", (data: Uint8Array) => ready.push(data));
  // Also where zeros or other padding follow the last member: what is written after that is never answered.
  inflate.on("end", () => {
    ended = true;
    wake();
  });
  inflate.on("error", (error) => {
    failure ??= `gzip: ${error.message}`;
    ended = true;
    wake();
  });
  /** Settles when the piece has been taken in whole, or at the first error. */
  const inflatePiece = (piece: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      if (piece.length > 0) inflate.write(piece, () => resolve());
      else inflate.end();
    });
  return {
    get failure() {
      return failure;
    },
    get taken() {
      return compressed.taken;
    },
    async read(into) {
      while (ready.length === 0 && !ended) {
        const piece = new Uint8Array(GZIP_PIECE);
        // Filled whole, so that a damage costs as much from a pipe as from a file.
        let n = 0;
        for (let got = -1; got !== 0 && n < piece.length; n += got)
          got = await compressed.read(piece.subarray(n));
        if (n === 0) ended = true;
        await inflatePiece(piece.subarray(0, n));
      }
      const first = ready[0];
      if (!first) return 0;
      const n = Math.min(first.length, into.length);
      into.set(first.subarray(0, n));
      if (n === first.length) ready.shift();
      else ready[0] = first.subarray(n);
      return n;
    },
    close() {
      inflate.destroy();
      compressed.close();
    },
  };
}
