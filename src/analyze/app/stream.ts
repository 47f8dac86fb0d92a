/** One TCP connection's two sides put in order, as far as needed to follow what is said over it. */

import { after } from "../tcp/sequence.js";
import {
  type Application,
  type ApplicationName,
  type Dialogue,
  Looks,
  MAX_HELD,
  Read,
} from "./application.js";
import { Exchanges } from "./exchanges.js";
import type { Channel, Operations } from "./operations.js";

/** Segments of one side that may wait for one before them, and their bytes. */
const MAX_WAITING = 64;
const MAX_WAITING_BYTES = 262_144;
/** Segments looked at for a message to begin with, where the connection began before the capture. */
const MAX_TRIES = 32;
/** Bytes first tried to make a message whole that came in pieces. */
const MIN_PIECE = 512;

/** What lies further away than the largest window is not of this connection (RFC 7323 2.3). */
const MAX_WINDOW = 2 ** 30;

/** What a stream needs of the outside. */
export interface StreamHost {
  readonly applications: readonly Application[];
  readonly operations: Operations;
  /** Bytes that all streams together may hold back; less what they hold. */
  roomBytes: number;
  /** Holes in what was captured, where something was being followed. */
  gaps: number;
}

/** A segment that came before the one before it. Owns its bytes. */
interface Waiting {
  readonly seq: number;
  readonly bytes: DataView;
  /** Bytes on the wire; more than `bytes` where the capture cut it. */
  readonly length: number;
  readonly timeUs: number;
}

class Side {
  /** Sequence number of the next byte to show; meaningless while not `begun`. */
  expected = 0;
  begun = false;
  /** Bytes to pass over. */
  skip = 0;
  /** A gap, or the capture's beginning, lies behind: go on where a message begins. */
  seeking: boolean;
  done = false;
  /** Bytes of the message that is not whole, from its first. */
  held: DataView | null = null;
  heldLength = 0;
  heldUs = 0;
  /** In order of their sequence numbers. */
  waiting: Waiting[] = [];
  waitingBytes = 0;
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
  /** null: not recognised (yet). */
  application: ApplicationName | null = null;
  /** Nothing more is to be had of it: it need not be told anything. */
  done = false;
  readonly #host: StreamHost;
  readonly #channelOf: (clientIsB: boolean) => Channel;
  readonly #a: Side;
  readonly #b: Side;
  /** Whether the handshake said who is the client. */
  readonly #isCertain: boolean;
  #clientIsB: boolean;
  #protocol: Application | null = null;
  #exchanges: Exchanges | null = null;
  #dialogue: Dialogue | null = null;
  #tries = 0;

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
    this.#clientIsB = clientIsB;
    this.#isCertain = isCertain;
    this.#channelOf = channelOf;
    this.#a = new Side(!isCertain);
    this.#b = new Side(!isCertain);
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
    if (ahead > 0) {
      this.#wait(fromB, side, seq, view, at, end, length, nowUs);
      return;
    }
    this.#take(fromB, side, seq, view, at, end, length, nowUs);
    this.#drain(fromB, side);
  }

  /** A side acknowledges what came before `ack`: what of it was not captured never will be. */
  acknowledge(fromB: boolean, ack: number): void {
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
    while (after(last, side.expected) > (endsAt === null ? 1 : 0)) {
      const first = side.waiting[0];
      const to = first && after(first.seq, last) < 0 ? first.seq : last;
      this.#miss(!fromB, side, after(to, side.expected));
      side.expected = to;
      this.#drain(!fromB, side);
      if (this.done || side.done) return;
    }
    if (endsAt !== null && after(endsAt, side.expected) <= 0) side.done = true;
  }

  /** A side says that sequence number `seq` is its last (FIN). */
  finish(fromB: boolean, seq: number, nowUs: number): void {
    const side = fromB ? this.#b : this.#a;
    if (this.done || side.endsAt !== null) return;
    side.endsAt = seq;
    if (side.begun && after(seq, side.expected) === 0) this.#end(fromB, side, nowUs);
  }

  /** The connection is over or forgotten: gives back what it holds. */
  close(): void {
    this.#release(this.#a);
    this.#release(this.#b);
    this.done = true;
  }

  #end(fromB: boolean, side: Side, nowUs: number): void {
    if (!side.seeking) this.#dialogue?.end(fromB === this.#clientIsB, nowUs);
    side.done = true;
  }

  /** Keeps a copy of a segment that came too early, or makes a gap of what lies before the earliest. */
  #wait(
    fromB: boolean,
    side: Side,
    seq: number,
    view: DataView,
    at: number,
    end: number,
    length: number,
    timeUs: number,
  ): void {
    const bytes = end - at;
    let place = side.waiting.length;
    while (place > 0 && after(side.waiting[place - 1]!.seq, seq) > 0) place--;
    const before = side.waiting[place - 1];
    if (before && before.seq === seq && before.length >= length) return;
    const isFull = side.waiting.length >= MAX_WAITING || side.waitingBytes + bytes > MAX_WAITING_BYTES;
    if (isFull || this.#host.roomBytes < bytes) {
      // The hole is given up: what waits is shown, then this.
      const to = side.waiting.length > 0 && place > 0 ? side.waiting[0]!.seq : seq;
      this.#miss(fromB, side, after(to, side.expected));
      side.expected = to;
      this.#drain(fromB, side);
      this.send(fromB, seq, view, at, end, length, timeUs);
      return;
    }
    const copy = new Uint8Array(bytes);
    copy.set(new Uint8Array(view.buffer, view.byteOffset + at, bytes));
    side.waiting.splice(place, 0, { seq, bytes: new DataView(copy.buffer), length, timeUs });
    side.waitingBytes += bytes;
    this.#host.roomBytes -= bytes;
  }

  /** Shows the segments that wait no longer. */
  #drain(fromB: boolean, side: Side): void {
    while (side.waiting.length > 0 && after(side.waiting[0]!.seq, side.expected) <= 0) {
      const { seq, bytes, length, timeUs } = side.waiting.shift()!;
      side.waitingBytes -= bytes.byteLength;
      this.#host.roomBytes += bytes.byteLength;
      this.#take(fromB, side, seq, bytes, 0, bytes.byteLength, length, timeUs);
      if (this.done || side.done) return;
    }
  }

  /** Takes a segment that begins at or before what is expected. */
  #take(
    fromB: boolean,
    side: Side,
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
    const from = Math.min(at + old, end);
    if (from < end) this.#show(fromB, side, view, from, end, nowUs);
    // What the capture cut off is a hole that will not be filled.
    const cut = length - Math.max(end - at, old);
    if (cut > 0 && !this.done && !side.done) this.#miss(fromB, side, cut);
    if (side.endsAt !== null && after(side.endsAt, side.expected) <= 0 && !this.done && !side.done)
      this.#end(fromB, side, nowUs);
  }

  /** So many bytes will never be seen. */
  #miss(fromB: boolean, side: Side, bytes: number): void {
    if (side.skip >= bytes) {
      side.skip -= bytes;
      return;
    }
    side.skip = 0;
    this.#dropHeld(side);
    if (!side.seeking && this.#protocol !== null) this.#host.gaps++;
    side.seeking = true;
    this.#lose(fromB);
  }

  /** Messages of a side may have gone by unseen. */
  #lose(fromB: boolean): void {
    const fromClient = fromB === this.#clientIsB;
    if (fromClient) this.#exchanges?.lose();
    else this.#exchanges?.loseAnswers();
    this.#dialogue?.lost(fromClient);
  }

  #show(fromB: boolean, side: Side, view: DataView, at: number, end: number, nowUs: number): void {
    const passed = Math.min(side.skip, end - at);
    side.skip -= passed;
    const from = at + passed;
    if (from === end) return;
    if (this.#protocol === null && !this.#recognise(fromB, side, view, from, end, nowUs)) return;
    if (side.seeking) {
      if (!this.#isMessage(fromB, view, from, end)) {
        // A message may be in what is passed over.
        this.#lose(fromB);
        return;
      }
      side.seeking = false;
    }
    this.#feed(fromB, side, view, from, end, nowUs);
  }

  /** Whether a message of that side begins here. */
  #isMessage(fromB: boolean, view: DataView, at: number, end: number): boolean {
    const fromClient = fromB === this.#clientIsB;
    const looks = this.#protocol!.looks(view, at, end, fromClient);
    return looks === (fromClient ? Looks.request : Looks.response);
  }

  /** Looks for a protocol that these bytes, after those held, can be the beginning of. True: found, and they are still to be shown. */
  #recognise(fromB: boolean, side: Side, view: DataView, at: number, end: number, nowUs: number): boolean {
    const before = side.heldLength;
    const piece = Math.min(end - at, MAX_HELD - before);
    if (before > 0 && !this.#hold(side, view, at, at + piece, nowUs)) {
      this.close();
      return false;
    }
    const [seen, from, to] =
      before > 0 ? ([side.held!, 0, side.heldLength] as const) : ([view, at, end] as const);
    const fromClient = fromB === this.#clientIsB;
    let isOpen = false;
    for (const application of this.#host.applications) {
      const looks = application.looks(seen, from, to, fromClient);
      if (looks === Looks.short) isOpen = true;
      if (looks === Looks.no || looks === Looks.short) continue;
      if (this.#isCertain && (looks === Looks.request) !== fromClient) continue;
      this.#clientIsB = looks === Looks.request ? fromB : !fromB;
      side.heldLength = before;
      return this.#follow(application, fromB, side, nowUs);
    }
    if (this.#isCertain && !side.seeking) {
      if (!isOpen || (before > 0 && at + piece < end)) this.close();
      else if (side.heldLength === 0 && !this.#hold(side, view, at, end, nowUs)) this.close();
    } else if (++this.#tries >= MAX_TRIES) this.close();
    return false;
  }

  /** Begins to follow the protocol. True: the segment is still to be shown, after what this side holds; what the other holds is shown here. */
  #follow(application: Application, fromB: boolean, side: Side, nowUs: number): boolean {
    this.#protocol = application;
    this.application = application.name;
    const channel = this.#channelOf(this.#clientIsB);
    this.#exchanges = new Exchanges(this.#host.operations, channel, application.name);
    // Requests may lie before what is seen: in a gap, or before the capture.
    const isGap = this.#isCertain && (this.#a.seeking || this.#b.seeking);
    if (isGap) this.#host.gaps++;
    if (isGap || (!this.#isCertain && application.isPipelined)) this.#exchanges.lose();
    this.#dialogue = application.open(this.#exchanges);
    if (this.#dialogue === null) {
      this.close();
      return false;
    }
    side.seeking = false;
    const other = fromB ? this.#a : this.#b;
    if (other.heldLength > 0) this.#readHeld(!fromB, other, nowUs);
    return !this.done;
  }

  #feed(fromB: boolean, side: Side, view: DataView, at: number, end: number, nowUs: number): void {
    const from = side.heldLength > 0 ? this.#complete(fromB, side, view, at, end, nowUs) : at;
    if (from === end || this.done || side.done) return;
    const used = this.#read(fromB, side, view, from, end, nowUs, nowUs);
    if (used < end && !this.done && !side.done && !this.#hold(side, view, used, end, nowUs)) this.#fail();
  }

  /** Appends to what is held, no more than makes it a whole message, and reads it. Returns where the rest begins: `end`, if all is held. */
  #complete(fromB: boolean, side: Side, view: DataView, at: number, end: number, nowUs: number): number {
    let from = at;
    while (side.heldLength > 0 && from < end) {
      const piece = Math.min(end - from, Math.max(MIN_PIECE, side.heldLength), MAX_HELD - side.heldLength);
      if (piece === 0 || !this.#hold(side, view, from, from + piece, nowUs)) {
        this.#fail();
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

  #readHeld(fromB: boolean, side: Side, nowUs: number): void {
    if (this.done) return;
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

  /** Lets the dialogue read as far as it can. Returns where it stopped. */
  #read(
    fromB: boolean,
    side: Side,
    view: DataView,
    at: number,
    end: number,
    firstUs: number,
    nowUs: number,
  ): number {
    let from = at;
    while (from < end) {
      const fromClient = fromB === this.#clientIsB;
      const n = this.#dialogue!.read(fromClient, view, from, end, from === at ? firstUs : nowUs, nowUs);
      if (n === Read.more) return from;
      if (n === Read.broken) {
        this.#fail();
        return end;
      }
      if (n === Read.enough) {
        side.done = true;
        this.#release(side);
        if (this.#a.done && this.#b.done) this.close();
        return end;
      }
      side.skip = Math.max(0, n - (end - from));
      from = Math.min(end, from + n);
    }
    return end;
  }

  /** Appends bytes to those held. False: too many, or no room. */
  #hold(side: Side, view: DataView, at: number, end: number, nowUs: number): boolean {
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

  #dropHeld(side: Side): void {
    this.#host.roomBytes += side.held?.byteLength ?? 0;
    side.held = null;
    side.heldLength = 0;
  }

  /** It is not what it seemed, or too large: nothing more can be told of it. */
  #fail(): void {
    this.#exchanges?.lose();
    this.close();
  }

  #release(side: Side): void {
    this.#dropHeld(side);
    this.#host.roomBytes += side.waitingBytes;
    side.waiting = [];
    side.waitingBytes = 0;
  }
}
