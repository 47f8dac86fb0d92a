/** The bytes a decoder works on: one buffer, filled from behind while records are taken from the front. */

/** Room at first and per read. Small: what the kernel has just copied is still in the cache, and many files can be open. */
const CHUNK = 64 * 1024;

/**
 * A sliding window over a byte stream. Decoders read at `position` up to `end`; the reader fills `space()` and says how
 * much with `filled()`. Holds no more than one chunk plus one record; it grows only as bytes really arrive, never
 * because a record says how long it is.
 */
export class InputBuffer {
  bytes = new Uint8Array(CHUNK);
  view = new DataView(this.bytes.buffer);
  position = 0;
  end = 0;
  /** Bytes of the stream that lie before the start of `bytes`. */
  #base = 0;
  /** Bytes still to be thrown away before the next is kept (a record that is skipped whole). */
  #skip = 0;

  /** Where `position` is in the stream. */
  get offset(): number {
    return this.#base + this.position;
  }

  /** Bytes there are to read. */
  get available(): number {
    return this.end - this.position;
  }

  /** Passes over the next `n` bytes, also those that have not come yet. */
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
    if (this.position > 0) {
      this.bytes.copyWithin(0, this.position, this.end);
      this.#base += this.position;
      this.position = 0;
      this.end = kept;
    }
    if (kept > this.bytes.length / 2) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes.subarray(0, kept));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return this.bytes.subarray(this.end);
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
