/** A connection's progress: the state of its two ends in Zeek's terms, and its completeness in Wireshark's. */
import { Complete, End, StateBits } from "../core/layout.js";

/** Wireshark's tcp.completeness of a state word. */
export function completeness(state: number): number {
  return (state >> StateBits.completeness) & StateBits.completenessMask;
}

/** State of end b or a. */
function endState(state: number, ofB: boolean): End {
  return (state >> (ofB ? StateBits.end : 0)) & StateBits.endMask;
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
