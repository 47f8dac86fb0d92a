/** From flows to edges: adds each flow's growth since the last look to the edge between its ends' names. */

import type { Names } from "../../capture/names/names.js";
import { edgeLabel } from "../../format.js";
import { protocolName } from "../../net.js";
import type { Analyzer } from "../analyzer.js";
import type { FlowTable } from "../flow/flows.js";
import type { FlowStore } from "../flow/flowstore.js";
import { numbers, Sorter } from "../flow/order.js";
import type { Subscription } from "../flow/subscription.js";
import type { FlowObserver, Growth } from "../flow-observer.js";
import { type Edge, EXTERNAL, edgeProtocol } from "./edge-book.js";
import { TcpGrowth } from "./edge-tcp.js";
import type { SeriesBook } from "./series-book.js";

/** Bits kept of a flow. */
const enum Mark {
  /** It has been looked at. */
  seen = 1,
  /** End b is the source. Decided once, so that a flow never changes sides. */
  fromB = 2,
  /** Counted under `~other` because the page is full. */
  overflowed = 4,
  /** An end of it has no name. */
  unresolved = 8,
  /** Its SYN waits for an answer: it is looked at again though it has not grown. */
  opening = 16,
}

/** Data of each flow of one IP version, by its place. */
class FlowCounts {
  marks = new Uint8Array(1024);
  /** null: to be looked up again. */
  edges = new Array<Edge | null>(1024).fill(null);
  readonly tcp: TcpGrowth;

  constructor({ flows, inspector }: Analyzer) {
    this.tcp = new TcpGrowth(flows, inspector);
  }

  reserve(flows: number): void {
    this.tcp.reserve(flows);
    if (flows <= this.marks.length) return;
    const size = Math.max(flows, this.marks.length * 2);
    const marks = new Uint8Array(size);
    marks.set(this.marks);
    this.marks = marks;
    this.edges = [...this.edges, ...new Array<null>(size - this.edges.length).fill(null)];
  }

  forget(place: number): void {
    if (place >= this.marks.length) return;
    this.marks[place] = 0;
    this.edges[place] = null;
    this.tcp.forget(place);
  }

  move(from: number, to: number): void {
    if (from >= this.marks.length) return;
    this.marks[to] = this.marks[from]!;
    this.edges[to] = this.edges[from]!;
    this.tcp.move(from, to);
    this.forget(from);
  }
}

/**
 * Follows a flow table. Each packet is counted once, under the names its ends have when it is first looked at afterwards: what
 * has been counted is never moved, so counters only grow, whatever is evicted or renamed. Costs 49 bytes a flow, and at each
 * look some 20 ns a flow, 200 ns for one that has grown and 2 us for one that has a new edge.
 */
export class EdgeCounter implements FlowObserver {
  readonly #flows: FlowTable;
  readonly #subscription: Subscription;
  readonly #book: SeriesBook<Edge>;
  readonly #ipv4: FlowCounts;
  readonly #ipv6: FlowCounts;
  #names: Names | null = null;
  #nowUs = 0;
  #freed = 0;
  /** Bytes of IP packets from or to an end that no name is known for. */
  unresolvedBytes = 0;

  constructor(analyzer: Analyzer, book: SeriesBook<Edge>) {
    this.#flows = analyzer.flows;
    this.#book = book;
    this.#ipv4 = new FlowCounts(analyzer);
    this.#ipv6 = new FlowCounts(analyzer);
    this.#subscription = this.#flows.observe(this);
  }

  /** Counts what has come since the last call. */
  update(names: Names | null, nowUs: number): void {
    this.#flows.settle();
    if (names !== this.#names) {
      this.#names = names;
      this.#ipv4.edges.fill(null);
      this.#ipv6.edges.fill(null);
    }
    this.#nowUs = nowUs;
    if (this.#book.freed !== this.#freed) this.#seekRoom();
    this.#subscription.look();
    for (const store of [this.#flows.ipv4, this.#flows.ipv6])
      this.#countedOf(store).marks.forEach((mark, place) => {
        if ((mark & Mark.opening) !== 0) this.#countNow(store, place);
      });
    this.#book.expire(nowUs);
  }

  /** Counts all of a capture that has ended: the largest flows find room first, and what has left before is in `~other`. */
  countWhole({ flows, inspector }: Analyzer, names: Names | null): void {
    this.#names = names;
    this.#nowUs = Number.MAX_SAFE_INTEGER;
    const order = numbers(flows.count);
    new Sorter(order).by("descending", (flow) => flows.bytes(flow, false) + flows.bytes(flow, true));
    for (const flow of order) {
      const isIpv4 = flow < flows.ipv4Count;
      this.#countNow(isIpv4 ? flows.ipv4 : flows.ipv6, isIpv4 ? flow : flow - flows.ipv4Count);
    }
    const { departed } = flows;
    if (departed.flows > 0) {
      const other = this.#book.other("other", 0);
      other.sentPackets += departed.packets;
      other.sentBytes += departed.bytes;
      other.receivedPackets += departed.replyPackets;
      other.receivedBytes += departed.replyBytes;
    }
    if (inspector.departed.connections > 0)
      this.#book.other("tcp", 0).retransmitted += inspector.departed.retransmissions;
  }

  /** Some edges have left the page: those that found no room may try again. */
  #seekRoom(): void {
    this.#freed = this.#book.freed;
    for (const { marks, edges } of [this.#ipv4, this.#ipv6])
      marks.forEach((mark, place) => {
        if ((mark & Mark.overflowed) !== 0) edges[place] = null;
      });
  }

  grown(store: FlowStore, place: number, growth: Readonly<Growth>): void {
    this.#count(store, place, growth);
  }

  evicted(store: FlowStore, place: number, growth: Readonly<Growth>): void {
    const counted = this.#countedOf(store);
    const isOpening = ((counted.marks[place] ?? 0) & Mark.opening) !== 0;
    if (growth.packetsA + growth.packetsB > 0 || isOpening) this.#count(store, place, growth);
    counted.forget(place);
  }

  expired(store: FlowStore, place: number, growth: Readonly<Growth>): void {
    this.evicted(store, place, growth);
  }

  closing(store: FlowStore, place: number): void {
    this.#countNow(store, place);
  }

  moved(store: FlowStore, from: number, to: number): void {
    this.#countedOf(store).move(from, to);
  }

  #countedOf(store: FlowStore): FlowCounts {
    return store.version === 4 ? this.#ipv4 : this.#ipv6;
  }

  /** Counts a flow without a report of growth: its connection may have failed. */
  #countNow(store: FlowStore, place: number): void {
    this.#count(store, place, this.#subscription.take(store, place));
  }

  #count(store: FlowStore, place: number, growth: Readonly<Growth>): void {
    const flow = this.#flows.numberOf(store, place);
    const counted = this.#countedOf(store);
    counted.reserve(store.count);
    const edge = this.#edgeOf(flow, counted, place);
    const { packetsA, bytesA, packetsB, bytesB } = growth;
    const fromB = (counted.marks[place]! & Mark.fromB) !== 0;
    edge.sentPackets += fromB ? packetsB : packetsA;
    edge.sentBytes += fromB ? bytesB : bytesA;
    edge.receivedPackets += fromB ? packetsA : packetsB;
    edge.receivedBytes += fromB ? bytesA : bytesB;
    if (packetsA + packetsB > 0) edge.lastUs = this.#nowUs;
    const isOpening = counted.tcp.take(flow, place, edge, this.#nowUs);
    counted.marks[place] = (counted.marks[place]! & ~Mark.opening) | (isOpening ? Mark.opening : 0);
    if ((counted.marks[place]! & Mark.unresolved) !== 0) this.unresolvedBytes += bytesA + bytesB;
  }

  #edgeOf(flow: number, counted: FlowCounts, place: number): Edge {
    const known = counted.edges[place]!;
    if (known !== null && known.state === "listed") return known;
    const read = this.#flows.read(flow);
    const protocol = edgeProtocol(protocolName(read.protocol, read.version));
    const isOpened = protocol === "tcp" && read.orientation === "handshake";
    let marks = counted.marks[place]!;
    if ((marks & Mark.seen) === 0 && this.#flows.isBegunByB(flow)) marks |= Mark.fromB;
    const fromB = (marks & Mark.fromB) !== 0;
    const [source, destination] = [this.#label(flow, fromB), this.#label(flow, !fromB)];
    const edge = this.#book.claim(source, destination, protocol, this.#nowUs);
    const isOther = edge.source !== source || edge.destination !== destination;
    if (isOther && (marks & Mark.overflowed) === 0) this.#book.overflow++;
    if (isOpened && (marks & Mark.seen) === 0) edge.opened++;
    const isUnresolved = source === EXTERNAL || destination === EXTERNAL;
    counted.marks[place] =
      Mark.seen |
      (marks & Mark.fromB) |
      (isOther ? Mark.overflowed : 0) |
      (isUnresolved ? Mark.unresolved : 0);
    counted.edges[place] = edge;
    return edge;
  }

  #label(flow: number, isB: boolean): string {
    const names = this.#names;
    if (names === null) return EXTERNAL;
    const flows = this.#flows;
    const name = names.find(flows.addressText(flow, isB), flows.port(flow, isB), flows.startUs(flow));
    return name === null ? EXTERNAL : edgeLabel(name);
  }
}
