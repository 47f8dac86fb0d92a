/** Asks the kernel for links and addresses, of the socket's namespace or of one with a number in it. */
import { Flag, libc } from "./libc.js";
import {
  finish,
  type NetlinkChannel,
  NetlinkDumper,
  NetlinkFamily,
  openNetlink,
  type TakeMessage,
} from "./netlink.js";
import {
  addressRequest,
  decodeAddress,
  decodeLink,
  decodeNamespaceNumber,
  type Link,
  type LinkAddress,
  linkRequest,
  namespaceRequest,
  RouteMessage,
} from "./rtnetlink.js";

/** A NETLINK_ROUTE socket. Needs no privilege for its own namespace. */
export class RouteSocket {
  readonly #dumper: NetlinkDumper;

  /** Over the given strict socket of any namespace; by default it opens one in the thread's current namespace. Throws SystemError. */
  constructor(channel: NetlinkChannel = openNetlink(NetlinkFamily.route, { strict: true })) {
    this.#dumper = new NetlinkDumper(channel);
  }

  /** All links of this namespace, or of the one numbered `netnsid` (CAP_NET_ADMIN over that). Throws SystemError. */
  links(netnsid: number | null = null): Link[] {
    return this.#list(RouteMessage.getLink, linkRequest(netnsid), RouteMessage.newLink, decodeLink);
  }

  /** All addresses, as for `links`. */
  addresses(netnsid: number | null = null): LinkAddress[] {
    const request = addressRequest(netnsid);
    return this.#list(RouteMessage.getAddress, request, RouteMessage.newAddress, decodeAddress);
  }

  /** This namespace's number for the one at `path`; null: none, no link connects the two. Throws SystemError. */
  numberOf(path: string): number | null {
    const fd = libc().open(path, Flag.closeOnExec);
    let number: number | null = null;
    const take: TakeMessage = (view, start, end, type) => {
      if (type === RouteMessage.newNamespaceNumber) number = decodeNamespaceNumber(view, start, end);
    };
    try {
      const request = namespaceRequest(fd);
      finish(this.#dumper.get(RouteMessage.getNamespaceNumber, request, () => undefined, take));
      return number;
    } finally {
      libc().close(fd);
    }
  }

  close(): void {
    this.#dumper.close();
  }

  #list<T>(
    type: number,
    request: Uint8Array,
    wanted: number,
    decode: (view: DataView, start: number, end: number) => T | null,
  ): T[] {
    let found: T[] = [];
    const begin = () => {
      found = [];
    };
    const take: TakeMessage = (view, start, end, answered) => {
      const item = answered === wanted ? decode(view, start, end) : null;
      if (item !== null) found.push(item);
    };
    finish(this.#dumper.dump(type, request, begin, take));
    return found;
  }
}
