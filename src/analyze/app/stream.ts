/** Reassembles both sides of a TCP connection, as far as needed to follow its protocol. */

import { after } from "../tcp/sequence.js";
import { type Application, type Dialogue, Looks, MAX_HELD, type OverTcp, Read } from "./application.js";
import type { Spoken } from "./applications.js";
import { Exchanges, type RequestRoom } from "./exchanges.js";
import { Missed } from "./missed.js";
import type { Channel, Operations } from "./operations.js";
import { PROXY_SHORT, proxyLength } from "./proxy.js";

/** Segments of one side that may wait for one before them, and their bytes. */
const MAX_WAITING = 64;
const MAX_WAITING_BYTES = 262_144;
/**
 * Segments looked at for a message to begin with, where the connection began before the capture: so many in all, then those only that
 * come behind one of the other side, so many again.
 */
const MAX_TRIES = 32;
const MAX_UNTRIED = 65_536;
/** Bytes looked through for the next message behind one that cannot be read. */
const MAX_SCANNED = 1024 * 1024;
/** Of them, those that are looked at together: a message that they do not tell begins elsewhere. */
const MAX_BEGUN = 8192;
/** Bytes first tried to make a message whole that came in pieces. */
const MIN_PIECE = 512;

/**
 * So long after they were acknowledged bytes may still come that were sent before: two taps whose clocks differ, merged. What the other
 * side sends meanwhile waits for them.
 */
const LATE_US = 200_000;

/** Bytes further away than the largest window belong to another connection (RFC 7323 2.3). */
const MAX_WINDOW = 2 ** 30;

const LINE_FEED = 0x0a;

/** A stream's environment. */
export interface StreamHost extends RequestRoom {
  /** In the order they are asked. */
  readonly overTcp: readonly Spoken<OverTcp>[];
  readonly operations: Operations;
  /** Bytes that all streams together may hold back; less what they hold. */
  roomBytes: number;
  /** Gaps in followed connections. */
  gaps: number;
}

/** A segment that arrived before an earlier one. Owns its bytes. */
interface Waiting {
  readonly seq: number;
  readonly bytes: DataView;
  /** Bytes on the wire; more than `bytes` where the capture cut it. */
  readonly length: number;
  readonly timeUs: number;
  /** What it acknowledges. */
  readonly ack: number;
}

/** Whether a segment acknowledges what the other side has yet to be seen to send, and waits for it. */
function isEarly(other: StreamSide, ack: number): boolean {
  return !Number.isNaN(other.lateUs) && after(ack, other.expected) > 0;
}

/** What a side has next is missing, and does not just wait for the other side. */
function isHole(side: StreamSide): boolean {
  return side.waiting.length === 0 || after(side.waiting[0]!.seq, side.expected) > 0;
}

/** The name under which it is told what was missed: of a silent protocol, that of what it turns to. */
function countedAs({ name, isSilent, turnsTo }: Application): string {
  return isSilent && turnsTo ? countedAs(turnsTo) : name;
}

/** What a connection of a protocol may turn to; null: nothing. */
function turnOf({ application: { turnsTo } }: Spoken<OverTcp>): Spoken<OverTcp> | null {
  const over = turnsTo?.transports.tcp;
  return turnsTo && over ? { application: turnsTo, over } : null;
}

/** Bytes up to `to` were acknowledged and are not here. */
function awaitLate(side: StreamSide, to: number, nowUs: number): void {
  if (Number.isNaN(side.lateUs)) {
    side.lateUs = lateSince(side, nowUs);
    side.lateFirst = to;
    side.lateTo = to;
  } else if (after(to, side.lateTo) > 0) side.lateTo = to;
}

/** Does not wait after a gap, where a late segment would not help, nor without times. */
function lateSince(side: StreamSide, nowUs: number): number {
  return side.seeking || Number.isNaN(nowUs) ? Number.NEGATIVE_INFINITY : nowUs;
}

/** What was late has come, or is given up: what was acknowledged since is late from now on. */
function progress(side: StreamSide, nowUs: number): void {
  if (Number.isNaN(side.lateUs) || after(side.expected, side.lateFirst) < 0) return;
  side.lateFirst = side.lateTo;
  side.lateUs = after(side.lateTo, side.expected) > 0 ? lateSince(side, nowUs) : Number.NaN;
}

class StreamSide {
  /** Sequence number of the next byte to show; meaningless while not `begun`. */
  expected = 0;
  begun = false;
  /** Bytes to pass over. */
  skip = 0;
  /** A gap, or the capture's beginning, lies behind: go on where a message begins. */
  seeking: boolean;
  done = false;
  /** Nothing of it was shown yet: a proxy's header may come. */
  isFresh = true;
  /** Bytes looked through behind a message that could not be read; -1: it is read. */
  scanned = -1;
  /** While scanned: the next byte begins a line. */
  isLineStart = false;
  /** Bytes of the message that is not whole, from its first. */
  held: DataView | null = null;
  heldLength = 0;
  heldUs = 0;
  /** In order of their sequence numbers. */
  waiting: Waiting[] = [];
  waitingBytes = 0;
  /** It is being read: what it holds is not to be read once more. */
  isRead = false;
  /** Bytes up to `lateTo` were acknowledged and are not here; since when (up to `lateFirst`), NaN: none. */
  lateUs = Number.NaN;
  lateFirst = 0;
  lateTo = 0;
  /** Where it ended in order; null: it has not. */
  endsAt: number | null = null;

  constructor(seeking: boolean) {
    this.seeking = seeking;
  }
}

/**
 * Follows one connection. Told of every segment that carries something, and of every acknowledgement while something waits;
 * shows the bytes to the dialogue of the protocol it recognises. Holds copies only of what came too early and of unfinished messages.
 */
export class Stream {
  /** The first of its protocols of which something is counted; null: none was recognised (yet). */
  application: Application | null = null;
  /** Nothing more can be learnt from it: it needs no further segments. */
  done = false;
  readonly #host: StreamHost;
  readonly #channelOf: (clientIsB: boolean) => Channel;
  readonly #a: StreamSide;
  readonly #b: StreamSide;
  /** Whether the handshake said who is the client. */
  readonly #isCertain: boolean;
  #clientIsB: boolean;
  #protocol: Spoken<OverTcp> | null = null;
  /** What it can be. */
  #candidates: readonly Spoken<OverTcp>[];
  #exchanges: Exchanges | null = null;
  #dialogue: Dialogue | null = null;
  /** What the segment acknowledges that is told of; null: nothing. */
  #ack: number | null = null;
  #tries = 0;
  #turns = 0;
  #lastFromB: boolean | null = null;

  /**
   * `clientIsB`: who is thought to have begun; `isCertain`: the handshake was seen, so that the first bytes are the first. `channelOf`
   * is asked once, when a protocol is recognised.
   */
  constructor(
    host: StreamHost,
    clientIsB: boolean,
    isCertain: boolean,
    channelOf: (clientIsB: boolean) => Channel,
  ) {
    this.#host = host;
    this.#candidates = host.overTcp;
    this.#clientIsB = clientIsB;
    this.#isCertain = isCertain;
    this.#channelOf = channelOf;
    this.#a = new StreamSide(!isCertain);
    this.#b = new StreamSide(!isCertain);
  }

  /** Requests that wait for their answers. */
  get open(): number {
    return this.#exchanges?.count ?? 0;
  }

  /** Says where a side's first byte is: its initial sequence number and one. */
  begin(fromB: boolean, seq: number): void {
    const side = fromB ? this.#b : this.#a;
    if (side.begun) return;
    side.begun = true;
    side.expected = seq;
  }

  /**
   * What a side sends: bytes [at, end) were captured of `length` from sequence number `seq` on. Borrows them. Tell `acknowledge` of the
   * same segment first.
   */
  send(
    fromB: boolean,
    seq: number,
    view: DataView,
    at: number,
    end: number,
    length: number,
    nowUs: number,
  ): void {
    const side = fromB ? this.#b : this.#a;
    if (this.done || side.done) return;
    if (!side.begun) this.begin(fromB, seq);
    const ahead = after(seq, side.expected);
    if (ahead > MAX_WINDOW || ahead < -MAX_WINDOW) return;
    const other = fromB ? this.#a : this.#b;
    const ack = this.#ack ?? other.expected;
    if (ahead > 0 || isEarly(other, ack)) {
      this.#wait(fromB, side, seq, view, at, end, length, nowUs, ack);
      return;
    }
    this.#take(fromB, side, seq, view, at, end, length, nowUs);
    this.#drainBoth();
  }

  /** A side acknowledges what came before `ack`: what of it has not been captured soon never will be. */
  acknowledge(fromB: boolean, ack: number, nowUs: number): void {
    if (this.done) return;
    this.#ack = ack;
    this.expire(nowUs);
    const side = fromB ? this.#a : this.#b;
    if (this.done || side.done) return;
    if (!side.begun) {
      this.begin(!fromB, ack);
      return;
    }
    if (after(ack, side.expected) > MAX_WINDOW) return;
    // A FIN takes a sequence number too: where none was seen, one more than expected may be that.
    const { endsAt } = side;
    const last = endsAt !== null && after(ack, endsAt) > 0 ? endsAt : ack;
    if (after(last, side.expected) > (endsAt === null ? 1 : 0)) {
      awaitLate(side, last, nowUs);
      this.expire(nowUs);
    }
    if (endsAt !== null && after(endsAt, side.expected) <= 0 && !side.done) this.#end(side);
  }

  /** Gives up what is late for too long. */
  expire(nowUs: number): void {
    while (!this.done) {
      const isB = this.#isNextLate(this.#b, this.#a);
      const side = isB ? this.#b : this.#a;
      if (side.lateUs !== Number.NEGATIVE_INFINITY && !(nowUs - side.lateUs >= LATE_US)) return;
      // Where each side waits for the other, the one goes on that waited longer.
      if (isHole(side)) this.#missLate(isB, side, nowUs);
      else this.#takeFirst(isB, side);
      this.#drainBoth();
    }
  }

  /** Whether of two sides the first is given up first: bytes of it are missing, or it is late for longer. */
  #isNextLate(side: StreamSide, other: StreamSide): boolean {
    if (Number.isNaN(side.lateUs) || Number.isNaN(other.lateUs)) return Number.isNaN(other.lateUs);
    if (isHole(side) !== isHole(other)) return isHole(side);
    return side.lateUs < other.lateUs;
  }

  #missLate(fromB: boolean, side: StreamSide, nowUs: number): void {
    // No more than the other side's next segment waits for: what it says comes before the rest.
    const limits = [side.waiting[0]?.seq, (fromB ? this.#a : this.#b).waiting[0]?.ack];
    let to = side.lateTo;
    for (const limit of limits)
      if (limit !== undefined && after(limit, side.expected) > 0 && after(limit, to) < 0) to = limit;
    if (!side.done && after(to, side.expected) > 0) {
      this.#miss(fromB, side, after(to, side.expected));
      side.expected = to;
    }
    if (side.done) side.lateUs = Number.NaN;
    else progress(side, Number.isFinite(nowUs) ? nowUs : side.lateUs);
  }

  /** Nothing comes any more: gives up what is late. */
  settle(): void {
    this.expire(Number.POSITIVE_INFINITY);
  }

  /** A side says that sequence number `seq` is its last (FIN). */
  finish(fromB: boolean, seq: number): void {
    const side = fromB ? this.#b : this.#a;
    if (this.done || side.endsAt !== null) return;
    side.endsAt = seq;
    if (side.begun && after(seq, side.expected) === 0) this.#end(side);
  }

  /** The connection has ended: frees everything it holds. */
  close(): void {
    if (!this.done) this.settle();
    this.#close();
  }

  #close(): void {
    this.#release(this.#a);
    this.#release(this.#b);
    if (!this.done) {
      this.#dialogue?.end();
      this.#exchanges?.close();
    }
    this.done = true;
  }

  /** It is dropped for lack of room: the results of its waiting requests are unknown. */
  abandon(): void {
    if (!this.done) this.settle();
    if (!this.done && this.#protocol !== null && !this.#protocol.application.isSilent)
      this.#giveUp(Missed.connectionRoom);
    else this.#close();
  }

  #end(side: StreamSide): void {
    side.done = true;
    if (this.#a.done && this.#b.done) this.#close();
  }

  #missed(missed: Missed): void {
    this.#host.operations.missed.add(this.#protocol && countedAs(this.#protocol.application), missed);
  }

  #gap(): void {
    this.#host.gaps++;
    this.#missed(Missed.gap);
  }

  /** Keeps a copy of a segment that came too early, or makes a gap of what lies before the earliest. */
  #wait(
    fromB: boolean,
    side: StreamSide,
    seq: number,
    view: DataView,
    at: number,
    end: number,
    length: number,
    timeUs: number,
    ack: number,
  ): void {
    const bytes = end - at;
    let place = side.waiting.length;
    while (place > 0 && after(side.waiting[place - 1]!.seq, seq) > 0) place--;
    const before = side.waiting[place - 1];
    if (before && before.seq === seq && before.length >= length) return;
    const isFull = side.waiting.length >= MAX_WAITING || side.waitingBytes + bytes > MAX_WAITING_BYTES;
    if (isFull || this.#host.roomBytes < bytes) {
      // The hole is given up, of either side: what waits is shown, then this.
      this.settle();
      if (this.done || side.done) return;
      if (after(seq, side.expected) <= 0) {
        this.#ack = null;
        this.send(fromB, seq, view, at, end, length, timeUs);
        return;
      }
      const to = side.waiting.length > 0 && place > 0 ? side.waiting[0]!.seq : seq;
      this.#miss(fromB, side, after(to, side.expected));
      side.expected = to;
      this.#drain(fromB, side);
      this.send(fromB, seq, view, at, end, length, timeUs);
      return;
    }
    const copy = new Uint8Array(bytes);
    copy.set(new Uint8Array(view.buffer, view.byteOffset + at, bytes));
    side.waiting.splice(place, 0, { seq, bytes: new DataView(copy.buffer), length, timeUs, ack });
    side.waitingBytes += bytes;
    this.#host.roomBytes -= bytes;
  }

  /** Shows the segments of both sides that wait no longer, in the order in which one acknowledges the other. */
  #drainBoth(): void {
    while (!this.done && (this.#drain(false, this.#a) || this.#drain(true, this.#b)));
  }

  /** Shows the segments of a side that wait no longer. False: there were none. */
  #drain(fromB: boolean, side: StreamSide): boolean {
    const other = fromB ? this.#a : this.#b;
    let isAny = false;
    while (!this.done && !side.done && side.waiting.length > 0) {
      const { seq, ack } = side.waiting[0]!;
      if (after(seq, side.expected) > 0 || isEarly(other, ack)) break;
      this.#takeFirst(fromB, side);
      isAny = true;
    }
    return isAny;
  }

  #takeFirst(fromB: boolean, side: StreamSide): void {
    const { seq, bytes, length, timeUs } = side.waiting.shift()!;
    side.waitingBytes -= bytes.byteLength;
    this.#host.roomBytes += bytes.byteLength;
    this.#take(fromB, side, seq, bytes, 0, bytes.byteLength, length, timeUs);
  }

  /** Takes a segment that begins at or before what is expected. */
  #take(
    fromB: boolean,
    side: StreamSide,
    seq: number,
    view: DataView,
    at: number,
    end: number,
    length: number,
    nowUs: number,
  ): void {
    const old = after(side.expected, seq);
    if (old >= length) return;
    side.expected = (seq + length) >>> 0;
    progress(side, nowUs);
    const from = Math.min(at + old, end);
    if (from < end) this.#show(fromB, side, view, from, end, nowUs);
    // What the capture cut off is a hole that will not be filled.
    const cut = length - Math.max(end - at, old);
    if (cut > 0 && !this.done && !side.done) this.#miss(fromB, side, cut);
    if (side.endsAt !== null && after(side.endsAt, side.expected) <= 0 && !this.done && !side.done)
      this.#end(side);
  }

  /** Skips bytes that will never be captured. */
  #miss(fromB: boolean, side: StreamSide, bytes: number): void {
    if (side.skip >= bytes) {
      side.skip -= bytes;
      return;
    }
    side.skip = 0;
    this.#dropHeld(side);
    side.isFresh = false;
    if (this.#protocol?.application.isSilent) this.#leave(this.#protocol);
    if (!side.seeking && this.#protocol !== null) this.#gap();
    side.seeking = true;
    side.scanned = -1;
    this.#lose(fromB);
  }

  /** Bytes are missing in a protocol without counts: searches only for the protocol that it switches to. */
  #leave(protocol: Spoken<OverTcp>): void {
    this.#dialogue!.end();
    this.#exchanges!.close();
    this.#protocol = this.#exchanges = this.#dialogue = null;
    const turn = turnOf(protocol);
    this.#candidates = turn ? [turn] : [];
    for (const side of [this.#a, this.#b]) {
      this.#dropHeld(side);
      side.seeking = true;
    }
  }

  /** Messages of a side may have gone by unseen. */
  #lose(fromB: boolean): void {
    const fromClient = fromB === this.#clientIsB;
    if (fromClient) this.#exchanges?.lose();
    else this.#exchanges?.loseAnswers();
    this.#dialogue?.lost(fromClient);
  }

  #show(fromB: boolean, side: StreamSide, view: DataView, at: number, end: number, nowUs: number): void {
    const passed = Math.min(side.skip, end - at);
    side.skip -= passed;
    const from = at + passed;
    if (from === end) return;
    if (side.isFresh) {
      const bytes = this.#proxyBytes(side, view, from, end, nowUs);
      if (bytes < 0) return;
      if (bytes > 0) {
        side.skip = bytes;
        this.#show(fromB, side, view, from, end, nowUs);
        return;
      }
    }
    if (this.#protocol === null && !this.#recognise(fromB, side, view, from, end, nowUs)) return;
    if (side.seeking) {
      if (this.#isMessage(this.#protocol!, fromB, view, from, end)) side.seeking = false;
      else if (this.#isTurn(fromB, view, from, end)) this.#turn(fromB, side, nowUs);
      else {
        // A message may be in what is passed over.
        this.#lose(fromB);
        return;
      }
      if (this.done || side.done) return;
    }
    this.#feed(fromB, side, view, from, end, nowUs);
  }

  /** Bytes from `at` on, behind those held, that a proxy has put before the side's own; PROXY_SHORT: all is held until more come. */
  #proxyBytes(side: StreamSide, view: DataView, at: number, end: number, nowUs: number): number {
    const before = side.heldLength;
    let bytes: number;
    if (before === 0) bytes = proxyLength(view, at, end);
    else {
      if (!this.#hold(side, view, at, Math.min(end, at + MIN_PIECE), nowUs)) return 0;
      bytes = proxyLength(side.held!, 0, side.heldLength);
      side.heldLength = before;
    }
    if (bytes === PROXY_SHORT) {
      if (this.#hold(side, view, at, end, nowUs)) return PROXY_SHORT;
      bytes = 0;
    }
    if (bytes > 0) this.#dropHeld(side);
    // Within a connection each segment is tried until the protocol is known.
    else side.isFresh = !this.#isCertain && this.#protocol === null;
    return Math.max(0, bytes - before);
  }

  /** Whether a message of that side begins here. */
  #isMessage({ over }: Spoken<OverTcp>, fromB: boolean, view: DataView, at: number, end: number): boolean {
    const fromClient = fromB === this.#clientIsB;
    const looks = over.looks(view, at, end, fromClient, true);
    return looks === (fromClient ? Looks.request : Looks.response);
  }

  /** Whether behind a gap the client begins what this protocol turns to. */
  #isTurn(fromB: boolean, view: DataView, at: number, end: number): boolean {
    const turn = turnOf(this.#protocol!);
    return turn !== null && fromB === this.#clientIsB && this.#isMessage(turn, fromB, view, at, end);
  }

  /** Looks for a protocol that these bytes, after those held, can be the beginning of. True: found, and they are still to be shown. */
  #recognise(
    fromB: boolean,
    side: StreamSide,
    view: DataView,
    at: number,
    end: number,
    nowUs: number,
  ): boolean {
    const before = side.heldLength;
    const piece = Math.min(end - at, MAX_HELD - before);
    if (!this.#isTried(fromB)) return false;
    if (before > 0 && !this.#hold(side, view, at, at + piece, nowUs)) {
      this.#giveUp(Missed.messageRoom);
      return false;
    }
    const [seen, from, to] =
      before > 0 ? ([side.held!, 0, side.heldLength] as const) : ([view, at, end] as const);
    const fromClient = fromB === this.#clientIsB;
    const isMidway = !this.#isCertain || side.seeking;
    let isOpen = false;
    for (const spoken of this.#candidates) {
      const looks = spoken.over.looks(seen, from, to, fromClient, isMidway);
      if (looks === Looks.short) isOpen = true;
      // What a stricter one may be is waited for: it is the same protocol in whatever segments it comes.
      if (looks === Looks.short && !isMidway) break;
      if (looks === Looks.no || looks === Looks.short) continue;
      if (this.#isCertain && (looks === Looks.request) !== fromClient) continue;
      this.#clientIsB = looks === Looks.request ? fromB : !fromB;
      side.heldLength = before;
      return this.#follow(spoken, fromB, side, nowUs);
    }
    if (this.#isCertain && !side.seeking) {
      if (!isOpen || (before > 0 && at + piece < end)) this.#close();
      else if (side.heldLength === 0 && !this.#hold(side, view, at, end, nowUs))
        this.#giveUp(Missed.messageRoom);
    }
    return false;
  }

  /** Whether a segment is looked at, where the connection began before the capture; closes it after too many. */
  #isTried(fromB: boolean): boolean {
    if (this.#isCertain && !this.#a.seeking && !this.#b.seeking) return true;
    const isTurn = this.#lastFromB !== null && this.#lastFromB !== fromB;
    this.#lastFromB = fromB;
    if (this.#tries++ < MAX_TRIES) return true;
    if ((isTurn && ++this.#turns > MAX_TRIES) || this.#tries > MAX_UNTRIED) this.#close();
    return isTurn && !this.done;
  }

  /** Begins to follow the protocol. True: the segment is still to be shown, after what this side holds; what the other holds is shown here. */
  #follow(spoken: Spoken<OverTcp>, fromB: boolean, side: StreamSide, nowUs: number): boolean {
    this.#protocol = spoken;
    const { application, over } = spoken;
    const isCounted = !application.isSilent;
    if (isCounted) this.application ??= application;
    const channel = isCounted ? this.#channelOf(this.#clientIsB) : -1;
    if (channel < 0 && isCounted) this.#missed(Missed.pairRoom);
    this.#exchanges = new Exchanges(this.#host.operations, channel, countedAs(application), this.#host);
    this.#exchanges.isMidway = !this.#isCertain;
    // Requests may lie before what is seen: in a gap, or before the capture.
    const isGap = this.#isCertain && (this.#a.seeking || this.#b.seeking);
    if (isGap && isCounted) this.#gap();
    if (isGap || (!this.#isCertain && over.isPipelined)) this.#exchanges.lose();
    this.#dialogue = over.open(this.#exchanges);
    if (this.#dialogue === null) {
      this.#close();
      return false;
    }
    side.seeking = false;
    this.#readHeld(!fromB, fromB ? this.#a : this.#b, nowUs);
    return !this.done;
  }

  #feed(fromB: boolean, side: StreamSide, view: DataView, at: number, end: number, nowUs: number): void {
    const from = side.heldLength > 0 ? this.#complete(fromB, side, view, at, end, nowUs) : at;
    if (from === end || this.done || side.done) return;
    const used = this.#read(fromB, side, view, from, end, nowUs, nowUs);
    if (used < end && !this.done && !side.done && !this.#hold(side, view, used, end, nowUs))
      this.#cannotHold(fromB, side, end - used);
  }

  /** Appends to what is held, no more than makes it a whole message, and reads it. Returns where the rest begins: `end`, if all is held. */
  #complete(
    fromB: boolean,
    side: StreamSide,
    view: DataView,
    at: number,
    end: number,
    nowUs: number,
  ): number {
    let from = at;
    while (side.heldLength > 0 && from < end) {
      const piece = Math.min(end - from, Math.max(MIN_PIECE, side.heldLength), MAX_HELD - side.heldLength);
      if (piece === 0 || !this.#hold(side, view, from, from + piece, nowUs)) {
        this.#cannotHold(fromB, side, piece);
        return end;
      }
      from += piece;
      this.#readHeld(fromB, side, nowUs);
      if (this.done || side.done) return end;
      if (side.heldLength > 0 && side.heldLength <= piece) {
        // What is left of it begins in this segment: it is read where it lies.
        from -= side.heldLength;
        this.#dropHeld(side);
      }
      const passed = Math.min(side.skip, end - from);
      side.skip -= passed;
      from += passed;
    }
    return from;
  }

  /** Reads what a side holds, as far as it can be read. */
  #readHeld(fromB: boolean, side: StreamSide, nowUs: number): void {
    if (this.done || side.done || side.isRead || side.heldLength === 0) return;
    const used = this.#read(fromB, side, side.held!, 0, side.heldLength, side.heldUs, nowUs);
    if (this.done || side.done) return;
    if (used > 0) {
      const left = side.heldLength - used;
      if (left > 0) new Uint8Array(side.held!.buffer).copyWithin(0, used, side.heldLength);
      side.heldLength = left;
      side.heldUs = nowUs;
      if (left === 0) this.#dropHeld(side);
    }
  }

  /** Both sides go on in the protocol that this one turns to. */
  #turn(fromB: boolean, side: StreamSide, nowUs: number): void {
    this.#dialogue!.end();
    this.#exchanges!.close();
    for (const one of [this.#a, this.#b])
      if (one.scanned >= 0) {
        one.scanned = -1;
        one.seeking = true;
        this.#dropHeld(one);
      }
    this.#follow(turnOf(this.#protocol!)!, fromB, side, nowUs);
  }

  /** Lets the dialogue read as far as possible. Returns where it stopped. */
  #read(
    fromB: boolean,
    side: StreamSide,
    view: DataView,
    at: number,
    end: number,
    firstUs: number,
    nowUs: number,
  ): number {
    side.isRead = true;
    const stopped = this.#readOn(fromB, side, view, at, end, firstUs, nowUs);
    side.isRead = false;
    return stopped;
  }

  #readOn(
    fromB: boolean,
    side: StreamSide,
    view: DataView,
    at: number,
    end: number,
    firstUs: number,
    nowUs: number,
  ): number {
    let from = at;
    const fromClient = fromB === this.#clientIsB;
    while (from < end) {
      if (side.scanned >= 0) {
        from = this.#scan(side, view, from, end, fromClient);
        if (this.done) return end;
        if (side.scanned >= 0) return from;
      }
      const n = this.#dialogue!.read(fromClient, view, from, end, from === at ? firstUs : nowUs, nowUs);
      if (n === Read.more) return from;
      if (n === Read.broken) {
        this.#resume(fromB, side, Missed.unreadable, view.getUint8(from));
        if (this.done) return end;
        from++;
        continue;
      }
      if (n === Read.foreign) {
        this.#close();
        return end;
      }
      if (n === Read.enough) {
        side.done = true;
        this.#release(side);
        if (this.#a.done && this.#b.done) this.#close();
        return end;
      }
      if (n === Read.turns) {
        this.#turn(fromB, side, nowUs);
        if (this.done || side.done) return end;
        continue;
      }
      side.skip = Math.max(0, n - (end - from));
      from = Math.min(end, from + n);
      if (!fromClient && this.#protocol!.application.turnsTo) {
        this.#readHeld(!fromB, fromB ? this.#a : this.#b, nowUs);
        if (this.done || side.done) return end;
      }
    }
    return end;
  }

  /** Appends bytes to those held. False: too many, or no room. */
  #hold(side: StreamSide, view: DataView, at: number, end: number, nowUs: number): boolean {
    const length = side.heldLength + end - at;
    if (length > MAX_HELD) return false;
    const had = side.held?.byteLength ?? 0;
    if (length > had) {
      const size = Math.max(64, 2 ** Math.ceil(Math.log2(length)));
      if (this.#host.roomBytes < size - had) return false;
      this.#host.roomBytes -= size - had;
      const larger = new Uint8Array(size);
      if (side.held) larger.set(new Uint8Array(side.held.buffer, 0, side.heldLength));
      side.held = new DataView(larger.buffer);
    }
    if (side.heldLength === 0) side.heldUs = nowUs;
    new Uint8Array(side.held!.buffer).set(
      new Uint8Array(view.buffer, view.byteOffset + at, end - at),
      side.heldLength,
    );
    side.heldLength = length;
    return true;
  }

  #dropHeld(side: StreamSide): void {
    this.#host.roomBytes += side.held?.byteLength ?? 0;
    side.held = null;
    side.heldLength = 0;
  }

  /** A message is missed: searches for the next one after `last`, a byte of this one. */
  #resume(fromB: boolean, side: StreamSide, missed: Missed, last: number): void {
    if (this.#protocol!.over.resumes === undefined) {
      this.#giveUp(missed);
      return;
    }
    this.#missed(missed);
    side.scanned = 0;
    side.isLineStart = last === LINE_FEED;
    this.#exchanges!.lose();
    this.#dialogue!.lost(fromB === this.#clientIsB);
  }

  #cannotHold(fromB: boolean, side: StreamSide, bytes: number): void {
    const isLarge = side.heldLength + bytes > MAX_HELD;
    this.#dropHeld(side);
    this.#resume(fromB, side, isLarge ? Missed.tooLarge : Missed.messageRoom, 0);
  }

  /**
   * Looks for the next message in bytes that cannot be read. Returns where it begins; while `scanned` is not -1: from where on bytes are
   * looked through again with what follows.
   */
  #scan(side: StreamSide, view: DataView, at: number, end: number, fromClient: boolean): number {
    const { over } = this.#protocol!;
    const isAnywhere = over.resumes === "byte";
    const wanted = fromClient ? Looks.request : Looks.response;
    const last = Math.min(end, at + MAX_SCANNED - side.scanned);
    for (let i = at; i < last; i++) {
      if (isAnywhere || (i === at ? side.isLineStart : view.getUint8(i - 1) === LINE_FEED)) {
        const to = Math.min(end, i + MAX_BEGUN);
        const looks = over.tells?.(view, i, to, fromClient) ?? over.looks(view, i, to, fromClient, true);
        if (looks === wanted) {
          side.scanned = -1;
          // How many messages were passed over is not known.
          this.#exchanges!.lose();
          return i;
        }
        if (looks === Looks.short && end - i < MAX_BEGUN) {
          side.scanned += i - at;
          side.isLineStart = true;
          return i;
        }
      }
    }
    side.isLineStart = view.getUint8(last - 1) === LINE_FEED;
    side.scanned += last - at;
    if (side.scanned === MAX_SCANNED) this.#giveUp(Missed.givenUp);
    return last;
  }

  /** Nothing more is read of it. */
  #giveUp(missed: Missed): void {
    this.#missed(missed);
    this.#exchanges?.lose();
    this.#close();
  }

  #release(side: StreamSide): void {
    this.#dropHeld(side);
    this.#host.roomBytes += side.waitingBytes;
    side.waiting = [];
    side.waitingBytes = 0;
  }
}
