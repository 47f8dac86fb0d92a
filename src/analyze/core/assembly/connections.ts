/**
 * What one TCP segment says of its connection: lost, again, out of order, duplicate, no room; and how far the connection has come.
 *
 * The readings are those of Wireshark's TCP analysis (its User's Guide, "TCP Analysis"), so that counts can be compared: each segment is
 * judged against the highest sequence number, the last acknowledgement and the last window seen, modulo 2^32.
 */
import {
  Begun,
  Cell,
  Complete,
  End,
  FlagShift,
  Layout,
  Mark,
  MarkShift,
  Needless,
  Outcome,
  Place,
  Row,
  Scale,
  Shared,
  Side,
  SideFlag,
  StateBits,
  TcpFlag,
  Total,
  Trouble,
  TroubleLayout,
} from "../layout";
import { load16, load32 } from "./big-endian";
import { conclude, follow } from "./host";

/** How late a segment may be to count as out of order, not as sent again, where the handshake's time is not known (nanoseconds). */
const REORDERED_NS: f64 = 3e6;
/** How soon after the last duplicate acknowledgement a retransmission is a fast one. */
const FAST_US: i32 = 20_000;
const FAST_DUPLICATES: u32 = 2;
const MAX_DUPLICATES: i32 = 0x7fff;

/** RFC 9293 3.1: offsets in the header. */
const SEQ: usize = 4;
const ACK: usize = 8;
const DATA_OFFSET: usize = 12;
const WINDOW: usize = 14;
const OPTIONS: i32 = 20;
/** RFC 9293 3.2, RFC 7323 2.2, RFC 2018. */
const OPTION_END: i32 = 0;
const OPTION_NOTHING: i32 = 1;
const OPTION_SCALE: i32 = 3;
const OPTION_SACK: i32 = 5;
/** Longest header that can hold no SACK block beside a timestamp. */
const PLAIN_HEADER: i32 = 32;
const MAX_SCALE: i32 = 14;
const NOT_QUIET: i32 = TcpFlag.syn | TcpFlag.fin | TcpFlag.rst;

const NO_TIME: f64 = -1;
const BYTES: usize = Layout.words << 2;
const SIDE_B: usize = Layout.sideB << 2;

const TROUBLE_BYTES: usize = TroubleLayout.words << 2;

let connections: usize = 0;
let troubles: usize = 0;

export function placeConnections(at: usize, troublesAt: usize): void {
  connections = at;
  troubles = troublesAt;
}

function word(at: usize, which: i32): i32 {
  return load<i32>(at + (which << 2));
}

function setWord(at: usize, which: i32, value: i32): void {
  store<i32>(at + (which << 2), value);
}

function time(at: usize, which: i32): f64 {
  return load<f64>(at + (which << 2));
}

function setTime(at: usize, which: i32, value: f64): void {
  store<f64>(at + (which << 2), value);
}

function bump(at: usize, which: i32): void {
  setWord(at, which, word(at, which) + 1);
}

function cell(which: i32): i32 {
  return load<i32>(Place.cells + (which << 2));
}

function setCell(which: i32, value: i32): void {
  store<i32>(Place.cells + (which << 2), value);
}

/** Brings near what every segment of a connection needs. */
export function touchConnection(connection: i32): i32 {
  const at = connections + <usize>connection * BYTES;
  return load<i32>(at) ^ load<i32>(at, 64) ^ load<i32>(at, 128);
}

/** Where the trouble of a connection is kept, of its side b (`ofB`) or a; from now on it has some. */
function troubleOf(at: usize, ofB: bool): usize {
  let trouble = word(at, Shared.trouble);
  if (trouble === 0) {
    trouble = takeTrouble();
    setWord(at, Shared.trouble, trouble);
  }
  return troubles + <usize>(trouble - 1) * TROUBLE_BYTES + (ofB ? TroubleLayout.sideB << 2 : 0);
}

/** Number and one of an entry that says of no trouble. */
function takeTrouble(): i32 {
  let trouble = cell(Cell.freeTrouble);
  if (trouble !== 0)
    setCell(Cell.freeTrouble, word(troubles + <usize>(trouble - 1) * TROUBLE_BYTES, Trouble.lastReset));
  else {
    trouble = cell(Cell.troubles) + 1;
    setCell(Cell.troubles, trouble);
  }
  const at = troubles + <usize>(trouble - 1) * TROUBLE_BYTES;
  memory.fill(at, 0, TROUBLE_BYTES);
  setTime(at, Trouble.zeroSince, NO_TIME);
  setTime(at + (TroubleLayout.sideB << 2), Trouble.zeroSince, NO_TIME);
  return trouble;
}

/** Takes an entry for a flow, all zero but for what is not known: there is one. */
export function takeConnection(flow: i32): i32 {
  const free = cell(Cell.free);
  let connection: i32;
  if (free !== 0) {
    connection = free - 1;
    setCell(Cell.free, word(connections + <usize>connection * BYTES, Shared.state));
  } else {
    connection = cell(Cell.top);
    setCell(Cell.top, connection + 1);
  }
  setCell(Cell.used, cell(Cell.used) + 1);
  const at = connections + <usize>connection * BYTES;
  memory.fill(at, 0, BYTES);
  setWord(at, Shared.flow, flow);
  setWord(at, Shared.connections, 1);
  reset(at);
  return connection;
}

/** Forgets the state of the connection, not what was counted: another begins on the same ports. */
function reset(at: usize): void {
  resetSide(at);
  resetSide(at + SIDE_B);
  setWord(at, Shared.state, 0);
  setWord(at, Shared.stream, 0);
  setWord(at, Shared.begun, 0);
  setTime(at, Shared.synTime, NO_TIME);
  setTime(at, Shared.synAckTime, NO_TIME);
  setTime(at, Shared.handshake, 0);
  setTime(at, Shared.serverHalf, NO_TIME);
  if (word(at, Shared.trouble) === 0) return;
  setTime(troubleOf(at, false), Trouble.zeroSince, NO_TIME);
  setTime(troubleOf(at, true), Trouble.zeroSince, NO_TIME);
}

function resetSide(side: usize): void {
  setWord(side, Side.nextSeq, 0);
  setWord(side, Side.maxAcked, 0);
  setWord(side, Side.lastAck, 0);
  setWord(side, Side.window, -1);
  setWord(side, Side.flags, 0);
  setWord(side, Side.probe, 0);
  setWord(side, Side.lastAckUs, 0);
  setTime(side, Side.nextSeqTime, 0);
  setTime(side, Side.probeTime, NO_TIME);
}

/** Counts the segment of row number `index` in its connection. */
export function countSegment(row: usize, index: i32, connection: i32): void {
  const at = connections + <usize>connection * BYTES;
  const marks = load<i32>(row, Row.marks);
  const flags = (marks >>> MarkShift.flags) & 0xff;
  const fromB = (marks & Mark.fromB) !== 0;
  const tcp = <usize>load<u32>(row, Row.transport);
  const length = load<u32>(row, Row.payloadLength);
  if ((flags & TcpFlag.syn) !== 0) begin(at, connection, fromB, load32(tcp + SEQ), flags);
  const state = word(at, Shared.state);
  judgeSegment(at, fromB, tcp, load<i32>(row, Row.headerEnd), flags, length);
  bump(at, Shared.segments);
  // Captures made of text begin in 1970: as Wireshark has it, no handshake is measured from there.
  if (load<f64>(row, Row.timeUs) === 0) setOpening(at, false);
  if (!isSettled(state, fromB, flags, length))
    setWord(at, Shared.state, nextState(state, fromB, flags, length, state === 0));
  const stream = word(at, Shared.stream);
  if (stream > 0 || (stream !== Needless.stream && length > 0)) follow(index, connection);
}

/** A SYN: another connection on the same ports, where its number is another. */
function begin(at: usize, connection: i32, fromB: bool, seq: i32, flags: i32): void {
  const own = fromB ? at + SIDE_B : at;
  const isKnown = (word(own, Side.flags) & SideFlag.baseSeen) !== 0 && word(own, Side.baseSeq) !== seq;
  const isAnswer = (flags & TcpFlag.ack) !== 0;
  if (isAnswer) {
    if (isKnown) setWord(own, Side.baseSeq, seq);
  } else if (isKnown) {
    const outcome = conclude(connection);
    if (outcome === Outcome.refused) bump(troubleOf(at, false), Trouble.refused);
    else if (outcome === Outcome.unanswered) bump(troubleOf(at, false), Trouble.unanswered);
    reset(at);
    bump(at, Shared.connections);
  }
  const opening = word(at, Shared.begun) & Begun.isOpening;
  setWord(at, Shared.begun, opening | (fromB === !isAnswer ? Begun.byB : Begun.byA));
}

function setOpening(at: usize, isOpening: bool): void {
  const begun = word(at, Shared.begun) & Begun.mask;
  setWord(at, Shared.begun, isOpening ? begun | Begun.isOpening : begun);
}

/** `end`: of what is here of the header at `tcp`. */
function judgeSegment(at: usize, fromB: bool, tcp: usize, end: i32, flags: i32, length: u32): void {
  const own = fromB ? at + SIDE_B : at;
  const other = fromB ? at : at + SIDE_B;
  const now = load<f64>(Place.totals + (Total.clock << 3));
  const seq = load32(tcp + SEQ);
  const ack = load32(tcp + ACK);
  const window = load16(tcp + WINDOW);
  const isQuiet = (flags & NOT_QUIET) === 0;
  const isAck = (flags & TcpFlag.ack) !== 0;
  const nextSeq = word(own, Side.nextSeq);
  const ownFlags = word(own, Side.flags);
  let marks = ownFlags & ~(SideFlag.keepAlive | SideFlag.probe);
  if ((ownFlags & SideFlag.baseSeen) === 0) {
    setWord(own, Side.baseSeq, (flags & TcpFlag.syn) !== 0 ? seq : seq - 1);
    marks |= SideFlag.baseSeen;
  }
  if (isAck && (word(other, Side.flags) & SideFlag.baseSeen) === 0) {
    setWord(other, Side.baseSeq, ack - 1);
    setWord(other, Side.flags, word(other, Side.flags) | SideFlag.baseSeen);
  }

  if (length === 1 && seq === nextSeq && word(other, Side.window) === 0) marks |= SideFlag.probe;
  else {
    if (window === 0 && isQuiet) bump(troubleOf(at, fromB), Trouble.zeroWindows);
    if (nextSeq !== 0 && seq - nextSeq > 0 && (flags & TcpFlag.rst) === 0)
      bump(troubleOf(at, fromB), Trouble.gaps);
    if (length <= 1 && seq === nextSeq - 1 && isQuiet) {
      marks |= SideFlag.keepAlive;
      bump(troubleOf(at, fromB), Trouble.keepAlives);
    }
    if (length > 0 && isQuiet && fillsWindow(other, seq + <i32>length))
      bump(troubleOf(at, fromB), Trouble.windowFull);
    if (
      length === 0 &&
      window !== 0 &&
      window === word(own, Side.window) &&
      seq === nextSeq &&
      ack === word(own, Side.lastAck) &&
      isQuiet &&
      (word(other, Side.flags) & SideFlag.keepAlive) === 0
    ) {
      const duplicates = marks >> FlagShift.duplicates;
      marks = withDuplicates(marks, duplicates < 0 ? 1 : min(duplicates + 1, MAX_DUPLICATES));
      bump(troubleOf(at, fromB), Trouble.duplicateAcks);
    }
  }
  if (ack !== word(own, Side.lastAck)) marks = withDuplicates(marks, 0);
  if (isAck) acknowledge(other, ack, now);

  const next = seq + <i32>length + ((flags & (TcpFlag.syn | TcpFlag.fin)) !== 0 ? 1 : 0);
  const occupies = next !== seq;
  const nowUs = toUs(now);
  let isNew = true;
  if (occupies) {
    bump(own, Side.segments);
    if ((marks & SideFlag.keepAlive) === 0) isNew = judge(at, fromB, seq, length, next, now, nowUs);
  }

  if ((marks & SideFlag.probe) === 0) {
    if (nextSeq === 0 || next - nextSeq > 0) {
      setWord(own, Side.nextSeq, next);
      setTime(own, Side.nextSeqTime, now);
    }
    const maxAcked = word(own, Side.maxAcked);
    if (seq === maxAcked || maxAcked === 0) setWord(own, Side.maxAcked, word(own, Side.nextSeq));
  }
  if (!isNew) setTime(own, Side.probeTime, NO_TIME);
  else if (occupies && time(own, Side.probeTime) < 0) {
    setWord(own, Side.probe, next);
    setTime(own, Side.probeTime, now);
  }
  setWord(own, Side.lastAck, ack);
  setWord(own, Side.lastAckUs, nowUs);
  if (window === 0 ? isQuiet : word(own, Side.window) === 0) changeZeroWindow(at, fromB, window, now);
  setWord(own, Side.window, window);

  if ((flags & TcpFlag.syn) !== 0) {
    marks |= SideFlag.unscaled;
    marks = withScale(marks, readScale(other, tcp, end, isAck));
    if (isAck) setTime(at, Shared.synAckTime, now);
    else {
      setTime(at, Shared.synTime, now);
      if (time(at, Shared.handshake) === 0) setOpening(at, true);
    }
  } else if (isAck) {
    marks &= ~SideFlag.unscaled;
    if ((word(at, Shared.begun) & Begun.isOpening) !== 0) endHandshake(at, now);
    if (headerLength(tcp) > PLAIN_HEADER && saysDuplicate(tcp, end, ack))
      bump(troubleOf(at, !fromB), Trouble.duplicated);
  }
  if ((flags & TcpFlag.rst) !== 0) {
    bump(troubleOf(at, fromB), Trouble.resets);
    setTime(troubleOf(at, false), Trouble.lastReset, now);
  }
  setWord(own, Side.flags, marks);
}

/** The flags with another number of duplicate acknowledgements. */
function withDuplicates(flags: i32, duplicates: i32): i32 {
  return (flags & SideFlag.mask) | (duplicates << FlagShift.duplicates);
}

/** The flags with another Scale. */
function withScale(flags: i32, scale: i32): i32 {
  return (flags & ~(FlagShift.scaleMask << FlagShift.scale)) | (scale << FlagShift.scale);
}

function scaleOf(flags: i32): i32 {
  return (flags >> FlagShift.scale) & FlagShift.scaleMask;
}

/** Nanoseconds as microseconds modulo 2^32. */
function toUs(now: f64): i32 {
  return <i32>(<i64>floor<f64>(now / 1000));
}

/** Judges a segment that occupies sequence numbers, up to before `next`. False: what it carries was sent before. */
function judge(at: usize, fromB: bool, seq: i32, length: u32, next: i32, now: f64, nowUs: i32): bool {
  const own = fromB ? at + SIDE_B : at;
  const other = fromB ? at : at + SIDE_B;
  const nextSeq = word(own, Side.nextSeq);
  const lastAck = word(other, Side.lastAck);
  // One byte before, and more than one: new data after the probe of a zero window.
  const isOld = nextSeq !== 0 && seq - nextSeq < 0 && !(length > 1 && seq === nextSeq - 1);
  if (length > 0 && lastAck !== 0 && seq + <i32>length - lastAck <= 0) {
    bump(troubleOf(at, fromB), Trouble.spurious);
    return false;
  }
  if (!isOld) return true;
  // Less than 0: of what was not captured, so duplicates may not have been either.
  const sinceAck = nowUs - word(other, Side.lastAckUs);
  if (
    <u32>(word(other, Side.flags) >> FlagShift.duplicates) >= FAST_DUPLICATES &&
    lastAck === seq &&
    sinceAck >= 0 &&
    sinceAck < FAST_US
  ) {
    bump(troubleOf(at, fromB), Trouble.fast);
    return false;
  }
  const handshake = time(at, Shared.handshake);
  const since = now - time(own, Side.nextSeqTime);
  if (next !== nextSeq && isWithin(since, handshake === 0 ? REORDERED_NS : handshake)) {
    bump(troubleOf(at, fromB), Trouble.outOfOrder);
    return false;
  }
  bump(troubleOf(at, fromB), Trouble.retransmissions);
  return false;
}

/** Compared as Wireshark does, without a sign: where the clock of a capture runs back, a negative time is longer than any other. */
function isWithin(since: f64, limit: f64): bool {
  return since < 0 === limit < 0 ? since < limit : limit < 0;
}

/** The other side's data up to `ack` has arrived: ends the round trip that is measured, moves on what may be acknowledged. */
function acknowledge(other: usize, ack: i32, now: f64): void {
  const maxAcked = word(other, Side.maxAcked);
  if (maxAcked !== 0 && ack - maxAcked > 0) {
    if (maxAcked - word(other, Side.nextSeq) < 0) setWord(other, Side.maxAcked, word(other, Side.nextSeq));
    else setWord(other, Side.flags, withDuplicates(word(other, Side.flags), -1));
  }
  const probeTime = time(other, Side.probeTime);
  if (probeTime < 0 || ack - word(other, Side.probe) < 0) return;
  setTime(other, Side.probeTime, NO_TIME);
  if (now < probeTime) return;
  bump(other, Side.roundTrips);
  setTime(other, Side.roundTripSum, time(other, Side.roundTripSum) + now - probeTime);
}

/** The first ACK after a SYN. */
function endHandshake(at: usize, now: f64): void {
  const synTime = time(at, Shared.synTime);
  const synAckTime = time(at, Shared.synAckTime);
  setTime(at, Shared.handshake, now - synTime);
  if (synAckTime >= 0) setTime(at, Shared.serverHalf, synAckTime - synTime);
  // A clock that did not go on told nothing: the next ACK may.
  if (now !== synTime) setOpening(at, false);
}

/** Whether a segment that ends before `end` goes all the way to the edge of the window that the other side last offered. */
function fillsWindow(other: usize, end: i32): bool {
  const flags = word(other, Side.flags);
  const scale = scaleOf(flags);
  const window = word(other, Side.window);
  if (scale === Scale.unknown || window < 0) return false;
  const isScaled = scale !== Scale.none && (flags & SideFlag.unscaled) === 0;
  return word(other, Side.lastAck) + (isScaled ? window << (scale - Scale.shift) : window) === end;
}

/** A side's window becomes 0, or is open again. */
function changeZeroWindow(at: usize, fromB: bool, window: i32, now: f64): void {
  if (window !== 0 && word(at, Shared.trouble) === 0) return;
  const trouble = troubleOf(at, fromB);
  const since = time(trouble, Trouble.zeroSince);
  if (window === 0) {
    if (since < 0) setTime(trouble, Trouble.zeroSince, now);
    return;
  }
  if (since < 0) return;
  setTime(trouble, Trouble.zeroTime, time(trouble, Trouble.zeroTime) + max<f64>(0, now - since));
  setTime(trouble, Trouble.zeroSince, NO_TIME);
}

/** Reads a SYN's window scale: gives what is known of this side's. Neither side scales unless both say so (RFC 7323 2.2). */
function readScale(other: usize, tcp: usize, end: i32, isAnswer: bool): i32 {
  const option = findOption(tcp, end, OPTION_SCALE);
  let scale: i32 = Scale.none;
  if (option >= 0 && option + 2 < end) scale = Scale.shift + min(<i32>load<u8>(<usize>option + 2), MAX_SCALE);
  if (!isAnswer) return scale;
  const flags = word(other, Side.flags);
  if (scale === Scale.none) setWord(other, Side.flags, withScale(flags, Scale.none));
  return scaleOf(flags) === Scale.none ? Scale.none : scale;
}

/** Whether the first SACK block is of bytes that were acknowledged before: they came twice (RFC 2883). */
function saysDuplicate(tcp: usize, end: i32, ack: i32): bool {
  const option = findOption(tcp, end, OPTION_SACK);
  return option >= 0 && option + 10 <= end && load32(<usize>option + 6) - ack <= 0;
}

function headerLength(tcp: usize): i32 {
  return (<i32>(load<u8>(tcp + DATA_OFFSET) >> 4)) << 2;
}

/** Where an option stands in a header of which [tcp, end) is here, or -1. */
function findOption(tcp: usize, end: i32, wanted: i32): i32 {
  for (let at = <i32>tcp + OPTIONS; at < end; ) {
    const kind = <i32>load<u8>(<usize>at);
    if (kind === wanted) return at;
    if (kind === OPTION_END) return -1;
    if (kind === OPTION_NOTHING) {
      at++;
      continue;
    }
    const length = at + 1 < end ? <i32>load<u8>(<usize>at + 1) : 0;
    if (length < 2) return -1;
    at += length;
  }
  return -1;
}

/** Whether a segment says nothing that the state word does not say: most of them. */
function isSettled(state: i32, fromB: bool, flags: i32, length: u32): bool {
  const known = (length > 0 ? Complete.data : Complete.ack) << StateBits.completeness;
  return (flags & NOT_QUIET) === 0 && (state & known) !== 0 && endState(state, fromB) >= End.partial;
}

function endState(state: i32, ofB: bool): i32 {
  return (state >> (ofB ? StateBits.end : 0)) & StateBits.endMask;
}

/** The state word after a segment of b (`fromB`) or a with these flags, carrying `length` bytes. `isFirst`: nothing was seen of it before. */
function nextState(state: i32, fromB: bool, flags: i32, length: u32, isFirst: bool): i32 {
  let from = endState(state, fromB);
  let to = endState(state, !fromB);
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
  const complete = completenessOf(flags, length, isFirst) << StateBits.completeness;
  return (
    (state & (StateBits.completenessMask << StateBits.completeness)) |
    complete |
    (from << (fromB ? StateBits.end : 0)) |
    (to << (fromB ? 0 : StateBits.end))
  );
}

/** What one segment adds to the completeness. The first segment of a connection only tells of its SYN, as in Wireshark. */
function completenessOf(flags: i32, length: u32, isFirst: bool): i32 {
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
