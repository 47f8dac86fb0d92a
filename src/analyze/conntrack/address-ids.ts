/** Small numbers for packed addresses, to count by address without text. */
import { formatIpv4, formatIpv6 } from "../../net.js";
import { Keys } from "../flow/keys.js";

/** Numbers addresses from 0 on in the order they come. */
export class AddressIds {
  /** Four words, IPv4 in the first of them, then the version. */
  readonly #keys = new Keys(5);

  get count(): number {
    return this.#keys.count;
  }

  /** The number of the address whose words start at `at`; an IPv4 address that IPv6 carries is that IPv4 address (RFC 4291 2.5.5.2). */
  of(words: Int32Array, at: number, ipv6: boolean): number {
    if (!ipv6) return this.#find(words[at]!, 0, 0, 0, 4);
    const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    return a === 0 && b === 0 && c === 0xffff ? this.#find(d, 0, 0, 0, 4) : this.#find(a, b, c, d, 6);
  }

  text(id: number): string {
    const word = (i: number) => this.#keys.word(id, i);
    return word(4) === 4 ? formatIpv4(word(0)) : formatIpv6(word(0), word(1), word(2), word(3));
  }

  #find(a: number, b: number, c: number, d: number, version: number): number {
    const { key } = this.#keys;
    key[0] = a;
    key[1] = b;
    key[2] = c;
    key[3] = d;
    key[4] = version;
    return this.#keys.intern();
  }
}
