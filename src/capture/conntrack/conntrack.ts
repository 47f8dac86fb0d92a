/** The kernel's connection tracking table of one namespace, over netlink. */

import {
  finish,
  isDumpRequest,
  type NetlinkChannel,
  NetlinkDumper,
  NetlinkFamily,
  netlinkChannel,
} from "../kernel/netlink.js";
import type { NetnsTarget } from "../kernel/netns.js";
import { opener } from "../opener/opener.js";
import { ConntrackDecoder } from "./conntrack-decode.js";
import { ConntrackTable } from "./conntrack-table.js";

/** NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET. */
const CT_GET = 0x101;
/** struct nfgenmsg with AF_UNSPEC: one walk over the kernel's table gives both families. */
const BOTH_FAMILIES = Uint8Array.of(0, 0, 0, 0);

/** Whether this is what a reader sends, and nothing else. */
export function isConntrackRequest(request: Uint8Array): boolean {
  return isDumpRequest(request, CT_GET, BOTH_FAMILIES);
}

/** Reads one namespace's table as often as asked. Needs CAP_NET_ADMIN in it at every reading. */
export class ConntrackReader {
  readonly #dumper: NetlinkDumper;
  readonly #decoder: ConntrackDecoder;
  readonly table: ConntrackTable;

  constructor(channel: NetlinkChannel, table = new ConntrackTable()) {
    this.#dumper = new NetlinkDumper(channel);
    this.table = table;
    this.#decoder = new ConntrackDecoder(table);
  }

  /** Opens a socket in the namespace; null: this one. Throws NetnsError, SystemError. */
  static open(netns: NetnsTarget | null): ConntrackReader {
    const fd = opener().netlinkSocket(netns, NetlinkFamily.netfilter);
    return new ConntrackReader(netlinkChannel(fd, (request) => opener().askConntrack(fd, request)));
  }

  /** Dumps that had to be restarted. */
  get resyncs(): number {
    return this.#dumper.resyncs;
  }

  /** Messages that could not be decoded. */
  get malformed(): number {
    return this.#dumper.malformed + this.#decoder.malformed;
  }

  /**
   * Reads the whole table again, IPv4 and IPv6. Yields after every answer of the kernel (some 150 entries, under a millisecond).
   * Returns false if the table changed or overran at every try, so that entries may be missing. Throws NetlinkError.
   */
  *steps(): Generator<void, boolean> {
    const take = (view: DataView, start: number, end: number, type: number) =>
      this.#decoder.take(view, start, end, type);
    return yield* this.#dumper.dump(CT_GET, BOTH_FAMILIES, () => this.table.clear(), take);
  }

  /** Reads the whole table again without yielding. */
  read(): boolean {
    return finish(this.steps());
  }

  close(): void {
    this.#dumper.close();
  }
}
