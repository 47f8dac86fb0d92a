/** A filter over packets of any link type, as capture files hold them. */
import { LinkType } from "../../net.js";
import { FilterMachine } from "../kernel/bpf.js";
import { compileFilter } from "../kernel/filter.js";
import { CaptureError } from "../live/live.js";
import { nflogPayload } from "../nflog.js";
import type { Packet } from "../packet.js";

const SNAPLEN = 262_144;

/** Compiles one program per link type, when the first packet of that type comes. */
export class PacketFilter {
  readonly #filter: string;
  /** null: the filter does not apply to frames of this type, so none matches. */
  readonly #machines = new Map<number, FilterMachine | null>();
  #linkType = -1;
  #machine: FilterMachine | null = null;

  /** Throws CaptureError if the filter is invalid. */
  constructor(filter: string) {
    this.#filter = filter;
    compileFilter(filter, LinkType.ethernet, SNAPLEN);
  }

  /** Whether the packet matches. Borrows it. */
  matches(packet: Packet): boolean {
    if (packet.linkType === LinkType.nflog) return this.#matchesNflog(packet);
    if (packet.linkType !== this.#linkType) {
      this.#linkType = packet.linkType;
      this.#machine = this.#machineOf(packet.linkType);
    }
    return this.#machine?.matches(packet) ?? false;
  }

  /** libpcap has no filters for NFLOG: the packet inside is filtered as raw IP. */
  #matchesNflog({ view, offset, caplen, length, linkType: _, ...times }: Packet): boolean {
    const at = nflogPayload(view, offset, offset + caplen);
    if (at < 0) return false;
    const before = at - offset;
    const inside = { view, offset: at, caplen: caplen - before, length: length - before, ...times };
    return this.matches({ ...inside, linkType: LinkType.raw });
  }

  #machineOf(linkType: number): FilterMachine | null {
    let machine = this.#machines.get(linkType);
    if (machine === undefined) {
      machine = this.#compile(linkType);
      this.#machines.set(linkType, machine);
    }
    return machine;
  }

  #compile(linkType: number): FilterMachine | null {
    try {
      return new FilterMachine(compileFilter(this.#filter, linkType, SNAPLEN));
    } catch (error) {
      if (error instanceof CaptureError) return null;
      throw error;
    }
  }
}
