/** From flows to edges: what each flow has grown by since the last look goes to the edge between its ends' names. */
import type { Names } from "../../capture/names/names.js";
import { protocolName } from "../../net.js";
import type { Analyzer } from "../analyzer.js";
import type { FlowTable } from "../flow/flows.js";
import { numbers, Sorter } from "../flow/order.js";
import type { FlowObserver } from "../flow-observer.js";
import { type Edge, EXTERNAL, edgeLabel, edgeProtocol } from "./edge-book.js";
import { TcpGrowth } from "./edge-tcp.js";
import type { SeriesBook } from "./series-book.js";

/** Bits kept of a flow. */
const enum Mark {
  /** It has been looked at. */
  seen = 1,
  /** End b is the source. Decided once, so that a flow never changes sides. */
  fromB = 2,
  /** Counted under `~other` for want of room. */
  overflowed = 4,
  /** An end of it has no name. */
  unresolved = 8,
  /** Its SYN waits for an answer: it is looked at again though it has not grown. */
  opening = 16,
}

/** What has been counted of each flow of one IP version, by its place among them. */
class Counted {
  /** Packets and bytes of a, packets and bytes of b. */
  numbers = new Float64Array(4096);
  marks = new Uint8Array(1024);
  /** null: to be found anew. */
  edges = new Array<Edge | null>(1024).fill(null);
  readonly tcp: TcpGrowth;

  constructor({ flows, inspector }: Analyzer) {
    this.tcp = new TcpGrowth(flows, inspector);
  }

  reserve(flows: number): void {
    this.tcp.reserve(flows);
    if (flows <= this.marks.length) return;
    const size = Math.max(flows, this.marks.length * 2);
    const [numbers, marks] = [new Float64Array(size * 4), new Uint8Array(size)];
    numbers.set(this.numbers);
    marks.set(this.marks);
    this.numbers = numbers;
    this.marks = marks;
    this.edges = [...this.edges, ...new Array<null>(size - this.edges.length).fill(null)];
  }
}

/**
 * Follows a flow table. Each packet is counted once, under the names its ends have when it is first looked at afterwards: what
 * has been counted is never moved, so counters only grow, whatever is evicted or renamed. Costs 49 bytes a flow, and at each
 * look some 20 ns a flow, 200 ns for one that has grown and 2 us for one that has a new edge.
 */
export class EdgeCounter implements FlowObserver {
  readonly #flows: FlowTable;
  readonly #book: SeriesBook<Edge>;
  readonly #ipv4: Counted;
  readonly #ipv6: Counted;
  #names: Names | null = null;
  #nowUs = 0;
  #freed = 0;
  /** Bytes of IP packets from or to an end that no name is known for. */
  unresolvedBytes = 0;

  constructor(analyzer: Analyzer, book: SeriesBook<Edge>) {
    this.#flows = analyzer.flows;
    this.#book = book;
    this.#ipv4 = new Counted(analyzer);
    this.#ipv6 = new Counted(analyzer);
    this.#flows.observers.push(this);
  }

  /** Counts what has come since the last call. */
  update(names: Names | null, nowUs: number): void {
    if (names !== this.#names) {
      this.#names = names;
      this.#ipv4.edges.fill(null);
      this.#ipv6.edges.fill(null);
    }
    this.#nowUs = nowUs;
    if (this.#book.freed !== this.#freed) this.#seekRoom();
    this.#look();
    this.#book.expire(nowUs);
  }

  /** Counts all of a capture that has ended: the largest flows find room first, and what was evicted before is in `~other`. */
  countWhole({ flows, inspector }: Analyzer, names: Names | null): void {
    this.#names = names;
    this.#nowUs = Number.MAX_SAFE_INTEGER;
    this.#ipv4.reserve(flows.ipv4Count);
    this.#ipv6.reserve(flows.count - flows.ipv4Count);
    const order = numbers(flows.count);
    new Sorter(order).by("descending", (flow) => flows.bytes(flow, false) + flows.bytes(flow, true));
    for (const flow of order) {
      const isIpv4 = flow < flows.ipv4Count;
      this.#count(flow, isIpv4 ? this.#ipv4 : this.#ipv6, isIpv4 ? flow : flow - flows.ipv4Count);
    }
    const { evicted } = flows;
    if (evicted.flows > 0) {
      const other = this.#book.other("other", 0);
      other.sentPackets += evicted.packets;
      other.sentBytes += evicted.bytes;
      other.receivedPackets += evicted.replyPackets;
      other.receivedBytes += evicted.replyBytes;
    }
    if (inspector.evicted.connections > 0)
      this.#book.other("tcp", 0).retransmitted += inspector.evicted.retransmissions;
  }

  /** Some edges have left the page: those that found no room may try again. */
  #seekRoom(): void {
    this.#freed = this.#book.freed;
    for (const { marks, edges } of [this.#ipv4, this.#ipv6])
      marks.forEach((mark, place) => {
        if ((mark & Mark.overflowed) !== 0) edges[place] = null;
      });
  }

  evicting(): void {
    this.#look();
  }

  /** All has just been counted: what the flows that stayed hold now is what is counted of them. */
  renumbered(): void {
    for (const counted of [this.#ipv4, this.#ipv6]) {
      counted.edges.fill(null);
      counted.marks.fill(0);
      counted.numbers.fill(0);
    }
    this.#each((flow, counted, place) => {
      this.#takeOver(flow, counted.numbers, place * 4);
      const isOpening = counted.tcp.settle(flow, place, this.#nowUs);
      counted.marks[place] =
        Mark.seen | (this.#flows.isBegunByB(flow) ? Mark.fromB : 0) | (isOpening ? Mark.opening : 0);
    });
  }

  #each(visit: (flow: number, counted: Counted, place: number) => void): void {
    const { count, ipv4Count } = this.#flows;
    this.#ipv4.reserve(ipv4Count);
    this.#ipv6.reserve(count - ipv4Count);
    for (let flow = 0; flow < ipv4Count; flow++) visit(flow, this.#ipv4, flow);
    for (let flow = ipv4Count; flow < count; flow++) visit(flow, this.#ipv6, flow - ipv4Count);
  }

  #look(): void {
    const flows = this.#flows;
    this.#each((flow, counted, place) => {
      const { numbers } = counted;
      const at = place * 4;
      const isSame =
        flows.packets(flow, false) === numbers[at] && flows.packets(flow, true) === numbers[at + 2];
      if (isSame && (counted.marks[place]! & Mark.opening) === 0) return;
      this.#count(flow, counted, place);
    });
  }

  #count(flow: number, counted: Counted, place: number): void {
    const edge = this.#edgeOf(flow, counted, place);
    const { numbers } = counted;
    const at = place * 4;
    const [packetsA, bytesA, packetsB, bytesB] = [0, 1, 2, 3].map((i) => numbers[at + i]!) as Four;
    this.#takeOver(flow, numbers, at);
    const a = { packets: numbers[at]! - packetsA, bytes: numbers[at + 1]! - bytesA };
    const b = { packets: numbers[at + 2]! - packetsB, bytes: numbers[at + 3]! - bytesB };
    const [sent, received] = (counted.marks[place]! & Mark.fromB) !== 0 ? [b, a] : [a, b];
    edge.sentPackets += sent.packets;
    edge.sentBytes += sent.bytes;
    edge.receivedPackets += received.packets;
    edge.receivedBytes += received.bytes;
    if (a.packets + b.packets > 0) edge.lastUs = this.#nowUs;
    const isOpening = counted.tcp.take(flow, place, edge, this.#nowUs);
    counted.marks[place] = (counted.marks[place]! & ~Mark.opening) | (isOpening ? Mark.opening : 0);
    if ((counted.marks[place]! & Mark.unresolved) !== 0) this.unresolvedBytes += a.bytes + b.bytes;
  }

  #takeOver(flow: number, numbers: Float64Array, at: number): void {
    const flows = this.#flows;
    numbers[at] = flows.packets(flow, false);
    numbers[at + 1] = flows.bytes(flow, false);
    numbers[at + 2] = flows.packets(flow, true);
    numbers[at + 3] = flows.bytes(flow, true);
  }

  #edgeOf(flow: number, counted: Counted, place: number): Edge {
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

type Four = [number, number, number, number];
