/** NFLOG frames (tcpdump.org/linktypes/LINKTYPE_NFLOG.html): the packets of nftables' log groups, an IP packet among attributes. */

/** Family, version, group; then attributes: length, type and value, padded to four bytes. */
const HEADER = 4;
const ATTRIBUTE = 4;
/** NFULA_PAYLOAD (linux/netfilter/nfnetlink_log.h). */
const PAYLOAD = 9;
/** Flags of a netlink attribute's type (linux/netlink.h). */
const TYPE_MASK = 0x3fff;

/**
 * Start of the packet in frame [start, end), or -1. Attributes are in the byte order of the capturing machine, which the frame does
 * not tell: the first order in which they are valid is used.
 */
export function nflogPayload(view: DataView, start: number, end: number): number {
  const little = findPayload(view, start, end, true);
  return little >= 0 ? little : findPayload(view, start, end, false);
}

function findPayload(view: DataView, start: number, end: number, isLittle: boolean): number {
  for (let at = start + HEADER; at + ATTRIBUTE <= end; ) {
    const length = view.getUint16(at, isLittle);
    if (length < ATTRIBUTE) return -1;
    if ((view.getUint16(at + 2, isLittle) & TYPE_MASK) === PAYLOAD) return at + ATTRIBUTE;
    at += (length + 3) & ~3;
  }
  return -1;
}
