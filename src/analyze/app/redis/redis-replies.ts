/** Walks over a Redis server's messages without keeping them: finds the end and kind of each. */
import { Read } from "../application.js";
import { ERRORS, Outcome } from "./redis-keywords.js";
import { FIRST_CONFIRMATION, LengthLine, Line, PUSHES, STREAMED, Type } from "./resp.js";

/** Deepest nesting that is followed, and that there is room for at first. */
const MAX_DEPTH = 4096;
const USUAL_DEPTH = 8;
/** A line whose end is not there yet is told by so many bytes. */
const TELLING = 64;

/** Where it stands. */
const enum At {
  value = 0,
  /** Somewhere in a line that only has to end. */
  line = 1,
  /** CR LF after bytes that were passed over. */
  tail = 2,
  /** The same, in a part of a streamed string. */
  chunkTail = 3,
}

const enum Level {
  aggregate = 0,
  /** Belongs to the value after it, and is none itself. */
  attribute = 1,
  /** Parts of a streamed string. */
  chunks = 2,
}

/** The receiver of the messages. */
export interface ReplyListener {
  /** Whether a request waits. */
  readonly isAwaited: boolean;
  answered(timeUs: number, outcome: number, isError: boolean, bytes: number): void;
  /** A channel was subscribed to, or left. */
  confirmed(timeUs: number, bytes: number): void;
}

export class RedisReplies {
  /** Arrays may be messages of a channel (RESP2). */
  isSubscriber = false;
  /** Simple strings may be what others do (MONITOR). */
  isMonitor = false;
  /** What follows a good answer is a copy of the data (SYNC, PSYNC). */
  isReplica = false;
  readonly #listener: ReplyListener;
  readonly #length = new LengthLine();
  #at = At.value;
  /** Values still to come at each level; Infinity where it is streamed. */
  #left = new Float64Array(USUAL_DEPTH);
  #levels = new Uint8Array(USUAL_DEPTH);
  #depth = 0;
  /** Of the message that is being read. */
  #isBegun = false;
  #type = 0;
  #bytes = 0;
  #outcome: number = Outcome.ok;
  #isMonitored = false;
  /** Number in PUSHES of its first word, or -1. */
  #push = -1;
  /** The server pushes with a type of its own (RESP3). */
  #hasPushes = false;
  /** Values of the message's own level. */
  #count = 0;
  /** Its last byte has been read. */
  #isDone = false;

  constructor(listener: ReplyListener) {
    this.#listener = listener;
  }

  /** As Dialogue.read. */
  read(view: DataView, at: number, end: number, nowUs: number): number {
    let next = at;
    while (next < end) {
      const used = this.#readPart(view, next, end);
      if (used === Read.more) break;
      // What was read before it is done with: a message that cannot be read begins here.
      if (used < 0) return next > at ? next - at : used;
      this.#bytes += used;
      next += used;
      if (this.#isDone) this.#finish(nowUs);
    }
    return next - at;
  }

  /** Its mode is that of a new connection again. */
  reset(): void {
    this.isSubscriber = false;
    this.isMonitor = false;
    this.isReplica = false;
  }

  /** The next byte begins a message. */
  lost(): void {
    this.#at = At.value;
    this.#depth = 0;
    this.#isBegun = false;
    this.#isDone = false;
  }

  #begin(type: number): void {
    this.#isBegun = true;
    this.#type = type;
    this.#bytes = 0;
    this.#outcome = Outcome.ok;
    this.#isMonitored = false;
    this.#push = -1;
  }

  #readPart(view: DataView, at: number, end: number): number {
    if (this.#at === At.value) return this.#readValue(view, at, end);
    if (this.#at === At.line) return this.#readLine(view, at, end);
    if (end - at < 2) return Read.more;
    if (view.getUint16(at) !== 0x0d0a) return Read.broken;
    const isChunk = this.#at === At.chunkTail;
    this.#at = At.value;
    if (!isChunk) this.#valueRead();
    return 2;
  }

  #readValue(view: DataView, at: number, end: number): number {
    const type = view.getUint8(at);
    if (!this.#isBegun) {
      // A server that prepares a copy for a replica keeps the connection alive with line feeds.
      if (type === 0x0a && this.isReplica) return 1;
      this.#begin(type);
    } else if (this.#depth === 0) this.#type = type;
    switch (type) {
      case Type.simple:
      case Type.error:
      case Type.integer:
      case Type.null:
      case Type.boolean:
      case Type.double:
      case Type.bigNumber:
        return this.#readSimple(view, at, end);
      case Type.bulk:
      case Type.verbatim:
      case Type.blobError:
        return this.#readBulk(view, type, at, end);
      case Type.array:
      case Type.map:
      case Type.set:
      case Type.push:
      case Type.attribute:
        return this.#readAggregate(view, type, at, end);
      case Type.chunk:
        return this.#readChunk(view, at, end);
      case Type.end:
        return this.#readEnd(view, at, end);
      default:
        return Read.broken;
    }
  }

  #readSimple(view: DataView, at: number, end: number): number {
    const isTop = this.#depth === 0;
    let last = at + 1;
    while (last < end && view.getUint8(last) !== 0x0a) last++;
    if (last === end && end - at < TELLING && isTop) return Read.more;
    if (isTop) this.#tell(view, at, last);
    if (last === end) {
      this.#at = At.line;
      return end - at;
    }
    this.#valueRead();
    return last + 1 - at;
  }

  #readLine(view: DataView, at: number, end: number): number {
    let last = at;
    while (last < end && view.getUint8(last) !== 0x0a) last++;
    if (last === end) return end - at;
    this.#at = At.value;
    this.#valueRead();
    return last + 1 - at;
  }

  /** What a line [at, end) says at the top: an error, QUEUED, or what MONITOR shows (a time in front). */
  #tell(view: DataView, at: number, end: number): void {
    const type = view.getUint8(at);
    if (type === Type.error) this.#outcome = errorOf(view, at + 1, end);
    else if (type === Type.simple) {
      if (isQueued(view, at + 1, end)) this.#outcome = Outcome.queued;
      const digit = at + 1 < end ? view.getUint8(at + 1) - 0x30 : -1;
      this.#isMonitored = digit >= 0 && digit <= 9;
    }
  }

  #readBulk(view: DataView, type: number, at: number, end: number): number {
    const isTop = this.#depth === 0;
    if (isTop && this.isReplica && type === Type.bulk) {
      // The copy that answers SYNC; it ends otherwise than a string does.
      this.#isDone = true;
      return end - at;
    }
    const next = this.#length.read(view, at + 1, end);
    if (next === Line.more) return Read.more;
    if (next < 0) return Read.broken;
    const { value } = this.#length;
    if (value === STREAMED) return this.#open(Level.chunks, Number.POSITIVE_INFINITY, next - at);
    if (value < 0) {
      this.#valueRead();
      return next - at;
    }
    const isWord = this.#isFirst && value <= PUSHES.longest;
    const telling = isTop && type === Type.blobError ? Math.min(value, TELLING) : isWord ? value : 0;
    if (next + telling > end) return Read.more;
    if (isWord) this.#push = PUSHES.find(view, next, next + value);
    else if (telling > 0) this.#outcome = errorOf(view, next, next + telling);
    // What ends it is judged by itself: a wrong end is found at the same byte in whatever segments it comes.
    if (next + value + 2 > end || view.getUint16(next + value) !== 0x0d0a) {
      this.#at = At.tail;
      return next + value - at;
    }
    this.#valueRead();
    return next + value + 2 - at;
  }

  /** Whether the value is the first of a message that may be a push. */
  get #isFirst(): boolean {
    if (this.#depth !== 1 || this.#count !== this.#left[0]) return false;
    if (this.#type === Type.push) return true;
    return this.#type === Type.array && !this.#hasPushes && (this.isSubscriber || !this.#listener.isAwaited);
  }

  #readAggregate(view: DataView, type: number, at: number, end: number): number {
    const next = this.#length.read(view, at + 1, end);
    if (next === Line.more) return Read.more;
    if (next < 0) return Read.broken;
    const { value } = this.#length;
    const isPaired = type === Type.map || type === Type.attribute;
    const level = type === Type.attribute ? Level.attribute : Level.aggregate;
    if (value === STREAMED) return this.#open(level, Number.POSITIVE_INFINITY, next - at);
    if (value > 0) return this.#open(level, isPaired ? value * 2 : value, next - at);
    if (level === Level.aggregate) this.#valueRead();
    return next - at;
  }

  #open(level: Level, count: number, used: number): number {
    if (this.#depth === MAX_DEPTH) return Read.broken;
    if (this.#depth === this.#left.length) this.#deepen();
    if (this.#depth === 0) this.#count = count;
    this.#left[this.#depth] = count;
    this.#levels[this.#depth++] = level;
    return used;
  }

  #deepen(): void {
    const [left, levels] = [new Float64Array(this.#depth * 2), new Uint8Array(this.#depth * 2)];
    left.set(this.#left);
    levels.set(this.#levels);
    this.#left = left;
    this.#levels = levels;
  }

  #readChunk(view: DataView, at: number, end: number): number {
    if (this.#depth === 0 || this.#levels[this.#depth - 1] !== Level.chunks) return Read.broken;
    const next = this.#length.read(view, at + 1, end);
    if (next === Line.more) return Read.more;
    if (next < 0 || this.#length.value < 0) return Read.broken;
    if (this.#length.value === 0) {
      this.#depth--;
      this.#valueRead();
      return next - at;
    }
    this.#at = At.chunkTail;
    return next + this.#length.value - at;
  }

  #readEnd(view: DataView, at: number, end: number): number {
    if (end - at < 3) return Read.more;
    const isStreamed = this.#depth > 0 && this.#left[this.#depth - 1] === Number.POSITIVE_INFINITY;
    if (!isStreamed || view.getUint16(at + 1) !== 0x0d0a) return Read.broken;
    const level = this.#levels[--this.#depth];
    if (level === Level.chunks) return Read.broken;
    if (level === Level.aggregate) this.#valueRead();
    return 3;
  }

  /** A value has ended, and with it all that it was the last of. */
  #valueRead(): void {
    while (this.#depth > 0) {
      const left = this.#left[this.#depth - 1]! - 1;
      this.#left[this.#depth - 1] = left;
      if (left > 0) return;
      if (this.#levels[--this.#depth] === Level.attribute) return;
    }
    this.#isDone = true;
  }

  #finish(nowUs: number): void {
    this.#isDone = false;
    this.#isBegun = false;
    const isPush = this.#type === Type.push;
    if (isPush) this.#hasPushes = true;
    if (this.#push >= FIRST_CONFIRMATION) this.#listener.confirmed(nowUs, this.#bytes);
    else if (this.#push >= 0) this.isSubscriber = true;
    else if (!isPush && !(this.isMonitor && this.#isMonitored)) {
      const isError = this.#outcome >= Outcome.otherError;
      this.#listener.answered(nowUs, this.#outcome, isError, this.#bytes);
    }
  }
}

/** The outcome that an error's first word says. */
function errorOf(view: DataView, at: number, end: number): number {
  let last = at;
  while (last < end && view.getUint8(last) > 0x20) last++;
  const found = ERRORS.find(view, at, last);
  return found < 0 ? Outcome.otherError : Outcome.firstError + found;
}

function isQueued(view: DataView, at: number, end: number): boolean {
  return (
    end - at >= 6 &&
    end - at <= 7 &&
    view.getUint32(at) === 0x51554555 && // QUEU
    view.getUint16(at + 4) === 0x4544 // ED
  );
}
