/** What is seen inside conversations: how well TCP fares, and what services ask of each other. */
import { type Packet, Time } from "../capture/packet.js";
import { IpProtocol } from "../net.js";
import { type Application, type Datagrams, Looks } from "./app/application.js";
import { APPLICATIONS, overTcp, overUdp } from "./app/applications.js";
import { Channels } from "./app/channels.js";
import { Missed } from "./app/missed.js";
import { Operations } from "./app/operations.js";
import { Stream, type StreamHost } from "./app/stream.js";
import { type FlowStore, Meta } from "./flow/flowstore.js";
import { type Headers, Network, TcpFlag } from "./flow/headers.js";
import { isBegunByB, isGroup } from "./flow/orientation.js";
import type { ObservedFlows } from "./flow/subscription.js";
import type { FlowObserver } from "./flow-observer.js";
import { countSegment } from "./tcp/segment.js";
import { isSettled, nextState, zeekState } from "./tcp/state.js";
import { Layout, Shared, Side, SideFlag, TcpStore } from "./tcp/store.js";

/** TCP connections kept at once unless told otherwise; of flows beyond, only packets and bytes are counted. */
export const MAX_CONNECTIONS = 65_536;
/** The part of them that goes when there is no room: those with the fewest segments. Large, for each time all are looked at. */
const EVICTED_PART = 4;
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

/** What `Shared.stream` says beside a stream's number and one. */
const enum StreamLink {
  none = 0,
  needless = -1,
}

/** What the link of a UDP flow says. */
const enum UdpLink {
  /** Below: how many of its datagrams were of no known protocol. */
  tries = 3,
  needless = 15,
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

/** Follows TCP connections and the protocols over them. The analyzer shows it each packet, once it is counted in its flow. */
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
  /** Connections with content that was not looked into, for want of room. */
  unfollowed = 0;
  readonly #overUdp = overUdp();
  /** By place in `#overUdp`; none: nothing of it was seen. */
  readonly #datagrams: Datagrams[] = [];
  readonly #flows: ObservedFlows;
  readonly #streams: (Stream | null)[] = [];
  readonly #freeStreams: number[] = [];
  #originUs = Number.NaN;

  /** Keeps a link with each of `flows`. `nameChangesUs`: when names change, as far as it is known beforehand. */
  constructor(
    flows: ObservedFlows,
    nameChangesUs: readonly number[] = [],
    maxConnections: number = MAX_CONNECTIONS,
  ) {
    this.#flows = flows;
    this.channels = new Channels(nameChangesUs);
    this.tcp = new TcpStore(maxConnections);
  }

  /** When nanosecond 0 of the times in `tcp` was, in microseconds since 1970; NaN: no packet had a time. */
  get originUs(): number {
    return this.#originUs;
  }

  get #nowUs(): number {
    return this.#originUs + this.tcp.clock[0]! / 1000;
  }

  /** Connections give up what is late: where `isOver` (nothing more comes) all of it, else what has been for too long. */
  settle(isOver: boolean): void {
    const nowUs = isOver ? Number.POSITIVE_INFINITY : this.#nowUs;
    for (const stream of this.#streams) stream?.expire(nowUs);
  }

  /** Names have changed: what is asked from now on is counted apart from what was asked before. */
  renewNames(): void {
    this.channels.renew();
  }

  /** Looks into a packet that has a whole TCP or UDP header, of the flow at `entry` of its store. Borrows it. */
  inspect(entry: number, fromB: boolean, packet: Packet, headers: Headers): void {
    const store = headers.network === Network.ipv4 ? this.#flows.ipv4 : this.#flows.ipv6;
    if (packet.timeUs !== Time.none) {
      if (Number.isNaN(this.#originUs)) this.#originUs = packet.timeUs;
      this.tcp.clock[0] = (packet.timeUs - this.#originUs) * 1000 + packet.nanos;
    }
    if (headers.protocol === IpProtocol.tcp) this.#inspectTcp(store, entry, fromB, packet, headers);
    else this.#inspectUdp(store, entry, fromB, packet, headers);
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

  #inspectTcp(store: FlowStore, entry: number, fromB: boolean, packet: Packet, headers: Headers): void {
    const { transport, payloadLength, tcpFlags } = headers;
    if (payloadLength < 0) return;
    const link = store.link(entry);
    const connection = link === 0 ? this.#take(store, entry) : link - 1;
    const { words } = this.tcp;
    const at = connection * Layout.words;
    const { view } = packet;
    if ((tcpFlags & TcpFlag.syn) !== 0)
      this.#begin(connection, fromB, view.getInt32(transport + TCP_SEQ), tcpFlags);
    const state = words[at + Shared.state]!;
    countSegment(this.tcp, connection, fromB, view, headers);
    words[at + Shared.segments]!++;
    // Captures made of text begin in 1970: as Wireshark has it, no handshake is measured from there.
    if (packet.timeUs === 0) words[at + Shared.isOpening] = 0;
    if (!isSettled(state, fromB, tcpFlags, payloadLength))
      words[at + Shared.state] = nextState(state, fromB, tcpFlags, payloadLength, state === 0);
    const stream = words[at + Shared.stream]!;
    if (stream > 0 || (stream === StreamLink.none && payloadLength > 0))
      this.#follow(connection, fromB, packet, headers);
  }

  /** A SYN: another connection on the same ports, where its number is another. */
  #begin(connection: number, fromB: boolean, seq: number, flags: number): void {
    const { words } = this.tcp;
    const at = connection * Layout.words;
    const side = at + (fromB ? Layout.sideB : 0);
    const isKnown =
      (words[side + Side.flags]! & SideFlag.baseSeen) !== 0 && words[side + Side.baseSeq] !== seq;
    if ((flags & TcpFlag.ack) !== 0) {
      if (isKnown) words[side + Side.baseSeq] = seq;
    } else if (isKnown) {
      this.#conclude(connection);
      this.tcp.reset(connection);
      words[at + Shared.connections]!++;
    }
    const isByB = fromB === ((flags & TcpFlag.ack) === 0);
    words[at + Shared.begun] = isByB ? 2 : 1;
  }

  #follow(connection: number, fromB: boolean, packet: Packet, headers: Headers): void {
    const { words } = this.tcp;
    const at = connection * Layout.words;
    const { transport, payload, payloadLength, tcpFlags, end } = headers;
    const { view } = packet;
    const number = words[at + Shared.stream]!;
    if ((tcpFlags & TcpFlag.rst) !== 0) {
      if (number > 0) this.#closeStream(connection);
      return;
    }
    const stream = number === StreamLink.none ? this.#open(connection) : this.#streams[number - 1]!;
    if (stream === null) return;
    const nowUs = this.#nowUs;
    if ((tcpFlags & TcpFlag.ack) !== 0) stream.acknowledge(fromB, view.getInt32(transport + TCP_ACK), nowUs);
    const seq = (view.getInt32(transport + TCP_SEQ) + ((tcpFlags & TcpFlag.syn) !== 0 ? 1 : 0)) | 0;
    if (payloadLength > 0) stream.send(fromB, seq, view, Math.min(payload, end), end, payloadLength, nowUs);
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
      words[at + Shared.stream] = StreamLink.needless;
      return null;
    }
    const begun = words[at + Shared.begun]!;
    const flow = words[at + Shared.flow]!;
    const clientIsB = begun === 0 ? isBegunByB(this.#storeOf(flow), flow >> 1) : begun === 2;
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
    this.tcp.words[place] = StreamLink.needless;
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

  #inspectUdp(store: FlowStore, entry: number, fromB: boolean, packet: Packet, headers: Headers): void {
    let link = store.link(entry);
    if (link === UdpLink.needless || headers.payload >= headers.end) return;
    const { view } = packet;
    const { payload, end } = headers;
    if (link < UdpLink.needless) {
      link = this.#recognise(store, entry, fromB, link, view, payload, end);
      store.setLink(entry, link);
      if (link <= UdpLink.needless) return;
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
    // Multicast DNS and LLMNR look alike, and ask nobody in particular.
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
    return link + 1 >= UdpLink.tries ? UdpLink.needless : link + 1;
  }

  #take(store: FlowStore, entry: number): number {
    if (this.tcp.used >= this.tcp.maxEntries) this.#makeRoom();
    const connection = this.tcp.take(placeOf(store, entry));
    this.tcp.words[connection * Layout.words + Shared.connections] = 1;
    store.setLink(entry, connection + 1);
    return connection;
  }

  #storeOf(flow: number): FlowStore {
    return (flow & 1) === 1 ? this.#flows.ipv6 : this.#flows.ipv4;
  }

  /** The connections with the fewest segments leave for `evicted`; their flows stay. */
  #makeRoom(): void {
    const { tcp } = this;
    const quota = Math.max(1, Math.floor(tcp.used / EVICTED_PART));
    const bySize = new Int32Array(MANY_SEGMENTS + 1);
    for (let i = 0; i < tcp.top; i++) {
      const size = this.#sizeOf(i);
      if (size >= 0) bySize[size] = bySize[size]! + 1;
    }
    let limit = 0;
    for (let sum = bySize[0]!; sum < quota; limit++) sum += bySize[limit + 1]!;
    for (let i = 0, left = quota; i < tcp.top && left > 0; i++) {
      const size = this.#sizeOf(i);
      if (size < 0 || size > limit) continue;
      const flow = tcp.words[i * Layout.words + Shared.flow]!;
      const store = this.#storeOf(flow);
      for (const { observer } of this.#flows.subscriptions) observer.closing?.(store, flow >> 1);
      this.evicted(store, flow >> 1);
      left--;
    }
  }

  /** Segments of a connection, no more than MANY_SEGMENTS; -1: the entry is free. */
  #sizeOf(connection: number): number {
    const at = connection * Layout.words;
    const { words } = this.tcp;
    return words[at + Shared.flow]! < 0 ? -1 : Math.min(MANY_SEGMENTS, words[at + Shared.segments]!);
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
    const { words } = this.tcp;
    const at = connection * Layout.words;
    sum.connections += words[at + Shared.connections]!;
    for (let side = at; side < at + Layout.sides; side += Layout.sideB) {
      sum.retransmissions +=
        words[side + Side.retransmissions]! + words[side + Side.fast]! + words[side + Side.spurious]!;
      sum.outOfOrder += words[side + Side.outOfOrder]!;
      sum.duplicateAcks += words[side + Side.duplicateAcks]!;
      sum.zeroWindows += words[side + Side.zeroWindows]!;
      sum.resets += words[side + Side.resets]!;
    }
    this.tcp.release(connection);
  }

  /** Another connection begins on the ports of this one: notes how it ended. */
  #conclude(connection: number): void {
    const { words } = this.tcp;
    const at = connection * Layout.words;
    const zeek = zeekState(words[at + Shared.state]!, words[at + Shared.begun] === 2);
    if (zeek === "REJ") words[at + Shared.refused]!++;
    else if (zeek === "S0") words[at + Shared.unanswered]!++;
    if (words[at + Shared.stream]! > 0) this.#closeStream(connection);
  }
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
