/**
 * What one TCP segment says of its connection: lost, again, out of order, duplicate, no room. The hot path of the TCP analysis.
 *
 * The readings are those of Wireshark's TCP analysis (its User's Guide, "TCP Analysis"), so that counts can be compared: each segment is
 * judged against the highest sequence number, the last acknowledgement and the last window seen, modulo 2^32.
 */
import { type Headers, TcpFlag } from "../flow/headers.js";
import { after } from "./sequence.js";
import { Layout, NO_TIME, Scale, Shared, Side, SideFlag, type TcpStore } from "./store.js";

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

/**
 * Counts a segment of side b (`fromB`) or a in entry `entry`, at the time of the store's clock. Its header is at `headers.transport` of
 * `view`, all of its fixed part captured.
 */
export function countSegment(
  store: TcpStore,
  entry: number,
  fromB: boolean,
  view: DataView,
  headers: Headers,
): void {
  const tcp = headers.transport;
  const flags = headers.tcpFlags;
  const length = headers.payloadLength;
  const now = store.clock[0]!;
  const { words, doubles } = store;
  const at = entry * Layout.words;
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
    if (window === 0 && isQuiet) words[own + Side.zeroWindows]!++;
    if (nextSeq !== 0 && after(seq, nextSeq) > 0 && (flags & TcpFlag.rst) === 0) words[own + Side.gaps]!++;
    if (length <= 1 && seq === ((nextSeq - 1) | 0) && isQuiet) {
      marks |= SideFlag.keepAlive;
      words[own + Side.keepAlives]!++;
    }
    if (length > 0 && isQuiet && fillsWindow(words, other, seq + length)) words[own + Side.windowFull]!++;
    if (
      length === 0 &&
      window !== 0 &&
      window === words[own + Side.window] &&
      seq === nextSeq &&
      ack === words[own + Side.lastAck] &&
      isQuiet &&
      (words[other + Side.flags]! & SideFlag.keepAlive) === 0
    ) {
      const duplicates = marks >> SideFlag.bits;
      marks = withDuplicates(marks, duplicates < 0 ? 1 : Math.min(duplicates + 1, MAX_DUPLICATES));
      words[own + Side.duplicateAcks]!++;
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
      isNew = judge(words, doubles, at, own, other, seq, length, next, now);
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
  if (window === 0 ? isQuiet : words[own + Side.window] === 0) changeZeroWindow(doubles, own, window, now);
  words[own + Side.window] = window;

  if ((flags & TcpFlag.syn) !== 0) {
    marks |= SideFlag.unscaled;
    readScale(words, own, other, view, tcp, Math.min(headers.end, headers.payload), flags);
    if ((flags & TcpFlag.ack) !== 0) doubles[(at + Shared.synAckTime) >> 1] = now;
    else {
      doubles[(at + Shared.synTime) >> 1] = now;
      if (doubles[(at + Shared.handshake) >> 1]! === 0) words[at + Shared.isOpening] = 1;
    }
  } else if ((flags & TcpFlag.ack) !== 0) {
    marks &= ~SideFlag.unscaled;
    if (words[at + Shared.isOpening] !== 0) endHandshake(words, doubles, at, now);
    if (
      headers.payload - tcp > PLAIN_HEADER &&
      saysDuplicate(view, tcp, Math.min(headers.end, headers.payload), ack)
    )
      words[other + Side.duplicated]!++;
  }
  if ((flags & TcpFlag.rst) !== 0) {
    words[own + Side.resets]!++;
    doubles[(at + Shared.lastReset) >> 1] = now;
  }
  words[own + Side.flags] = marks;
}

/** The flags with another number of duplicate acknowledgements. */
function withDuplicates(flags: number, duplicates: number): number {
  return (flags & SideFlag.mask) | (duplicates << SideFlag.bits);
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
): boolean {
  const nextSeq = words[own + Side.nextSeq]!;
  const lastAck = words[other + Side.lastAck]!;
  // One byte before, and more than one: new data after the probe of a zero window.
  const isOld = nextSeq !== 0 && after(seq, nextSeq) < 0 && !(length > 1 && seq === ((nextSeq - 1) | 0));
  if (length > 0 && lastAck !== 0 && after((seq + length) | 0, lastAck) <= 0) {
    words[own + Side.spurious]!++;
    return false;
  }
  if (!isOld) return true;
  // Less than 0: of what was not captured, so duplicates may not have been either.
  const sinceAck = (toUs(now) - words[other + Side.lastAckUs]!) | 0;
  if (
    (words[other + Side.flags]! >> SideFlag.bits) >>> 0 >= FAST_DUPLICATES &&
    lastAck === seq &&
    sinceAck >= 0 &&
    sinceAck < FAST_US
  ) {
    words[own + Side.fast]!++;
    return false;
  }
  const handshake = doubles[(at + Shared.handshake) >> 1]!;
  const since = now - doubles[(own + Side.nextSeqTime) >> 1]!;
  if (next !== nextSeq && isWithin(since, handshake === 0 ? REORDERED_NS : handshake)) {
    words[own + Side.outOfOrder]!++;
    return false;
  }
  words[own + Side.retransmissions]!++;
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
  if (now !== synTime) words[at + Shared.isOpening] = 0;
}

/** Whether a segment that ends before `end` goes all the way to the edge of the window that the other side last offered. */
function fillsWindow(words: Int32Array, other: number, end: number): boolean {
  const scale = words[other + Side.scale]!;
  const window = words[other + Side.window]!;
  if (scale === Scale.unknown || window < 0) return false;
  const isScaled = scale !== Scale.none && (words[other + Side.flags]! & SideFlag.unscaled) === 0;
  return ((words[other + Side.lastAck]! + (isScaled ? window << scale : window) - end) | 0) === 0;
}

/** A side's window becomes 0, or is open again. */
function changeZeroWindow(doubles: Float64Array, own: number, window: number, now: number): void {
  const since = doubles[(own + Side.zeroSince) >> 1]!;
  if (window === 0) {
    if (since < 0) doubles[(own + Side.zeroSince) >> 1] = now;
    return;
  }
  if (since < 0) return;
  doubles[(own + Side.zeroTime) >> 1] = doubles[(own + Side.zeroTime) >> 1]! + Math.max(0, now - since);
  doubles[(own + Side.zeroSince) >> 1] = NO_TIME;
}

/** Reads a SYN's window scale. Neither side scales unless both say so (RFC 7323 2.2). */
function readScale(
  words: Int32Array,
  own: number,
  other: number,
  view: DataView,
  tcp: number,
  end: number,
  flags: number,
): void {
  const option = findOption(view, tcp + Tcp.options, end, Option.windowScale);
  let scale: number = Scale.none;
  if (option >= 0 && option + 2 < end) scale = Math.min(view.getUint8(option + 2), MAX_SCALE);
  if ((flags & TcpFlag.ack) !== 0) {
    if (scale === Scale.none) words[other + Side.scale] = Scale.none;
    else if (words[other + Side.scale] === Scale.none) scale = Scale.none;
  }
  words[own + Side.scale] = scale;
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
