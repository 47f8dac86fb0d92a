/** Which end began a conversation, as far as its packets show. */
import { IpProtocol } from "../../net.js";
import { Meta } from "../core/layout.js";
import type { FlowStore } from "./flowstore.js";

/** The evidence for the end that began a conversation. */
export type Orientation = "handshake" | "request" | "port" | "first";

const BEGUN = Meta.begunByA | Meta.begunByB;

/** A handshake or request says so; else the end with the higher port; else the sender of the first packet. */
export function isBegunByB(store: FlowStore, entry: number): boolean {
  const meta = store.meta(entry);
  const begun = meta & BEGUN;
  if (begun === Meta.begunByA) return false;
  if (begun === Meta.begunByB) return true;
  if (begun === 0 && portsTell(store, entry)) return store.port(entry, true) > store.port(entry, false);
  return (meta & Meta.firstFromB) !== 0;
}

/** The evidence for it. */
export function orientationOf(store: FlowStore, entry: number): Orientation {
  const meta = store.meta(entry);
  if ((meta & BEGUN) !== 0) return (meta & Meta.protocolMask) === IpProtocol.tcp ? "handshake" : "request";
  return portsTell(store, entry) ? "port" : "first";
}

/** Whether the lower port can be taken for the server's: not where they are equal, nor where one end is a group. */
function portsTell(store: FlowStore, entry: number): boolean {
  return (
    store.port(entry, false) !== store.port(entry, true) &&
    !isGroup(store, entry, false) &&
    !isGroup(store, entry, true)
  );
}

/** Multicast and broadcast addresses never send (RFC 1112, RFC 4291 2.7). */
export function isGroup(store: FlowStore, entry: number, ofB: boolean): boolean {
  const word = store.addressWord(entry, ofB, 0) >>> 0;
  return store.version === 4 ? word >>> 28 === 0xe || word === 0xffff_ffff : word >>> 24 === 0xff;
}
