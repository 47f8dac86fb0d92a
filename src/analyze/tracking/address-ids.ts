/** Small numbers for addresses held as words: what is counted by address is counted by them, without a text. */
import { formatIpv4, formatIpv6 } from "../../net.js";

const NONE = -1;
/** Four words, IPv4 in the first of them, then the version. */
const WIDTH = 5;

/** Numbers addresses from 0 on in the order they come. */
export class AddressIds {
  count = 0;
  #words = new Int32Array(256 * WIDTH);
  #slots = new Int32Array(1024).fill(NONE);

  /** The number of the address whose words start at `at`; an IPv4 address that IPv6 carries is that IPv4 address (RFC 4291 2.5.5.2). */
  of(words: Int32Array, at: number, ipv6: boolean): number {
    if (!ipv6) return this.#find(words[at]!, 0, 0, 0, 4);
    const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    return a === 0 && b === 0 && c === 0xffff ? this.#find(d, 0, 0, 0, 4) : this.#find(a, b, c, d, 6);
  }

  text(id: number): string {
    const words = this.#words;
    const at = id * WIDTH;
    if (words[at + 4] === 4) return formatIpv4(words[at]!);
    return formatIpv6(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  #find(a: number, b: number, c: number, d: number, version: number): number {
    const slots = this.#slots;
    const words = this.#words;
    let slot = slotOf(a, b, c, d, slots.length);
    for (; slots[slot] !== NONE; slot = (slot + 1) & (slots.length - 1)) {
      const at = slots[slot]! * WIDTH;
      const same = words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
      if (same && words[at + 4] === version) return slots[slot]!;
    }
    const id = this.count++;
    slots[slot] = id;
    if (this.count * WIDTH > words.length) this.#grow();
    this.#put(id * WIDTH, a, b, c, d, version);
    if (this.count * 2 > slots.length) this.#rehash();
    return id;
  }

  #put(at: number, a: number, b: number, c: number, d: number, version: number): void {
    const words = this.#words;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    words[at + 4] = version;
  }

  #grow(): void {
    const larger = new Int32Array(this.#words.length * 2);
    larger.set(this.#words);
    this.#words = larger;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(NONE);
    const words = this.#words;
    for (let id = 0; id < this.count; id++) {
      const at = id * WIDTH;
      let slot = slotOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, slots.length);
      while (slots[slot] !== NONE) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function slotOf(a: number, b: number, c: number, d: number, slots: number): number {
  let hash = Math.imul(a, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ b, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ c, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ d, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & (slots - 1);
}
