/** Memory to work in, for one step after another: a step that has ended leaves it to the next, and nothing waits for the collector. */

/** Room for one at a time: what is taken holds until the next `take`. */
export class Scratch {
  #buffer = new ArrayBuffer(0);

  /** So many bytes or more, with whatever the step before left in them. */
  take(bytes: number): ArrayBuffer {
    if (this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return this.#buffer;
  }
}
