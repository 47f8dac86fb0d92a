/**
 * What one TCP segment says of its connection: lost, again, out of order, duplicate, no room. As assembly/connections.ts, in TypeScript.
 *
 * The readings are those of Wireshark's TCP analysis (its User's Guide, "TCP Analysis"), so that counts can be compared: each segment is
 * judged against the highest sequence number, the last acknowledgement and the last window seen, modulo 2^32.
 */
import { after } from "../tcp/sequence.js";
import { NO_TIME } from "../tcp/store.js";
import {
  Begun,
  Complete,
  End,
  FlagShift,
  Layout,
  Scale,
  Shared,
  Side,
  SideFlag,
  StateBits,
  TcpFlag,
  Trouble,
} from "./layout.js";

/** How late a segment may be to count as out of order, not as sent again, where the handshake's time is not known (nanoseconds). */
const REORDERED_NS = 3e6;
/** How soon after the last duplicate acknowledgement a retransmission is a fast one. */
const FAST_US = 20_000;
const FAST_DUPLICATES = 2;
const MAX_DUPLICATES = 0x7fff;

/** RFC 9293 3.1: offsets in the header. */
const enum Tcp {
  seq = 4,
  ack = 8,
  offset = 12,
  window = 14,
  options = 20,
}
/** RFC 9293 3.2, RFC 7323 2.2, RFC 2018. */
const enum Option {
  end = 0,
  nothing = 1,
  windowScale = 3,
  sack = 5,
}
/** Longest header that can hold no SACK block beside a timestamp. */
const PLAIN_HEADER = 32;
const MAX_SCALE = 14;
const NOT_QUIET = TcpFlag.syn | TcpFlag.fin | TcpFlag.rst;

/** A segment: its header is in `view` from `tcp` to before `end`, all of its fixed part; it carries `length` bytes, at a time in nanoseconds. */
export interface Segment {
  readonly view: DataView;
  readonly tcp: number;
  readonly end: number;
  readonly flags: number;
  readonly length: number;
  readonly now: number;
  /** Index of the first word of the trouble of side b or a, which has some from now on. */
  readonly troubleOf: (ofB: boolean) => number;
}

/** Counts a segment of side b (`fromB`) or a in the connection of the entry at word `at`. */
export function countSegment(
  words: Int32Array,
  doubles: Float64Array,
  at: number,
  fromB: boolean,
  { view, tcp, end, flags, length, now, troubleOf }: Segment,
): void {
  const bump = (counter: Trouble, ofB = fromB) => words[troubleOf(ofB) + counter]!++;
  const own = fromB ? at + Layout.sideB : at;
  const other = fromB ? at : at + Layout.sideB;
  const seq = view.getInt32(tcp + Tcp.seq);
  const ack = view.getInt32(tcp + Tcp.ack);
  const window = view.getUint16(tcp + Tcp.window);
  const isQuiet = (flags & NOT_QUIET) === 0;
  const nextSeq = words[own + Side.nextSeq]!;
  const ownFlags = words[own + Side.flags]!;
  let marks = ownFlags & ~(SideFlag.keepAlive | SideFlag.probe);
  if ((ownFlags & SideFlag.baseSeen) === 0) {
    words[own + Side.baseSeq] = (flags & TcpFlag.syn) !== 0 ? seq : (seq - 1) | 0;
    marks |= SideFlag.baseSeen;
  }
  if ((flags & TcpFlag.ack) !== 0 && (words[other + Side.flags]! & SideFlag.baseSeen) === 0) {
    words[other + Side.baseSeq] = (ack - 1) | 0;
    words[other + Side.flags] = words[other + Side.flags]! | SideFlag.baseSeen;
  }

  if (length === 1 && seq === nextSeq && words[other + Side.window] === 0) marks |= SideFlag.probe;
  else {
    if (window === 0 && isQuiet) bump(Trouble.zeroWindows);
    if (nextSeq !== 0 && after(seq, nextSeq) > 0 && (flags & TcpFlag.rst) === 0) bump(Trouble.gaps);
    if (length <= 1 && seq === ((nextSeq - 1) | 0) && isQuiet) {
      marks |= SideFlag.keepAlive;
      bump(Trouble.keepAlives);
    }
    if (length > 0 && isQuiet && fillsWindow(words, other, seq + length)) bump(Trouble.windowFull);
    if (
      length === 0 &&
      window !== 0 &&
      window === words[own + Side.window] &&
      seq === nextSeq &&
      ack === words[own + Side.lastAck] &&
      isQuiet &&
      (words[other + Side.flags]! & SideFlag.keepAlive) === 0
    ) {
      const duplicates = marks >> FlagShift.duplicates;
      marks = withDuplicates(marks, duplicates < 0 ? 1 : Math.min(duplicates + 1, MAX_DUPLICATES));
      bump(Trouble.duplicateAcks);
    }
  }
  if (ack !== words[own + Side.lastAck]) marks = withDuplicates(marks, 0);
  if ((flags & TcpFlag.ack) !== 0) acknowledge(words, doubles, other, ack, now);

  const next = (seq + length + ((flags & (TcpFlag.syn | TcpFlag.fin)) !== 0 ? 1 : 0)) | 0;
  const occupies = next !== seq;
  let isNew = true;
  if (occupies) {
    words[own + Side.segments]!++;
    if ((marks & SideFlag.keepAlive) === 0)
      isNew = judge(words, doubles, at, own, other, seq, length, next, now, bump);
  }

  if ((marks & SideFlag.probe) === 0) {
    if (nextSeq === 0 || after(next, nextSeq) > 0) {
      words[own + Side.nextSeq] = next;
      doubles[(own + Side.nextSeqTime) >> 1] = now;
    }
    const maxAcked = words[own + Side.maxAcked]!;
    if (seq === maxAcked || maxAcked === 0) words[own + Side.maxAcked] = words[own + Side.nextSeq]!;
  }
  if (!isNew) doubles[(own + Side.probeTime) >> 1] = NO_TIME;
  else if (occupies && doubles[(own + Side.probeTime) >> 1]! < 0) {
    words[own + Side.probe] = next;
    doubles[(own + Side.probeTime) >> 1] = now;
  }
  words[own + Side.lastAck] = ack;
  words[own + Side.lastAckUs] = toUs(now);
  if (window === 0 ? isQuiet : words[own + Side.window] === 0)
    changeZeroWindow(words, doubles, at, fromB, window, now, troubleOf);
  words[own + Side.window] = window;

  if ((flags & TcpFlag.syn) !== 0) {
    marks |= SideFlag.unscaled;
    marks = withScale(marks, readScale(words, other, view, tcp, end, flags));
    if ((flags & TcpFlag.ack) !== 0) doubles[(at + Shared.synAckTime) >> 1] = now;
    else {
      doubles[(at + Shared.synTime) >> 1] = now;
      if (doubles[(at + Shared.handshake) >> 1]! === 0) words[at + Shared.begun]! |= Begun.isOpening;
    }
  } else if ((flags & TcpFlag.ack) !== 0) {
    marks &= ~SideFlag.unscaled;
    if ((words[at + Shared.begun]! & Begun.isOpening) !== 0) endHandshake(words, doubles, at, now);
    if ((view.getUint8(tcp + Tcp.offset) >> 4) * 4 > PLAIN_HEADER && saysDuplicate(view, tcp, end, ack))
      bump(Trouble.duplicated, !fromB);
  }
  if ((flags & TcpFlag.rst) !== 0) {
    bump(Trouble.resets);
    doubles[(troubleOf(false) + Trouble.lastReset) >> 1] = now;
  }
  words[own + Side.flags] = marks;
}

/** The flags with another number of duplicate acknowledgements. */
function withDuplicates(flags: number, duplicates: number): number {
  return (flags & SideFlag.mask) | (duplicates << FlagShift.duplicates);
}

/** Nanoseconds as microseconds modulo 2^32. */
function toUs(now: number): number {
  return Math.floor(now / 1000) | 0;
}

/** Judges a segment that occupies sequence numbers, up to before `next`. False: what it carries was sent before. */
function judge(
  words: Int32Array,
  doubles: Float64Array,
  at: number,
  own: number,
  other: number,
  seq: number,
  length: number,
  next: number,
  now: number,
  bump: (counter: Trouble) => void,
): boolean {
  const nextSeq = words[own + Side.nextSeq]!;
  const lastAck = words[other + Side.lastAck]!;
  // One byte before, and more than one: new data after the probe of a zero window.
  const isOld = nextSeq !== 0 && after(seq, nextSeq) < 0 && !(length > 1 && seq === ((nextSeq - 1) | 0));
  if (length > 0 && lastAck !== 0 && after((seq + length) | 0, lastAck) <= 0) {
    bump(Trouble.spurious);
    return false;
  }
  if (!isOld) return true;
  // Less than 0: of what was not captured, so duplicates may not have been either.
  const sinceAck = (toUs(now) - words[other + Side.lastAckUs]!) | 0;
  if (
    (words[other + Side.flags]! >> FlagShift.duplicates) >>> 0 >= FAST_DUPLICATES &&
    lastAck === seq &&
    sinceAck >= 0 &&
    sinceAck < FAST_US
  ) {
    bump(Trouble.fast);
    return false;
  }
  const handshake = doubles[(at + Shared.handshake) >> 1]!;
  const since = now - doubles[(own + Side.nextSeqTime) >> 1]!;
  if (next !== nextSeq && isWithin(since, handshake === 0 ? REORDERED_NS : handshake)) {
    bump(Trouble.outOfOrder);
    return false;
  }
  bump(Trouble.retransmissions);
  return false;
}

/** Compared as Wireshark does, without a sign: where the clock of a capture runs back, a negative time is longer than any other. */
function isWithin(since: number, limit: number): boolean {
  return since < 0 === limit < 0 ? since < limit : limit < 0;
}

/** The other side's data up to `ack` has arrived: ends the round trip that is measured, moves on what may be acknowledged. */
function acknowledge(
  words: Int32Array,
  doubles: Float64Array,
  other: number,
  ack: number,
  now: number,
): void {
  const maxAcked = words[other + Side.maxAcked]!;
  if (maxAcked !== 0 && after(ack, maxAcked) > 0) {
    if (after(maxAcked, words[other + Side.nextSeq]!) < 0)
      words[other + Side.maxAcked] = words[other + Side.nextSeq]!;
    else words[other + Side.flags] = withDuplicates(words[other + Side.flags]!, -1);
  }
  const probeTime = doubles[(other + Side.probeTime) >> 1]!;
  if (probeTime < 0 || after(ack, words[other + Side.probe]!) < 0) return;
  doubles[(other + Side.probeTime) >> 1] = NO_TIME;
  if (now < probeTime) return;
  words[other + Side.roundTrips]!++;
  doubles[(other + Side.roundTripSum) >> 1] = doubles[(other + Side.roundTripSum) >> 1]! + now - probeTime;
}

/** The first ACK after a SYN. */
function endHandshake(words: Int32Array, doubles: Float64Array, at: number, now: number): void {
  const synTime = doubles[(at + Shared.synTime) >> 1]!;
  const synAckTime = doubles[(at + Shared.synAckTime) >> 1]!;
  doubles[(at + Shared.handshake) >> 1] = now - synTime;
  if (synAckTime >= 0) doubles[(at + Shared.serverHalf) >> 1] = synAckTime - synTime;
  // A clock that did not go on told nothing: the next ACK may.
  if (now !== synTime) words[at + Shared.begun]! &= Begun.mask;
}

/** Whether a segment that ends before `end` goes all the way to the edge of the window that the other side last offered. */
function fillsWindow(words: Int32Array, other: number, end: number): boolean {
  const scale = scaleOf(words[other + Side.flags]!);
  const window = words[other + Side.window]!;
  if (scale === Scale.unknown || window < 0) return false;
  const isScaled = scale !== Scale.none && (words[other + Side.flags]! & SideFlag.unscaled) === 0;
  return (
    ((words[other + Side.lastAck]! + (isScaled ? window << (scale - Scale.shift) : window) - end) | 0) === 0
  );
}

/** A side's window becomes 0, or is open again. */
function changeZeroWindow(
  words: Int32Array,
  doubles: Float64Array,
  at: number,
  fromB: boolean,
  window: number,
  now: number,
  troubleOf: (ofB: boolean) => number,
): void {
  if (window !== 0 && words[at + Shared.trouble] === 0) return;
  const trouble = troubleOf(fromB);
  const since = doubles[(trouble + Trouble.zeroSince) >> 1]!;
  if (window === 0) {
    if (since < 0) doubles[(trouble + Trouble.zeroSince) >> 1] = now;
    return;
  }
  if (since < 0) return;
  const before = doubles[(trouble + Trouble.zeroTime) >> 1]!;
  doubles[(trouble + Trouble.zeroTime) >> 1] = before + Math.max(0, now - since);
  doubles[(trouble + Trouble.zeroSince) >> 1] = NO_TIME;
}

function scaleOf(flags: number): number {
  return (flags >> FlagShift.scale) & FlagShift.scaleMask;
}

function withScale(flags: number, scale: number): number {
  return (flags & ~(FlagShift.scaleMask << FlagShift.scale)) | (scale << FlagShift.scale);
}

/** Reads a SYN's window scale: gives what is known of this side's. Neither side scales unless both say so (RFC 7323 2.2). */
function readScale(
  words: Int32Array,
  other: number,
  view: DataView,
  tcp: number,
  end: number,
  flags: number,
): number {
  const option = findOption(view, tcp + Tcp.options, end, Option.windowScale);
  let scale: number = Scale.none;
  if (option >= 0 && option + 2 < end) scale = Scale.shift + Math.min(view.getUint8(option + 2), MAX_SCALE);
  if ((flags & TcpFlag.ack) === 0) return scale;
  const others = words[other + Side.flags]!;
  if (scale === Scale.none) words[other + Side.flags] = withScale(others, Scale.none);
  return scaleOf(others) === Scale.none ? Scale.none : scale;
}

/** Whether the first SACK block is of bytes that were acknowledged before: they came twice (RFC 2883). */
function saysDuplicate(view: DataView, tcp: number, end: number, ack: number): boolean {
  const option = findOption(view, tcp + Tcp.options, end, Option.sack);
  return option >= 0 && option + 10 <= end && after(view.getInt32(option + 6), ack) <= 0;
}

/** Where an option stands, or -1. */
function findOption(view: DataView, from: number, end: number, wanted: number): number {
  for (let at = from; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === wanted) return at;
    if (kind === Option.end) return -1;
    if (kind === Option.nothing) {
      at++;
      continue;
    }
    const length = at + 1 < end ? view.getUint8(at + 1) : 0;
    if (length < 2) return -1;
    at += length;
  }
  return -1;
}

/** Whether a segment says nothing that the state word does not say: most of them. */
export function isSettled(state: number, fromB: boolean, flags: number, length: number): boolean {
  const known = (length > 0 ? Complete.data : Complete.ack) << StateBits.completeness;
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
  const own = fromB ? StateBits.end : 0;
  const other = fromB ? 0 : StateBits.end;
  let from = (state >> own) & StateBits.endMask;
  let to = (state >> other) & StateBits.endMask;
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
    (from << own) |
    (to << other)
  );
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

/** State of end b or a. */
function endState(state: number, ofB: boolean): End {
  return (state >> (ofB ? StateBits.end : 0)) & StateBits.endMask;
}
