/** gzip (RFC 1952) around a capture: members one after another, each a header, a deflate stream and a trailer that checks it. */
import { crc32, createInflateRaw, type InflateRaw } from "node:zlib";
import type { ByteSource } from "./bytes.js";

/** Compressed bytes given to zlib at a time. Only the output of one such piece waits in memory. */
const PIECE = 4 * 1024;
const OUTPUT = 64 * 1024;

/** RFC 1952 2.3 */
const enum Header {
  fixed = 10,
  method = 2,
  flags = 3,
  deflate = 8,
}
const enum Flag {
  headerCrc = 2,
  extra = 4,
  name = 8,
  comment = 16,
}
const TRAILER = 8;
const CUT_SHORT = "gzip: unexpected end of file";

/** Whether these first bytes are gzip's. */
export function isGzip(first: Uint8Array): boolean {
  return first[0] === 0x1f && first[1] === 0x8b;
}

/**
 * Decompresses a gzip source. Gives everything that can be decompressed, also if a wrong checksum or foreign bytes
 * follow; `failure` then says what is wrong. Damage inside the deflate stream costs the output of its piece.
 * A piece is inflated when what came of the one before has been read, so memory stays bounded at any ratio of compression.
 */
export function gunzip(compressed: ByteSource): ByteSource {
  return new GzipSource(compressed);
}

class GzipSource implements ByteSource {
  failure: string | null = null;
  readonly #compressed: ByteSource;
  /** Compressed bytes that have been read, from `#at` to `#end`. */
  readonly #piece = new Uint8Array(PIECE);
  #at = 0;
  #end = 0;
  #member: Member | null = null;
  #members = 0;
  #ended = false;
  readonly #ready: Uint8Array[] = [];

  constructor(compressed: ByteSource) {
    this.#compressed = compressed;
  }

  get taken(): number {
    return this.#compressed.taken;
  }

  async read(into: Uint8Array): Promise<number> {
    while (this.#ready.length === 0 && !this.#ended)
      await (this.#member ? this.#inflate(this.#member) : this.#begin());
    const first = this.#ready[0];
    if (!first) return 0;
    const n = Math.min(first.length, into.length);
    into.set(first.subarray(0, n));
    if (n === first.length) this.#ready.shift();
    else this.#ready[0] = first.subarray(n);
    return n;
  }

  close(): void {
    this.#member?.close();
    this.#compressed.close();
  }

  /** Takes the header of the next member, if there is one. */
  async #begin(): Promise<void> {
    // Tapes and copies leave zeros behind the last member.
    if (this.#members > 0) while ((await this.#need(1)) && this.#piece[this.#at] === 0) this.#at++;
    if (this.#at === this.#end && this.#members > 0) {
      this.#ended = true;
      return;
    }
    if (!(await this.#need(Header.fixed)))
      return this.#members > 0 ? this.#fail(FOREIGN) : this.#fail(CUT_SHORT);
    const header = this.#piece.slice(this.#at, this.#at + Header.fixed);
    if (!isGzip(header)) return this.#fail(FOREIGN);
    if (header[Header.method] !== Header.deflate) return this.#fail("gzip: unknown compression method");
    this.#at += Header.fixed;
    if (!(await this.#passOptions(header[Header.flags]!))) return this.#fail(CUT_SHORT);
    this.#members++;
    this.#member = new Member(this.#ready);
  }

  /** Skips the optional parts of the header. False: the source ended in them. */
  async #passOptions(flags: number): Promise<boolean> {
    if (flags & Flag.extra) {
      if (!(await this.#need(2))) return false;
      let length = this.#piece[this.#at]! | (this.#piece[this.#at + 1]! << 8);
      for (this.#at += 2; length > 0; length--, this.#at++) if (!(await this.#need(1))) return false;
    }
    for (const flag of [Flag.name, Flag.comment]) {
      if (!(flags & flag)) continue;
      do if (!(await this.#need(1))) return false;
      while (this.#piece[this.#at++] !== 0);
    }
    if (!(flags & Flag.headerCrc)) return true;
    if (!(await this.#need(2))) return false;
    this.#at += 2;
    return true;
  }

  async #inflate(member: Member): Promise<void> {
    // Filled completely, so that damage costs as much from a pipe as from a file.
    if (!(await this.#need(PIECE)) && this.#at === this.#end) return this.#fail(CUT_SHORT);
    this.#at += await member.take(this.#piece.slice(this.#at, this.#end));
    if (member.error !== null) return this.#fail(`gzip: ${member.error}`);
    if (!member.ended) return;
    member.close();
    this.#member = null;
    if (!(await this.#need(TRAILER))) return this.#fail(CUT_SHORT);
    const trailer = new DataView(this.#piece.buffer, this.#at, TRAILER);
    this.#at += TRAILER;
    if (trailer.getUint32(0, true) !== member.checksum) return this.#fail("gzip: incorrect data check");
    if (trailer.getUint32(4, true) !== member.length) return this.#fail("gzip: incorrect length check");
  }

  /** Reads on until `n` bytes are there to take. False: the source has fewer left. */
  async #need(n: number): Promise<boolean> {
    if (this.#end - this.#at >= n) return true;
    this.#piece.copyWithin(0, this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    while (this.#end < PIECE) {
      const got = await this.#compressed.read(this.#piece.subarray(this.#end));
      if (got === 0) break;
      this.#end += got;
    }
    return this.#end >= n;
  }

  #fail(reason: string): void {
    this.failure = reason;
    this.#ended = true;
  }
}

const FOREIGN = "gzip: what follows is not gzip";

/** The deflate stream of one member. Puts what comes out of it into `ready`. */
class Member {
  ended = false;
  error: string | null = null;
  /** Of what has come out so far: CRC-32, and the length modulo 2^32. */
  checksum = 0;
  length = 0;
  readonly #engine: InflateRaw = createInflateRaw({ chunkSize: OUTPUT });
  #wake = () => {};

  constructor(ready: Uint8Array[]) {
    this.#engine.on("data", (data: Uint8Array) => {
      this.checksum = crc32(data, this.checksum);
      this.length = (this.length + data.length) >>> 0;
      ready.push(data);
    });
    this.#engine.on("end", () => {
      this.ended = true;
      this.#wake();
    });
    this.#engine.on("error", (error) => {
      this.error = error.message;
      this.#wake();
    });
  }

  /** Inflates a piece. Returns how much of it belonged to the stream; settles when all of that has come out, or at an error. */
  async take(piece: Uint8Array): Promise<number> {
    const before = this.#engine.bytesWritten;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#engine.write(piece, () => resolve());
    });
    return this.#engine.bytesWritten - before;
  }

  close(): void {
    this.#engine.destroy();
  }
}
