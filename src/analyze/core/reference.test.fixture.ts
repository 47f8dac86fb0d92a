/**
 * The core in plain TypeScript, slow and obvious: one packet after the other, no batch, no index but a Map, no header read. For the
 * differential test, which wants every word that it leaves in memory to be the compiled core's.
 */
import { NO_TIME } from "../tcp/store.js";
import { type Core, type CoreHost, type Exports, rowAt } from "./core.js";
import {
  Begun,
  Cell,
  Double,
  Entry,
  Layout,
  Mark,
  MarkShift,
  Meta,
  Needless,
  Outcome,
  Place,
  Row,
  Shared,
  Side,
  SideFlag,
  TcpFlag,
  Total,
  Trouble,
  TroubleLayout,
} from "./layout.js";
import { countSegment, isSettled, nextState } from "./segment.test.fixture.js";

const WORDS_OF_KEY = { 4: 3, 6: 9 } as const;

export class SlowCore implements Exports {
  readonly #core: Core;
  readonly #host: CoreHost;
  #idleUs = Number.POSITIVE_INFINITY;
  readonly #places = { 4: new Map<string, number>(), 6: new Map<string, number>() };

  constructor(core: Core, host: CoreHost) {
    this.#core = core;
    this.#host = host;
  }

  begin(): void {}

  setIdle(us: number): void {
    this.#idleUs = us;
  }

  remove(isIpv6: boolean, place: number): void {
    const { words, cells } = this.#core;
    const [version, count] = isIpv6 ? ([6, Cell.flows6] as const) : ([4, Cell.flows4] as const);
    const last = this.#entry(version, --cells[count]!);
    words.copyWithin(this.#entry(version, place), last, this.#entry(version, cells[count]! + 1));
    this.relink(isIpv6);
  }

  relink(isIpv6: boolean): void {
    const version = isIpv6 ? 6 : 4;
    const places = this.#places[version];
    places.clear();
    const { words, cells } = this.#core;
    const count = cells[isIpv6 ? Cell.flows6 : Cell.flows4]!;
    for (let place = 0; place < count; place++) {
      const at = this.#entry(version, place);
      const key = words.subarray(at, at + WORDS_OF_KEY[version]);
      places.set(`${key} ${words[at + WORDS_OF_KEY[version]]! & Meta.keyMask}`, place);
    }
  }

  /** Leaves every row to TypeScript. */
  decode(_count: number, here: number): number {
    return here;
  }

  run(count: number): void {
    for (let i = 0; i < count; i++) this.#count(i);
  }

  /** Index of the first word of an entry. */
  #entry(version: 4 | 6, place: number): number {
    const { entries4, entries6 } = this.#core;
    return version === 4
      ? entries4 / 4 + place * (Entry.bytes4 / 4)
      : entries6 / 4 + place * (Entry.bytes6 / 4);
  }

  #count(i: number): void {
    const { words, doubles, totals, cells } = this.#core;
    const row = rowAt(i);
    const timeUs = doubles[(row + Row.timeUs) / 8]!;
    const length = doubles[(row + Row.length) / 8]!;
    const caplen = words[(row + Row.caplen) / 4]!;
    const nanos = words[(row + Row.nanos) / 4]!;
    const marks = words[(row + Row.marks) / 4]!;
    totals[Total.packets]!++;
    totals[Total.bytes]! += length;
    totals[Total.capturedBytes]! += caplen;
    if (caplen < length) totals[Total.truncated]!++;
    this.#addTo(Place.protocols / 8 + words[(row + Row.slot) / 4]! * 2, length);
    if (timeUs < 0) totals[Total.timeless]!++;
    else {
      const [first, last] = [totals[Total.firstUs]!, totals[Total.lastUs]!];
      if (timeUs < first || (timeUs === first && nanos < cells[Cell.firstNanos]!)) {
        totals[Total.firstUs] = timeUs;
        cells[Cell.firstNanos] = nanos;
      }
      if (timeUs > last || (timeUs === last && nanos > cells[Cell.lastNanos]!)) {
        totals[Total.lastUs] = timeUs;
        cells[Cell.lastNanos] = nanos;
      }
      if (timeUs < totals[Total.stepStart]! || timeUs >= totals[Total.stepEnd]!)
        this.#host.moveSeries(timeUs);
      this.#addTo(Place.series / 8 + cells[Cell.step]! + (marks >>> MarkShift.seriesClass) * 2, length);
    }
    if ((marks & Mark.flow) !== 0) this.#countFlow(i, row, timeUs, length, nanos);
  }

  #addTo(at: number, length: number): void {
    const { doubles } = this.#core;
    doubles[at]!++;
    doubles[at + 1]! += length;
  }

  #countFlow(i: number, row: number, timeUs: number, length: number, nanos: number): void {
    const { words, doubles, totals, view } = this.#core;
    let marks = words[(row + Row.marks) / 4]!;
    const version = (marks & Mark.ipv6) === 0 ? 4 : 6;
    const key = this.#key(row, version);
    const { fromB } = key;
    if (fromB) words[(row + Row.marks) / 4] = marks |= Mark.fromB;
    const place = this.#find(version, key, words[(row + Row.meta) / 4]!, timeUs);
    words[(row + Row.entry) / 4] = place;
    const meta = this.#entry(version, place) + WORDS_OF_KEY[version];
    const from = (meta + 1) / 2;
    this.#addTo(fromB ? from + Double.reply : from, length);
    if (timeUs >= 0) {
      doubles[from + Double.first] = Math.min(doubles[from + Double.first]!, timeUs);
      doubles[from + Double.last] = Math.max(doubles[from + Double.last]!, timeUs);
    }
    const flags = (marks >>> MarkShift.flags) & 0xff;
    if ((flags & TcpFlag.syn) !== 0) {
      const answers = (flags & TcpFlag.ack) !== 0;
      words[meta]! |= answers === fromB ? Meta.begunByA : Meta.begunByB;
    } else if ((marks & Mark.request) !== 0) words[meta]! |= fromB ? Meta.begunByB : Meta.begunByA;
    if ((marks & Mark.whole) === 0) return;
    if (timeUs >= 0) {
      if (Number.isNaN(totals[Total.originUs]!)) totals[Total.originUs] = timeUs;
      totals[Total.clock] = (timeUs - totals[Total.originUs]!) * 1000 + nanos;
    }
    if ((marks & Mark.datagram) !== 0 && words[meta]! >>> Meta.linkShift !== Needless.udp)
      this.#host.datagram(i);
    if ((marks & Mark.segment) === 0) return;
    if (words[meta]! >>> Meta.linkShift === 0) {
      const connection = this.#take(place * 2 + (version === 6 ? 1 : 0));
      words[meta]! |= (connection + 1) << Meta.linkShift;
    }
    const connection = (words[meta]! >>> Meta.linkShift) - 1;
    const at = this.#core.connections / 4 + connection * Layout.words;
    const tcp = words[(row + Row.transport) / 4]! >>> 0;
    const payloadLength = words[(row + Row.payloadLength) / 4]! >>> 0;
    if ((flags & TcpFlag.syn) !== 0) this.#begin(connection, at, fromB, view.getInt32(tcp + 4), flags);
    const state = words[at + Shared.state]!;
    countSegment(words, doubles, at, fromB, {
      view,
      tcp,
      end: words[(row + Row.headerEnd) / 4]! >>> 0,
      flags,
      length: payloadLength,
      now: totals[Total.clock]!,
      troubleOf: (ofB) => this.#trouble(at, ofB),
    });
    words[at + Shared.segments]!++;
    if (timeUs === 0) words[at + Shared.begun]! &= Begun.mask;
    if (!isSettled(state, fromB, flags, payloadLength))
      words[at + Shared.state] = nextState(state, fromB, flags, payloadLength, state === 0);
    const stream = words[at + Shared.stream]!;
    if (stream > 0 || (stream === 0 && payloadLength > 0)) this.#host.follow(i, connection);
  }

  /** The ends of a row in order, as words. */
  #key(row: number, version: 4 | 6): { fromB: boolean; words: number[] } {
    const { words, view } = this.#core;
    const at = words[(row + Row.addresses) / 4]! >>> 0;
    const length = version === 4 ? 1 : 4;
    const [from, to] = [0, length].map((first) =>
      Array.from({ length }, (_, i) => view.getInt32(at + (first + i) * 4)),
    ) as [number[], number[]];
    const ports = words[(row + Row.sentPorts) / 4]!;
    const i = from.findIndex((word, i) => word !== to[i]);
    const fromB = i < 0 ? ports >>> 16 > (ports & 0xffff) : from[i]! > to[i]!;
    if (fromB) return { fromB, words: [...to, ...from, (ports << 16) | (ports >>> 16)] };
    return { fromB, words: [...from, ...to, ports] };
  }

  /** Place of a flow, which is added where there is none. */
  #find(version: 4 | 6, key: { fromB: boolean; words: number[] }, meta: number, timeUs: number): number {
    const { words, doubles, cells, bounds } = this.#core;
    const places = this.#places[version];
    const name = `${key.words} ${meta}`;
    const found = places.get(name);
    if (found !== undefined) {
      const lastUs = doubles[(this.#entry(version, found) + WORDS_OF_KEY[version] + 1) / 2 + Double.last]!;
      if (lastUs === Number.NEGATIVE_INFINITY || timeUs - lastUs < this.#idleUs) return found;
      this.#host.expireFlow(found, version === 6);
    }
    if (cells[Cell.flows4]! + cells[Cell.flows6]! >= bounds.maxFlows) this.#host.evictFlows();
    const place = cells[version === 4 ? Cell.flows4 : Cell.flows6]!++;
    places.set(name, place);
    const at = this.#entry(version, place);
    words.set(key.words, at);
    words[at + WORDS_OF_KEY[version]] = meta | (key.fromB ? Meta.firstFromB : 0);
    const from = (at + WORDS_OF_KEY[version] + 1) / 2;
    doubles.fill(0, from, from + Double.count);
    doubles[from + Double.first] = Number.POSITIVE_INFINITY;
    doubles[from + Double.last] = Number.NEGATIVE_INFINITY;
    return place;
  }

  /** Takes an entry for a connection of the flow. */
  #take(flow: number): number {
    const { words, cells, bounds, connections } = this.#core;
    if (cells[Cell.used]! >= bounds.maxConnections) this.#host.evictConnections();
    cells[Cell.used]!++;
    let connection: number;
    if (cells[Cell.free] !== 0) {
      connection = cells[Cell.free]! - 1;
      cells[Cell.free] = words[connections / 4 + connection * Layout.words + Shared.state]!;
    } else connection = cells[Cell.top]!++;
    const at = connections / 4 + connection * Layout.words;
    words.fill(0, at, at + Layout.words);
    words[at + Shared.flow] = flow;
    words[at + Shared.connections] = 1;
    this.#reset(at);
    return connection;
  }

  /** Index of the first word of a connection's trouble, which has some from now on. */
  #trouble(at: number, ofB: boolean): number {
    const { words, doubles, cells, troubles } = this.#core;
    const first = (trouble: number) => troubles / 4 + (trouble - 1) * TroubleLayout.words;
    if (words[at + Shared.trouble] === 0) {
      let trouble = cells[Cell.freeTrouble]!;
      if (trouble !== 0) cells[Cell.freeTrouble] = words[first(trouble) + Trouble.lastReset]!;
      else trouble = ++cells[Cell.troubles]!;
      words.fill(0, first(trouble), first(trouble) + TroubleLayout.words);
      for (const side of [0, TroubleLayout.sideB])
        doubles[(first(trouble) + side + Trouble.zeroSince) / 2] = NO_TIME;
      words[at + Shared.trouble] = trouble;
    }
    return first(words[at + Shared.trouble]!) + (ofB ? TroubleLayout.sideB : 0);
  }

  /** Forgets the state of the connection, not what was counted: another begins on the same ports. */
  #reset(at: number): void {
    const { words, doubles } = this.#core;
    for (let side = at; side < at + Layout.sides; side += Layout.sideB) {
      words.fill(0, side, side + Side.segments);
      words.fill(0, side + Side.nextSeqTime, side + Layout.sideB);
      words[side + Side.window] = -1;
      doubles[(side + Side.probeTime) / 2] = NO_TIME;
    }
    for (const word of [Shared.state, Shared.stream, Shared.begun]) words[at + word] = 0;
    if (words[at + Shared.trouble] !== 0)
      for (const ofB of [false, true]) doubles[(this.#trouble(at, ofB) + Trouble.zeroSince) / 2] = NO_TIME;
    for (const time of [Shared.synTime, Shared.synAckTime, Shared.serverHalf])
      doubles[(at + time) / 2] = NO_TIME;
    doubles[(at + Shared.handshake) / 2] = 0;
  }

  /** A SYN: another connection on the same ports, where its number is another. */
  #begin(connection: number, at: number, fromB: boolean, seq: number, flags: number): void {
    const { words } = this.#core;
    const side = at + (fromB ? Layout.sideB : 0);
    const isKnown =
      (words[side + Side.flags]! & SideFlag.baseSeen) !== 0 && words[side + Side.baseSeq] !== seq;
    if ((flags & TcpFlag.ack) !== 0) {
      if (isKnown) words[side + Side.baseSeq] = seq;
    } else if (isKnown) {
      const outcome = this.#host.conclude(connection);
      if (outcome === Outcome.refused) words[this.#trouble(at, false) + Trouble.refused]!++;
      if (outcome === Outcome.unanswered) words[this.#trouble(at, false) + Trouble.unanswered]!++;
      this.#reset(at);
      words[at + Shared.connections]!++;
    }
    const begun = fromB === ((flags & TcpFlag.ack) === 0) ? Begun.byB : Begun.byA;
    words[at + Shared.begun] = (words[at + Shared.begun]! & Begun.isOpening) | begun;
  }
}
