/** What the ends of tracked connections are called. */
import type { Names } from "../../capture/names.js";
import { formatIpv4, formatIpv6 } from "../../net.js";

/** Names and texts of addresses held as words; each is made once and kept as long as this is. */
export class EndNames {
  readonly names: Names | null;
  readonly #ipv4 = new Map<number, string>();
  readonly #labels = new Map<string, string>();

  constructor(names: Names | null) {
    this.names = names;
  }

  /** Text of the address that starts at `at`. */
  address(words: Int32Array, at: number, ipv6: boolean): string {
    const word = words[at]!;
    if (ipv6) {
      const mapped = words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
      if (!mapped) return formatIpv6(word, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      return this.address(words, at + 3, false); // an IPv4 peer of an IPv6 socket (RFC 4291 2.5.5.2)
    }
    let text = this.#ipv4.get(word);
    if (text === undefined) {
      text = formatIpv4(word);
      this.#ipv4.set(word, text);
    }
    return text;
  }

  /** The service of an address, seen at a port: its name, else the address or what stands for unknown ones. */
  label(address: string, port: number | null): string {
    const { names } = this;
    if (names === null) return address;
    const key = names.varies(address) ? `${address} ${port}` : address;
    let label = this.#labels.get(key);
    if (label === undefined) {
      label = names.find(address, port, null) ?? names.rest ?? address;
      this.#labels.set(key, label);
    }
    return label;
  }
}
