/**
 * Redis and Valkey: RESP2 and RESP3 (redis.io/docs/latest/develop/reference/protocol-spec), inline commands included. A request is
 * a command, its operation the command's name; answers come in the order of the requests, but for what is pushed.
 *
 * What has no answer of its own: commands while CLIENT REPLY is OFF, and after SKIP; they are counted as lost. SUBSCRIBE and its kin are
 * answered by the first confirmation; those of further channels, and all messages, are passed over. A command in MULTI is answered
 * by QUEUED, and EXEC by what all of them gave. A replica's connection is followed up to SYNC or PSYNC.
 * An answer's error is one at its top: not those within EXEC's array.
 */
import {
  type Application,
  type Dialogue,
  Looks,
  Read,
  type Outcome as RequestOutcome,
  Strictness,
} from "../application.js";
import type { Exchanges } from "../exchanges.js";
import { MAX_NAME, OTHER_OPERATION } from "../operations.js";
import { commonestErrorColumn } from "../outcomes.js";
import { COMMANDS, Outcome, redisOutcome, SECOND_WORDS } from "./redis-keywords.js";
import { RedisReplies, type ReplyListener } from "./redis-replies.js";
import { isType, LengthLine, Line, looksLikeReply, Type, tellsReply } from "./resp.js";

/** Longest inline command that is recognised; of a longer one that was begun so much is read. */
const MAX_INLINE = 1024;
/** Inline commands that wait for the server to show that it is one of Redis; so many in a row show it too, if they are not memcached's. */
const MAX_UNPROVEN = 8;
const OTHER = Uint8Array.from(OTHER_OPERATION, (letter) => letter.charCodeAt(0));

const enum Byte {
  lf = 0x0a,
  cr = 0x0d,
  space = 0x20,
}

const CLIENT = numberOf("CLIENT");
const CLIENT_REPLY = SECOND_WORDS[CLIENT]!.words.list.indexOf("REPLY");
/** What is answered by confirmations. */
const SUBSCRIPTIONS = numbersOf(
  "SUBSCRIBE",
  "PSUBSCRIBE",
  "SSUBSCRIBE",
  "UNSUBSCRIBE",
  "PUNSUBSCRIBE",
  "SUNSUBSCRIBE",
);
/** Largest kind of request (see Exchanges.request): more arguments than a server takes. */
const MAX_KIND = 2 ** 28;
const MONITOR = numberOf("MONITOR");
const RESET = numberOf("RESET");
const SYNCS = numbersOf("SYNC", "PSYNC");
/** What is answered otherwise from here on. */
const MODES: ReadonlySet<number> = new Set([...SUBSCRIPTIONS, MONITOR, RESET, ...SYNCS]);
const GET = COMMANDS.bytes[numberOf("GET")]!;

function numberOf(command: string): number {
  return COMMANDS.list.indexOf(command);
}

function numbersOf(...commands: string[]): ReadonlySet<number> {
  return new Set(commands.map(numberOf));
}

const OUTCOME: RequestOutcome = { isError: (outcome) => outcome >= Outcome.otherError, word: redisOutcome };

export const redis: Application = {
  name: "redis",
  title: "Redis",
  strictness: Strictness.lax,
  transports: {
    tcp: {
      isPipelined: true,
      resumes: "line",
      looks: (view, at, end, fromClient, isMidway) =>
        looksLikeMessage(view, at, end, fromClient, isMidway ? looksLikeReply : tellsReply),
      tells: (view, at, end, fromClient) => looksLikeMessage(view, at, end, fromClient, tellsReply),
      open: (exchanges) => new RedisDialogue(exchanges),
    },
  },
  requests: { outcome: OUTCOME, operationTitle: "Command", columns: [commonestErrorColumn(OUTCOME)] },
};

function looksLikeMessage(
  view: DataView,
  at: number,
  end: number,
  fromClient: boolean,
  ofReply: typeof looksLikeReply,
): Looks {
  if (view.getUint8(at) === Type.array) return looksLikeArray(view, at, end, fromClient);
  const reply = ofReply(view, at, end);
  return reply === Looks.no ? looksInline(view, at, end) : reply;
}

/** An array of bulk strings is what a client sends, and what a server may answer: a command's name at the start decides, then the sender. */
function looksLikeArray(view: DataView, at: number, end: number, fromClient: boolean): Looks {
  const length = new LengthLine();
  const first = length.read(view, at + 1, end);
  if (first === Line.more) return Looks.short;
  if (first < 0) return Looks.no;
  if (length.value <= 0) return fromClient ? Looks.no : Looks.response;
  if (first === end) return Looks.short;
  const type = view.getUint8(first);
  if (type !== Type.bulk) return !fromClient && isType(type) ? Looks.response : Looks.no;
  const next = length.read(view, first + 1, end);
  if (next === Line.more) return Looks.short;
  if (next < 0) return Looks.no;
  return looksLikeFirst(view, next, length.value, end, fromClient);
}

/** The first string of an array, of `length` bytes from `at` on. */
function looksLikeFirst(view: DataView, at: number, length: number, end: number, fromClient: boolean): Looks {
  if (length > 0 && at + length <= end && COMMANDS.find(view, at, at + length) >= 0)
    return fromClient || isUpper(view.getUint8(at)) ? Looks.request : Looks.response;
  if (!fromClient) return at + length > end && length <= COMMANDS.longest ? Looks.short : Looks.response;
  if (length <= 0 || length > MAX_NAME) return Looks.no;
  if (!isName(view, at, Math.min(end, at + length))) return Looks.no;
  return at + length <= end ? Looks.request : Looks.short;
}

/** Where the line at `at` ends; `end`: not seen. */
function lineFeed(view: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && view.getUint8(i) !== Byte.lf) i++;
  return i;
}

function isUpper(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** Letters, digits and `.-_|` with a letter in front: what modules call their commands. */
function isName(view: DataView, at: number, end: number): boolean {
  for (let i = at; i < end; i++) {
    const byte = view.getUint8(i);
    const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
    const isOther = (byte >= 0x30 && byte <= 0x39) || [0x2e, 0x2d, 0x5f, 0x7c].includes(byte);
    if (!isLetter && (i === at || !isOther)) return false;
  }
  return true;
}

/** A line whose first word is a command. What else it could be is found out when the server answers. */
function looksInline(view: DataView, at: number, end: number): Looks {
  const last = Math.min(end, at + COMMANDS.longest + 1);
  let i = at;
  while (i < last && view.getUint8(i) > Byte.space) i++;
  if (i === end) return isName(view, at, end) ? Looks.short : Looks.no;
  if (COMMANDS.find(view, at, i) < 0) return Looks.no;
  const until = Math.min(end, at + MAX_INLINE);
  for (; i < until; i++) {
    const byte = view.getUint8(i);
    if (byte === Byte.lf) return Looks.request;
    if (byte < Byte.space && byte !== Byte.cr && byte !== 0x09) return Looks.no;
  }
  return until === end ? Looks.short : Looks.no;
}

/** Where a client's message stands. */
const enum At {
  message = 0,
  argument = 1,
  /** CR LF after an argument whose bytes were passed over. */
  tail = 2,
  /** The rest of a long inline command. */
  line = 3,
}

const enum Mute {
  no = 0,
  /** CLIENT REPLY OFF. */
  all = 1,
  /** CLIENT REPLY SKIP: the next one. */
  next = 2,
}

class RedisDialogue implements Dialogue, ReplyListener {
  readonly #exchanges: Exchanges;
  readonly #replies: RedisReplies;
  readonly #length = new LengthLine();
  #at = At.message;
  /** Arguments still to come, and read. */
  #left = 0;
  #index = 0;
  /** Of the message that is being read. */
  #name: Uint8Array = OTHER;
  #command = -1;
  #second = -1;
  #bytes = 0;
  #firstUs = 0;
  #mute = Mute.no;
  #muteNext = Mute.no;
  /** Whether it is surely RESP: an array was sent, or an inline command answered. */
  #isProven = false;
  /** Inline commands before that: name, time and bytes. */
  #unproven: { readonly name: Uint8Array; readonly timeUs: number; readonly bytes: number }[] = [];
  /** Further confirmations of a request that has its answer. */
  #confirmations = 0;
  #isDone = false;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
    this.#replies = new RedisReplies(this);
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number, nowUs: number): number {
    if (this.#isDone) return Read.enough;
    if (!fromClient) {
      const looks = this.#isProven ? Looks.response : this.#prove(view, at, end);
      if (looks === Looks.no) return Read.foreign;
      if (looks === Looks.short) return Read.more;
      const used = this.#replies.read(view, at, end, nowUs);
      return this.#isDone ? Read.enough : used;
    }
    let next = at;
    while (next < end) {
      const used = this.#readPart(view, next, end, next === at ? firstUs : nowUs);
      if (used === Read.more) break;
      // What was read before it is done with: a message that cannot be read begins here.
      if (used < 0) return next > at ? next - at : used;
      next += used;
    }
    return next - at;
  }

  lost(fromClient: boolean): void {
    this.#unproven = [];
    if (fromClient) {
      this.#at = At.message;
      // Replies may have been turned on or off in the gap.
      this.#mute = Mute.no;
    } else {
      this.#confirmations = 0;
      this.#replies.lost();
    }
  }

  end(): void {}

  /** The server's first bytes after inline commands decide. */
  #prove(view: DataView, at: number, end: number): Looks {
    if (this.#unproven.length === 0) return Looks.response;
    const looks = view.getUint8(at) === Type.array ? Looks.response : tellsReply(view, at, end);
    if (looks === Looks.response) this.#settle();
    return looks;
  }

  /** It is RESP: inline commands so far count. */
  #settle(): void {
    this.#isProven = true;
    for (const { name, timeUs, bytes } of this.#unproven)
      this.#exchanges.request(name, name.length, timeUs, bytes);
    this.#unproven = [];
  }

  #readPart(view: DataView, at: number, end: number, timeUs: number): number {
    switch (this.#at) {
      case At.message:
        return view.getUint8(at) === Type.array
          ? this.#readCount(view, at, end, timeUs)
          : this.#readInline(view, at, end, timeUs);
      case At.argument:
        return this.#readArgument(view, at, end);
      case At.line: {
        const feed = lineFeed(view, at, end);
        if (feed < end) this.#at = At.message;
        return Math.min(end, feed + 1) - at;
      }
      default:
        if (end - at < 2) return Read.more;
        if (view.getUint16(at) !== 0x0d0a) return Read.broken;
        this.#bytes += 2;
        this.#argumentRead();
        return 2;
    }
  }

  #readCount(view: DataView, at: number, end: number, timeUs: number): number {
    const next = this.#length.read(view, at + 1, end);
    if (next === Line.more) return Read.more;
    if (next < 0) return Read.broken;
    const { value } = this.#length;
    // An empty array is no command, and has no answer.
    if (value <= 0) return next - at;
    if (!this.#isProven) this.#settle();
    this.#begin(timeUs, next - at);
    this.#left = value;
    this.#at = At.argument;
    return next - at;
  }

  #begin(timeUs: number, bytes: number): void {
    this.#index = 0;
    this.#name = OTHER;
    this.#command = -1;
    this.#second = -1;
    this.#firstUs = timeUs;
    this.#bytes = bytes;
    this.#muteNext = this.#mute === Mute.all ? Mute.all : Mute.no;
  }

  #readArgument(view: DataView, at: number, end: number): number {
    if (view.getUint8(at) !== Type.bulk) return Read.broken;
    const next = this.#length.read(view, at + 1, end);
    if (next === Line.more) return Read.more;
    const { value } = this.#length;
    if (next < 0 || value < 0) return Read.broken;
    const isWord = this.#index < 3 && value <= COMMANDS.longest;
    if (isWord) {
      if (next + value > end) return Read.more;
      this.#readWord(view, next, next + value);
    }
    // What ends it is judged by itself: a wrong end is found at the same byte in whatever segments it comes.
    if (next + value + 2 > end || view.getUint16(next + value) !== 0x0d0a) {
      this.#bytes += next + value - at;
      this.#at = At.tail;
      return next + value - at;
    }
    this.#bytes += next + value + 2 - at;
    this.#argumentRead();
    return next + value + 2 - at;
  }

  /** One of the first arguments. Of the third, only that of CLIENT REPLY matters. */
  #readWord(view: DataView, at: number, end: number): void {
    if (this.#index === 0) {
      this.#command = COMMANDS.find(view, at, end);
      if (this.#command >= 0) this.#name = COMMANDS.bytes[this.#command]!;
    } else if (this.#index === 1) {
      const container = SECOND_WORDS[this.#command];
      if (!container) return;
      this.#second = container.words.find(view, at, end);
      if (this.#second >= 0) this.#name = container.names[this.#second]!;
    } else if (this.#command === CLIENT && this.#second === CLIENT_REPLY) this.#readReplyMode(view, at, end);
  }

  /** CLIENT REPLY ON, OFF or SKIP, told by their lengths and second letters. */
  #readReplyMode(view: DataView, at: number, end: number): void {
    const second = end - at > 1 ? view.getUint8(at + 1) & 0xdf : 0;
    if (end - at === 2 && second === 0x4e) this.#muteNext = this.#mute = Mute.no;
    else if (end - at === 3 && second === 0x46) this.#muteNext = this.#mute = Mute.all;
    else if (end - at === 4 && second === 0x4b && this.#mute === Mute.no) {
      this.#muteNext = Mute.all;
      this.#mute = Mute.next;
    }
  }

  #argumentRead(): void {
    this.#index++;
    this.#left--;
    this.#at = this.#left > 0 ? At.argument : At.message;
    if (this.#left === 0) this.#commandRead();
  }

  #commandRead(): void {
    const isSkip = this.#mute === Mute.next;
    if (this.#muteNext === Mute.all) {
      this.#exchanges.tell(this.#name, this.#name.length, this.#bytes);
      return;
    }
    if (isSkip) {
      this.#mute = Mute.no;
      this.#exchanges.tell(this.#name, this.#name.length, this.#bytes);
      return;
    }
    const isSubscription = SUBSCRIPTIONS.has(this.#command);
    // One confirmation for each channel.
    const kind = isSubscription ? Math.max(1, Math.min(this.#index - 1, MAX_KIND)) : 0;
    this.#exchanges.request(this.#name, this.#name.length, this.#firstUs, this.#bytes, kind);
    if (isSubscription) this.#replies.isSubscriber = true;
    else if (this.#command === MONITOR) this.#replies.isMonitor = true;
    else if (this.#command === RESET) this.#replies.reset();
    else if (SYNCS.has(this.#command)) this.#replies.isReplica = true;
  }

  #readInline(view: DataView, at: number, end: number, timeUs: number): number {
    const seen = Math.min(end, at + MAX_INLINE);
    const last = lineFeed(view, at, seen);
    const isLong = last === at + MAX_INLINE;
    if (last === end && !isLong) return Read.more;
    if (isLong) this.#at = At.line;
    const used = isLong ? MAX_INLINE : last + 1 - at;
    let first = at;
    while (first < last && view.getUint8(first) <= Byte.space) first++;
    // An empty line is no command, and has no answer.
    if (first === last) return used;
    this.#begin(timeUs, used);
    this.#readWords(view, first, last);
    // Two words of Redis, or one that changes what is to come, are believed at once.
    if (this.#second >= 0 || MODES.has(this.#command)) this.#settle();
    if (this.#isProven) {
      this.#commandRead();
      return used;
    }
    if (this.#command < 0) return Read.foreign;
    if (this.#unproven.length < MAX_UNPROVEN) this.#unproven.push({ name: this.#name, timeUs, bytes: used });
    else if (this.#unproven.every(({ name }) => name === GET)) return Read.foreign;
    else {
      this.#settle();
      this.#commandRead();
    }
    return used;
  }

  #readWords(view: DataView, at: number, end: number): void {
    let from = at;
    for (this.#index = 0; this.#index < 3 && from < end; this.#index++) {
      let to = from;
      while (to < end && view.getUint8(to) > Byte.space) to++;
      this.#readWord(view, from, to);
      from = to;
      while (from < end && view.getUint8(from) <= Byte.space) from++;
    }
  }

  get isAwaited(): boolean {
    return this.#exchanges.isAwaited;
  }

  answered(timeUs: number, outcome: number, isError: boolean, bytes: number): void {
    this.#exchanges.answer(timeUs, outcome, isError, bytes);
    if (this.#replies.isReplica && !isError && outcome === Outcome.ok)
      this.#isDone = !this.#exchanges.isAwaited;
  }

  /** The first confirmation of a request answers it. */
  confirmed(timeUs: number, bytes: number): void {
    if (this.#confirmations > 0) this.#confirmations--;
    else if (this.#exchanges.isAdrift) this.answered(timeUs, Outcome.ok, false, bytes);
    else if (this.#exchanges.count > 0 && this.#exchanges.oldestKind > 0) {
      this.#confirmations = this.#exchanges.oldestKind - 1;
      this.answered(timeUs, Outcome.ok, false, bytes);
    } else if (this.#exchanges.count === 0 && this.#exchanges.isAwaited)
      this.answered(timeUs, Outcome.ok, false, bytes);
  }
}
