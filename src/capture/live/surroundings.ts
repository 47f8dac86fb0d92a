/** A capture's place: the networks its interfaces lead to, and the addresses of their namespace. */
import { type Cidr, cidrContains, parseCidr } from "../../net.js";
import type { NetnsTarget } from "../kernel/netns.js";
import type { RouteSocket } from "../kernel/route-socket.js";
import { openRoute } from "../opener/opener.js";

export interface Surroundings {
  /** All the interfaces are bridges. */
  readonly bridge: boolean;
  /** Networks in which the interfaces have an address; empty: unknown. */
  readonly networks: readonly Cidr[];
  /** Canonical text. */
  readonly ownAddresses: ReadonlySet<string>;
}

/** Every interface has a link-local address, and it leads nowhere. */
const LINK_LOCAL = parseCidr("fe80::/10")!;

/** Reads them again at each call. Needs no privilege once open. */
export class SurroundingsReader {
  readonly #interfaces: ReadonlySet<string>;
  readonly #socket: RouteSocket;

  private constructor(interfaces: readonly string[], socket: RouteSocket) {
    this.#interfaces = new Set(interfaces);
    this.#socket = socket;
  }

  /** Opens in the namespace; null: this one. Throws NetnsError, SystemError. */
  static open(interfaces: readonly string[], netns: NetnsTarget | null): SurroundingsReader {
    return new SurroundingsReader(interfaces, openRoute(netns));
  }

  /** Throws SystemError. */
  read(): Surroundings {
    const links = this.#socket.links().filter(({ name }) => this.#interfaces.has(name));
    const indexes = new Set(links.map(({ index }) => index));
    const addresses = this.#socket.addresses();
    return {
      bridge: links.length > 0 && links.every(({ kind }) => kind === "bridge"),
      networks: addresses
        .filter(({ link, address }) => indexes.has(link) && !cidrContains(LINK_LOCAL, address))
        .map(({ address, prefix }) => ({ network: address, prefix })),
      ownAddresses: new Set(addresses.map(({ text }) => text)),
    };
  }

  close(): void {
    this.#socket.close();
  }
}
