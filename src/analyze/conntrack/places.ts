/** Where addresses are as a captured interface has it: told once of each, however many conversations it has. */
import { type Cidr, cidrContains, parseAddress } from "../../net.js";
import { AddressIds } from "./address-ids.js";

const enum Place {
  unknown = 0,
  /** Bits beside it. */
  known = 1,
  /** In one of the networks that the interface leads to. */
  near = 2,
  /** May stand behind a port of the bridge: no address of the namespace itself, and of no other network. */
  port = 4,
}

export class Places {
  readonly #networks: readonly Cidr[];
  readonly #own: ReadonlySet<string>;
  readonly #ids = new AddressIds();
  #places = new Uint8Array(256);

  constructor({
    networks,
    ownAddresses,
  }: {
    readonly networks: readonly Cidr[];
    readonly ownAddresses: ReadonlySet<string>;
  }) {
    this.#networks = networks;
    this.#own = ownAddresses;
  }

  /** Whether the address whose words start at `at` is in one of the networks. */
  isNear(words: Int32Array, at: number, ipv6: boolean): boolean {
    return (this.#placeOf(words, at, ipv6) & Place.near) !== 0;
  }

  /** Whether it may be behind a port of the bridge. */
  isPort(words: Int32Array, at: number, ipv6: boolean): boolean {
    return (this.#placeOf(words, at, ipv6) & Place.port) !== 0;
  }

  #placeOf(words: Int32Array, at: number, ipv6: boolean): number {
    const id = this.#ids.of(words, at, ipv6);
    if (id >= this.#places.length) {
      const larger = new Uint8Array(this.#places.length * 2);
      larger.set(this.#places);
      this.#places = larger;
    }
    if (this.#places[id] === Place.unknown) this.#places[id] = this.#look(this.#ids.text(id));
    return this.#places[id]!;
  }

  #look(text: string): number {
    const bytes = parseAddress(text)!;
    const ofFamily = this.#networks.filter(({ network }) => network.length === bytes.length);
    const near = ofFamily.some((cidr) => cidrContains(cidr, bytes));
    const port = !this.#own.has(text) && (near || ofFamily.length === 0);
    return Place.known | (near ? Place.near : 0) | (port ? Place.port : 0);
  }
}
