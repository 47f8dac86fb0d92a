/** Looks inside flows: TCP quality, and requests between services. */
import { IpProtocol } from "../net.js";
import { type Application, type Datagrams, Looks } from "./app/application.js";
import { APPLICATIONS, overTcp, overUdp } from "./app/applications.js";
import { Channels } from "./app/channels.js";
import { Missed } from "./app/missed.js";
import { Operations } from "./app/operations.js";
import { Stream, type StreamHost } from "./app/stream.js";
import { type Core, rowAt } from "./core/core.js";
import {
  Begun,
  Layout,
  Mark,
  MarkShift,
  Meta,
  Needless,
  Outcome,
  Row,
  Shared,
  Side,
  SideFlag,
  TcpFlag,
  Total,
  Trouble,
} from "./core/layout.js";
import type { FlowStore } from "./flow/flowstore.js";
import { isBegunByB, isGroup } from "./flow/orientation.js";
import type { ObservedFlows } from "./flow/subscription.js";
import type { FlowObserver } from "./flow-observer.js";
import { zeekState } from "./tcp/state.js";
import { TcpStore } from "./tcp/store.js";

/** The part of them that is looked at when there is no room, no fewer than MIN_PASSED; and the part of those that goes. */
const PASSED_PART = 16;
const MIN_PASSED = 1024;
const EVICTED_PART = 2;
/** From so many segments on, connections are of one size. */
const MANY_SEGMENTS = 1023;
/** Connections whose content is followed at once. */
const MAX_STREAMS = 32_768;
/** Bytes that they may hold back together. */
const ROOM_BYTES = 32 * 1024 * 1024;
/** Requests that may wait in all connections together, beyond the few of each: 16 bytes each. */
const ROOM_REQUESTS = 2 ** 22;

/** RFC 9293 3.1: offset of the sequence number. */
const TCP_SEQ = 4;
const TCP_ACK = 8;

/** What the link of a UDP flow says. */
const enum UdpLink {
  /** Below: how many of its datagrams were of no known protocol. */
  tries = 3,
  /** From here on: the number of its channel. */
  channel = 16,
  unroomed = 0x1ffff,
  // biome-ignore lint/suspicious/noDuplicateEnumValues: the mask is also the last place.
  placeMask = 0x1ffff,
  /** Which of the protocols over UDP. */
  protocolShift = 17,
  protocolMask = 3,
  clientIsB = 0x80000,
}

/** What was counted of connections that are kept no more, both directions together. */
export interface DepartedTcp {
  connections: number;
  retransmissions: number;
  outOfOrder: number;
  duplicateAcks: number;
  zeroWindows: number;
  resets: number;
}

/** Follows the protocols over connections and flows. The core shows it each packet that may carry one, once it is counted. */
export class Inspector implements StreamHost, FlowObserver {
  readonly tcp: TcpStore;
  readonly channels: Channels;
  readonly operations = new Operations();
  readonly overTcp = overTcp();
  /** Of connections that found no room, or whose flow found none. */
  readonly withoutRoom: DepartedTcp = createDeparted();
  /** Of connections whose flow was idle for too long. */
  readonly idle: DepartedTcp = createDeparted();
  roomBytes = ROOM_BYTES;
  roomRequests = ROOM_REQUESTS;
  gaps = 0;
  /** Connections with content that was not followed because there was no room. */
  unfollowed = 0;
  readonly #overUdp = overUdp();
  /** By place in `#overUdp`; none: nothing of it was seen. */
  readonly #datagrams: Datagrams[] = [];
  readonly #flows: ObservedFlows;
  readonly #streams: (Stream | null)[] = [];
  readonly #freeStreams: number[] = [];
  readonly #core: Core;
  /** Position of the search for the next connections to evict. */
  #hand = 0;

  /** Keeps a link with each of `flows`. `nameChangesUs`: when names change, as far as known. */
  constructor(flows: ObservedFlows, core: Core, nameChangesUs: readonly number[] = []) {
    this.#flows = flows;
    this.#core = core;
    this.channels = new Channels(nameChangesUs);
    this.tcp = new TcpStore(core);
  }

  /** When nanosecond 0 of the times in `tcp` was, in microseconds since 1970; NaN: no packet had a time. */
  get originUs(): number {
    return this.#core.totals[Total.originUs]!;
  }

  get #nowUs(): number {
    return this.originUs + this.#core.totals[Total.clock]! / 1000;
  }

  /** Connections stop waiting for late bytes: all of them if `isOver` (no more packets), else those too late. */
  settle(isOver: boolean): void {
    const nowUs = isOver ? Number.POSITIVE_INFINITY : this.#nowUs;
    for (const stream of this.#streams) stream?.expire(nowUs);
  }

  /** Names have changed: later requests are counted separately. */
  renewNames(): void {
    this.channels.renew();
  }

  /** Entry of a flow's TCP connection, or -1. */
  connectionOf(link: number, protocol: number): number {
    return protocol === IpProtocol.tcp ? link - 1 : -1;
  }

  /** What was recognised over a flow that is no TCP connection; null: nothing. */
  applicationOfUdp(link: number, protocol: number): Application | null {
    if (protocol !== IpProtocol.udp || link < UdpLink.channel) return null;
    return this.#overUdp[(link >> UdpLink.protocolShift) & UdpLink.protocolMask]!.application;
  }

  /** What was recognised over a TCP connection; null: nothing. */
  applicationOf(connection: number): Application | null {
    const application = this.tcp.words[connection * Layout.words + Shared.application]!;
    return application === 0 ? null : APPLICATIONS[application - 1]!;
  }

  /** A segment of a connection that carries something, or whose stream wants to know of it. Its payload is in `view`: see Row. */
  follow(view: DataView, row: number, connection: number): void {
    const core = this.#core;
    const { words } = this.tcp;
    const at = connection * Layout.words;
    const of = rowAt(row);
    const marks = core.words[(of + Row.marks) >> 2]!;
    const fromB = (marks & Mark.fromB) !== 0;
    const tcpFlags = (marks >>> MarkShift.flags) & 0xff;
    const number = words[at + Shared.stream]!;
    if ((tcpFlags & TcpFlag.rst) !== 0) {
      if (number > 0) this.#closeStream(connection);
      return;
    }
    const stream = number === 0 ? this.#open(connection) : this.#streams[number - 1]!;
    if (stream === null) return;
    const nowUs = this.#nowUs;
    const transport = core.words[(of + Row.transport) >> 2]! >>> 0;
    if ((tcpFlags & TcpFlag.ack) !== 0)
      stream.acknowledge(fromB, core.view.getInt32(transport + TCP_ACK), nowUs);
    const seq = (core.view.getInt32(transport + TCP_SEQ) + ((tcpFlags & TcpFlag.syn) !== 0 ? 1 : 0)) | 0;
    const payloadLength = core.words[(of + Row.payloadLength) >> 2]! >>> 0;
    if (payloadLength > 0) {
      const end = core.words[(of + Row.end) >> 2]! >>> 0;
      const payload = core.words[(of + Row.payload) >> 2]! >>> 0;
      stream.send(fromB, seq, view, Math.min(payload, end), end, payloadLength, nowUs);
    }
    if ((tcpFlags & TcpFlag.fin) !== 0) stream.finish(fromB, (seq + payloadLength) | 0);
    if (stream.application !== null && words[at + Shared.application] === 0)
      words[at + Shared.application] = APPLICATIONS.indexOf(stream.application) + 1;
    if (stream.done) this.#closeStream(connection);
  }

  /** Begins to follow what a connection carries; null: there is no room. */
  #open(connection: number): Stream | null {
    const { words } = this.tcp;
    const at = connection * Layout.words;
    if (this.#streams.length - this.#freeStreams.length >= MAX_STREAMS) {
      this.unfollowed++;
      this.operations.missed.add(null, Missed.connectionRoom);
      words[at + Shared.stream] = Needless.stream;
      return null;
    }
    const begun = words[at + Shared.begun]! & Begun.mask;
    const flow = words[at + Shared.flow]!;
    const clientIsB = begun === 0 ? isBegunByB(this.#storeOf(flow), flow >> 1) : begun === Begun.byB;
    const stream = new Stream(this, clientIsB, begun !== 0, (isB) => this.#channelOf(connection, isB));
    if (begun !== 0)
      for (const isB of [false, true]) {
        const side = at + (isB ? Layout.sideB : 0);
        if ((words[side + Side.flags]! & SideFlag.baseSeen) !== 0)
          stream.begin(isB, (words[side + Side.baseSeq]! + 1) | 0);
      }
    const number = this.#freeStreams.pop() ?? this.#streams.length;
    this.#streams[number] = stream;
    words[at + Shared.stream] = number + 1;
    return stream;
  }

  #closeStream(connection: number): void {
    const place = connection * Layout.words + Shared.stream;
    const number = this.tcp.words[place]! - 1;
    this.tcp.words[place] = Needless.stream;
    if (number < 0) return;
    this.#streams[number]!.close();
    this.#streams[number] = null;
    this.#freeStreams.push(number);
  }

  #channelOf(connection: number, clientIsB: boolean): number {
    const flow = this.tcp.words[connection * Layout.words + Shared.flow]!;
    return this.#channel(this.#storeOf(flow), flow >> 1, clientIsB);
  }

  #channel(store: FlowStore, entry: number, clientIsB: boolean): number {
    return this.channels.find(
      store.version,
      (ofServer, i) => store.addressWord(entry, ofServer !== clientIsB, i),
      store.port(entry, clientIsB),
      store.port(entry, !clientIsB),
      this.#nowUs,
    );
  }

  /** A datagram of a flow that may be of a protocol that is read. Its payload is in `view`: see Row. */
  datagram(view: DataView, row: number): void {
    const { words } = this.#core;
    const at = rowAt(row);
    const marks = words[(at + Row.marks) >> 2]!;
    const store = (marks & Mark.ipv6) === 0 ? this.#flows.ipv4 : this.#flows.ipv6;
    const entry = words[(at + Row.entry) >> 2]!;
    const fromB = (marks & Mark.fromB) !== 0;
    const payload = words[(at + Row.payload) >> 2]! >>> 0;
    const end = words[(at + Row.end) >> 2]! >>> 0;
    let link = store.link(entry);
    if (link < Needless.udp) {
      link = this.#recognise(store, entry, fromB, link, view, payload, end);
      store.setLink(entry, link);
      if (link <= Needless.udp) return;
    }
    const clientIsB = (link & UdpLink.clientIsB) !== 0;
    const place = link & UdpLink.placeMask;
    const channel = place === UdpLink.unroomed ? -1 : place - UdpLink.channel;
    const protocol = (link >> UdpLink.protocolShift) & UdpLink.protocolMask;
    this.#datagrams[protocol] ??= this.#overUdp[protocol]!.over.open(this.operations);
    const isByClient = fromB === clientIsB;
    const clientPort = store.port(entry, clientIsB);
    this.#datagrams[protocol].datagram(channel, clientPort, isByClient, view, payload, end, this.#nowUs);
  }

  /** The link of a UDP flow after a datagram that may tell its protocol. */
  #recognise(
    store: FlowStore,
    entry: number,
    fromB: boolean,
    link: number,
    view: DataView,
    at: number,
    end: number,
  ): number {
    // Multicast DNS and LLMNR have the same format, but no single server.
    const isMulticast = isGroup(store, entry, false) || isGroup(store, entry, true);
    for (let protocol = 0; !isMulticast && protocol < this.#overUdp.length; protocol++) {
      const { application, over } = this.#overUdp[protocol]!;
      const looks = over.looks(view, at, end);
      if (looks !== Looks.request && looks !== Looks.response) continue;
      const clientIsB = (looks === Looks.request) === fromB;
      const channel = this.#channel(store, entry, clientIsB);
      if (channel < 0) this.operations.missed.add(application.name, Missed.pairRoom);
      const place = channel < 0 ? UdpLink.unroomed : channel + UdpLink.channel;
      return place | (protocol << UdpLink.protocolShift) | (clientIsB ? UdpLink.clientIsB : 0);
    }
    return link + 1 >= UdpLink.tries ? Needless.udp : link + 1;
  }

  #storeOf(flow: number): FlowStore {
    return (flow & 1) === 1 ? this.#flows.ipv6 : this.#flows.ipv4;
  }

  /**
   * Connections leave for `withoutRoom`; their flows stay. A hand goes round: of those it passes, the half with the fewest segments. So each
   * time only a part of them is looked at, and a flood of small ones cannot push out a busy one. Called when every entry is in use.
   */
  makeRoom(): void {
    const { words, top } = this.tcp;
    const first = this.#hand;
    const end = Math.min(top, first + Math.max(MIN_PASSED, Math.floor(top / PASSED_PART)));
    const bySize = new Int32Array(MANY_SEGMENTS + 1);
    for (let i = first; i < end; i++) bySize[sizeOf(words, i)]!++;
    let left = Math.max(1, Math.floor((end - first) / EVICTED_PART));
    let limit = 0;
    for (let sum = bySize[0]!; sum < left; limit++) sum += bySize[limit + 1]!;
    for (let i = first; i < end && left > 0; i++) {
      if (sizeOf(words, i) > limit) continue;
      const flow = words[i * Layout.words + Shared.flow]!;
      const store = this.#storeOf(flow);
      for (const { observer } of this.#flows.subscriptions) observer.closing?.(store, flow >> 1);
      this.evicted(store, flow >> 1);
      left--;
    }
    this.#hand = end === top ? 0 : end;
  }

  /** A flow has no room any more, or its connection: what came of the requests that wait is not known. */
  evicted(store: FlowStore, entry: number): void {
    const connection = this.#connectionAt(store, entry);
    if (connection < 0) return;
    const stream = this.tcp.words[connection * Layout.words + Shared.stream]!;
    if (stream > 0) this.#streams[stream - 1]!.abandon();
    this.#leave(store, entry, connection, this.withoutRoom);
  }

  /** A flow is over, and its connection: requests that wait get no answer. */
  expired(store: FlowStore, entry: number): void {
    const connection = this.#connectionAt(store, entry);
    if (connection >= 0) this.#leave(store, entry, connection, this.idle);
  }

  /** A flow has a new place. */
  moved(store: FlowStore, _from: number, to: number): void {
    const connection = this.#connectionAt(store, to);
    if (connection >= 0) this.tcp.words[connection * Layout.words + Shared.flow] = placeOf(store, to);
  }

  /** Of connections that are kept no more, for whatever reason. */
  get departed(): DepartedTcp {
    const sum = createDeparted();
    for (const key of DEPARTED_KEYS) sum[key] = this.withoutRoom[key] + this.idle[key];
    return sum;
  }

  #connectionAt(store: FlowStore, entry: number): number {
    return this.connectionOf(store.link(entry), store.meta(entry) & Meta.protocolMask);
  }

  /** A connection is kept no more: what was counted is summed. */
  #leave(store: FlowStore, entry: number, connection: number, sum: DepartedTcp): void {
    store.setLink(entry, 0);
    this.#closeStream(connection);
    const { tcp } = this;
    const { troubleWords } = tcp;
    sum.connections += tcp.words[connection * Layout.words + Shared.connections]!;
    for (const ofB of [false, true]) {
      const trouble = tcp.trouble(connection, ofB);
      if (trouble < 0) break;
      sum.retransmissions +=
        troubleWords[trouble + Trouble.retransmissions]! +
        troubleWords[trouble + Trouble.fast]! +
        troubleWords[trouble + Trouble.spurious]!;
      sum.outOfOrder += troubleWords[trouble + Trouble.outOfOrder]!;
      sum.duplicateAcks += troubleWords[trouble + Trouble.duplicateAcks]!;
      sum.zeroWindows += troubleWords[trouble + Trouble.zeroWindows]!;
      sum.resets += troubleWords[trouble + Trouble.resets]!;
    }
    tcp.release(connection);
  }

  /** Another connection begins on the ports of this one: says what came of it. */
  conclude(connection: number): Outcome {
    const { words } = this.tcp;
    const at = connection * Layout.words;
    if (words[at + Shared.stream]! > 0) this.#closeStream(connection);
    const isBegunByB = (words[at + Shared.begun]! & Begun.mask) === Begun.byB;
    const zeek = zeekState(words[at + Shared.state]!, isBegunByB);
    return zeek === "REJ" ? Outcome.refused : zeek === "S0" ? Outcome.unanswered : Outcome.other;
  }
}

/** Segments of a connection, no more than MANY_SEGMENTS. */
function sizeOf(words: Int32Array, connection: number): number {
  return Math.min(MANY_SEGMENTS, words[connection * Layout.words + Shared.segments]!);
}

/** What `Shared.flow` says of a flow. */
function placeOf(store: FlowStore, entry: number): number {
  return entry * 2 + (store.version === 6 ? 1 : 0);
}

function createDeparted(): DepartedTcp {
  return {
    connections: 0,
    retransmissions: 0,
    outOfOrder: 0,
    duplicateAcks: 0,
    zeroWindows: 0,
    resets: 0,
  };
}

const DEPARTED_KEYS = Object.keys(createDeparted()) as readonly (keyof DepartedTcp)[];
