/** The bytes a decoder works on: one buffer, filled from behind while records are taken from the front. */

/** Bytes of a read, at first. Small: what the kernel has just copied is still in the cache, and many files can be open. */
const CHUNK = 64 * 1024;
/**
 * Room for what is left over of the read before, at first: what is read always comes to the same place behind it. That lies half a page off
 * where pages begin, for the kernel copies four times slower to a place that is a few bytes behind where its own page began.
 */
const FRONT = CHUNK + 2048;
/** What a buffer that others provide has to hold. */
export const INPUT_BYTES = FRONT + CHUNK;

/**
 * A sliding window over a byte stream. Decoders read at `position` up to `end`; the reader fills `space()` and says how
 * much with `filled()`. Holds no more than one chunk plus one record; it grows only as bytes really arrive, never
 * because a record says how long it is.
 */
export class InputBuffer {
  bytes: Uint8Array;
  view: DataView;
  position = 0;
  end = 0;
  #front = FRONT;
  /** Bytes of the stream that lie before the start of `bytes`. */
  #base = 0;
  /** Bytes still to discard before the next is kept (a skipped record). */
  #skip = 0;

  /** `room`: INPUT_BYTES to work in, at the start of a page; when records are too long for it other memory is used. */
  constructor(room: Uint8Array = new Uint8Array(INPUT_BYTES)) {
    this.bytes = room;
    this.view = new DataView(room.buffer, room.byteOffset, room.length);
  }

  /** Where `position` is in the stream. */
  get offset(): number {
    return this.#base + this.position;
  }

  /** Bytes ready to read. */
  get available(): number {
    return this.end - this.position;
  }

  /** Skips the next `n` bytes, also those that have not arrived yet. */
  skip(n: number): void {
    const here = Math.min(n, this.available);
    this.position += here;
    this.#skip += n - here;
  }

  /** Bytes that `skip` still waits for. */
  get skipping(): number {
    return this.#skip;
  }

  /** Room for more bytes. Call `filled` before anything else. */
  space(): Uint8Array {
    const kept = this.available;
    let to = this.bytes;
    if (kept > this.#front) {
      this.#front *= 2;
      to = new Uint8Array(this.bytes.length * 2);
    }
    const position = this.#front - kept;
    to.set(this.bytes.subarray(this.position, this.end), position);
    if (to !== this.bytes) {
      this.bytes = to;
      this.view = new DataView(to.buffer);
    }
    this.#base += this.position - position;
    this.position = position;
    this.end = this.#front;
    return to.subarray(this.end);
  }

  /** Says how many bytes `space()` was given. */
  filled(n: number): void {
    this.end += n;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, n);
      this.position += skipped;
      this.#skip -= skipped;
    }
  }
}
