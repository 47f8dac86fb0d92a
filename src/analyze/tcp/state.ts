/** How far a connection has come: the state of its two ends as Zeek tells them, and what of it was captured as Wireshark tells it. */
import { TcpFlag } from "../flow/headers.js";

/** State of one end (Zeek, base/protocols/conn). Three bits of the state word; b's above a's. */
export const enum End {
  inactive = 0,
  synSent = 1,
  synAckSent = 2,
  /** Has sent, and was not seen to begin. */
  partial = 3,
  established = 4,
  closed = 5,
  reset = 6,
}

const enum Bits {
  end = 3,
  endMask = 7,
  completeness = 8,
  completenessMask = 0x3f,
}

/** Wireshark's tcp.completeness. */
const enum Complete {
  syn = 1,
  synAck = 2,
  ack = 4,
  data = 8,
  fin = 16,
  rst = 32,
}

/** Whether a segment says nothing that the state word does not say: most of them. */
export function isSettled(state: number, fromB: boolean, flags: number, length: number): boolean {
  const known = (length > 0 ? Complete.data : Complete.ack) << Bits.completeness;
  const isQuiet = (flags & (TcpFlag.syn | TcpFlag.fin | TcpFlag.rst)) === 0;
  return isQuiet && (state & known) !== 0 && endState(state, fromB) >= End.partial;
}

/** The state word after a segment of b (`fromB`) or a with these flags, carrying `length` bytes. `isFirst`: nothing was seen of it before. */
export function nextState(
  state: number,
  fromB: boolean,
  flags: number,
  length: number,
  isFirst: boolean,
): number {
  const own = fromB ? Bits.end : 0;
  const other = fromB ? 0 : Bits.end;
  let from = (state >> own) & Bits.endMask;
  let to = (state >> other) & Bits.endMask;
  if (from === End.reset && (flags & TcpFlag.syn) === 0) {
    // Nothing after its reset changes how it ended.
  } else if ((flags & TcpFlag.rst) !== 0) from = End.reset;
  else if ((flags & TcpFlag.syn) !== 0) {
    if ((flags & TcpFlag.ack) === 0) {
      if (from === End.inactive || from === End.partial) from = End.synSent;
    } else if (to === End.synSent) {
      from = End.established;
      to = End.established;
    } else if (from === End.inactive) from = End.synAckSent;
  } else if ((flags & TcpFlag.fin) !== 0) from = End.closed;
  else if (from === End.inactive) from = End.partial;
  else if (from === End.synSent && to === End.synAckSent && (flags & TcpFlag.ack) !== 0) {
    from = End.established;
    to = End.established;
  }
  const complete = completenessOf(flags, length, isFirst) << Bits.completeness;
  return (state & (Bits.completenessMask << Bits.completeness)) | complete | (from << own) | (to << other);
}

/** What one segment adds to the completeness. The first segment of a connection only tells of its SYN, as in Wireshark. */
function completenessOf(flags: number, length: number, isFirst: boolean): number {
  const isSyn = (flags & TcpFlag.syn) !== 0;
  const isAck = (flags & TcpFlag.ack) !== 0;
  if (isFirst) return isSyn && !isAck ? Complete.syn | (length > 0 ? Complete.data : 0) : 0;
  let bits = 0;
  if (isSyn && isAck) bits |= Complete.synAck;
  if (isAck && !isSyn) bits |= length > 0 ? Complete.data : Complete.ack;
  if (isAck && (flags & TcpFlag.fin) !== 0) bits |= Complete.fin;
  if ((flags & TcpFlag.rst) !== 0) bits |= Complete.rst;
  return bits;
}

/** Wireshark's tcp.completeness of a state word. */
export function completeness(state: number): number {
  return (state >> Bits.completeness) & Bits.completenessMask;
}

/** State of end b or a. */
function endState(state: number, ofB: boolean): End {
  return (state >> (ofB ? Bits.end : 0)) & Bits.endMask;
}

/** Both ends were seen to agree that there is a connection, or went on from that. */
export function wasEstablished(state: number): boolean {
  return (completeness(state) & Complete.synAck) !== 0 && (completeness(state) & Complete.syn) !== 0;
}

/** Zeek's conn_state: its letters for how far the connection came. */
export function zeekState(state: number, origIsB: boolean): string {
  const isEmpty = (completeness(state) & Complete.data) === 0;
  const orig = endState(state, origIsB);
  const reply = endState(state, !origIsB);
  const origSilent = orig === End.inactive || orig === End.partial;
  const replySilent = reply === End.inactive || reply === End.partial;
  if (reply === End.reset) {
    if (orig === End.synSent || orig === End.synAckSent || (orig === End.reset && isEmpty)) return "REJ";
    return origSilent ? "RSTRH" : "RSTR";
  }
  if (orig === End.reset) return replySilent ? "RSTOS0" : "RSTO";
  if (reply === End.closed && orig === End.closed) return "SF";
  if (orig === End.closed) return replySilent ? "SH" : "S2";
  if (reply === End.closed) return origSilent ? "SHR" : "S3";
  if (orig === End.synSent && reply === End.inactive) return "S0";
  if (orig === End.established && reply === End.established) return "S1";
  return "OTH";
}
