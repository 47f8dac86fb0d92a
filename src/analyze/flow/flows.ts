/** The flow table: one flow per conversation, both directions, bounded. */
import { formatIpv4, formatIpv6 } from "../../net.js";
import type { Core } from "../core/core.js";
import { Meta } from "../core/layout.js";
import type { FlowObserver } from "../flow-observer.js";
import { Ageing, type AgeingFlows, type Timeouts } from "./ageing.js";
import { FlowStore } from "./flowstore.js";
import { isBegunByB, type Orientation, orientationOf } from "./orientation.js";
import { type ObservedFlows, Subscription } from "./subscription.js";

/** Flows that have left the table, summed. */
export interface Departed {
  flows: number;
  packets: number;
  bytes: number;
  replyPackets: number;
  replyBytes: number;
}

/** One flow, read from the table: orig is the end that began it, or is taken to have. A cursor; see `FlowTable.read`. */
export interface Flow {
  version: 4 | 6;
  protocol: number;
  /** Addresses as words: one for IPv4, four for IPv6. */
  readonly source: Int32Array;
  readonly destination: Int32Array;
  /** null: no ports. */
  sourcePort: number | null;
  destinationPort: number | null;
  packets: number;
  bytes: number;
  replyPackets: number;
  replyBytes: number;
  /** null: no packet of it had a time. */
  startUs: number | null;
  endUs: number | null;
  orientation: Orientation;
}

/** The part of the table that goes when it is full: the smallest sixteenth. */
const EVICTED_PART = 16;

/**
 * Conversations by five-tuple. Bounded to `maxFlows`: when full, the flows with the fewest bytes (of equal ones the
 * oldest) leave for `evicted`, so that a heavy talker stays through any flood and the totals stay exact. With an idle
 * time-out, flows that are over leave for `expired`; flows then are in no order of age.
 * The core counts packets in it. Flows are numbered from 0 to `count` - 1, IPv4 first; the numbers hold until packets are counted.
 */
export class FlowTable implements ObservedFlows, AgeingFlows {
  readonly ipv4: FlowStore;
  readonly ipv6: FlowStore;
  readonly maxFlows: number;
  /** Flows that did not fit. */
  readonly evicted: Departed = createDeparted();
  /** Flows that were idle for too long. */
  readonly expired: Departed = createDeparted();
  readonly settle: () => void;
  /** Each is told of what becomes of flows, in this order. */
  readonly subscriptions: Subscription[] = [];
  readonly #cursor = createFlow();
  /** null: flows have no time-outs. */
  readonly #ageing: Ageing | null;

  /** `settle` counts what was added and still waits. */
  constructor(core: Core, settle: () => void, timeouts: Timeouts = {}) {
    this.settle = settle;
    this.maxFlows = core.bounds.maxFlows;
    this.ipv4 = new FlowStore(4, core);
    this.ipv6 = new FlowStore(6, core);
    const { activeUs, idleUs } = timeouts;
    this.#ageing = activeUs === undefined && idleUs === undefined ? null : new Ageing(this, timeouts);
    if (idleUs !== undefined) core.setIdle(idleUs);
  }

  /** Adds an observer. It is told before those that were added earlier, so it can still read what they keep. */
  observe(observer: FlowObserver): Subscription {
    const subscription = new Subscription(this, observer);
    this.subscriptions.unshift(subscription);
    return subscription;
  }

  /** All flows that have left. */
  get departed(): Departed {
    const { evicted, expired } = this;
    return {
      flows: evicted.flows + expired.flows,
      packets: evicted.packets + expired.packets,
      bytes: evicted.bytes + expired.bytes,
      replyPackets: evicted.replyPackets + expired.replyPackets,
      replyBytes: evicted.replyBytes + expired.replyBytes,
    };
  }

  get count(): number {
    return this.ipv4.count + this.ipv6.count;
  }

  /** How many there are of IPv4: the number of the first flow of IPv6. */
  get ipv4Count(): number {
    return this.ipv4.count;
  }

  get hasIpv6(): boolean {
    return this.ipv6.count > 0;
  }

  /** Whether flows have time-outs: then each packet's time is told by `pass` before the packet is counted. */
  get ages(): boolean {
    return this.#ageing !== null;
  }

  /** Time goes on: flows that are over leave, those that go on for long are reported. */
  pass(timeUs: number): void {
    if (timeUs >= 0) this.#ageing?.pass(timeUs);
  }

  /** IP version of flow `flow`. */
  version(flow: number): 4 | 6 {
    return flow < this.ipv4.count ? 4 : 6;
  }

  /** Packets sent by end a (false) or b (true). The table chooses which end is a; see `isBegunByB`. */
  packets(flow: number, byB: boolean): number {
    return this.#store(flow).packets(this.#entry(flow), byB);
  }

  /** Bytes on the wire sent by end a or b. */
  bytes(flow: number, byB: boolean): number {
    return this.#store(flow).bytes(this.#entry(flow), byB);
  }

  /** Word `i` of the address of end a or b: one for IPv4, four for IPv6. */
  addressWord(flow: number, ofB: boolean, i: number): number {
    return this.#store(flow).addressWord(this.#entry(flow), ofB, i);
  }

  /** Text of the address of end a or b. */
  addressText(flow: number, ofB: boolean): string {
    const store = this.#store(flow);
    const entry = this.#entry(flow);
    const word = (i: number) => store.addressWord(entry, ofB, i);
    return store.version === 4 ? formatIpv4(word(0)) : formatIpv6(word(0), word(1), word(2), word(3));
  }

  /** Port of end a or b; 0 where there are none. */
  port(flow: number, ofB: boolean): number {
    return this.#store(flow).port(this.#entry(flow), ofB);
  }

  /** Time of the earliest packet in microseconds, or null where none had a time. */
  startUs(flow: number): number | null {
    const start = this.#store(flow).firstUs(this.#entry(flow));
    return Number.isFinite(start) ? start : null;
  }

  /** Who began: a handshake or request says so; else the end with the higher port; else the sender of the first packet. */
  isBegunByB(flow: number): boolean {
    return isBegunByB(this.#store(flow), this.#entry(flow));
  }

  /** Whether a handshake or request tells who began. */
  isHandshake(flow: number): boolean {
    return (this.#store(flow).meta(this.#entry(flow)) & (Meta.begunByA | Meta.begunByB)) !== 0;
  }

  /** The protocol, and whether there are ports: what tells flows of equal ends apart. */
  protocolKey(flow: number): number {
    return this.#store(flow).meta(this.#entry(flow)) & Meta.keyMask;
  }

  /** The number that the inspector stores with a flow. */
  link(flow: number): number {
    return this.#store(flow).link(this.#entry(flow));
  }

  /** The number of the flow at a place of one of the stores. */
  numberOf(store: FlowStore, entry: number): number {
    return store === this.ipv4 ? entry : this.ipv4.count + entry;
  }

  /** Reads a flow whole. The result is one reused cursor: it holds until the next call. */
  read(flow: number): Flow {
    return readFlow(this.#cursor, this.#store(flow), this.#entry(flow));
  }

  #store(flow: number): FlowStore {
    return flow < this.ipv4.count ? this.ipv4 : this.ipv6;
  }

  #entry(flow: number): number {
    return flow < this.ipv4.count ? flow : flow - this.ipv4.count;
  }

  /** The flow is over; see AgeingFlows. */
  expire(store: FlowStore, entry: number): void {
    this.#leaves("expired", store, entry);
    const last = store.count - 1;
    store.remove(entry);
    if (entry !== last) this.#moved(store, last, entry);
  }

  /** The flow goes on for long; see AgeingFlows. */
  report(store: FlowStore, entry: number): void {
    for (const subscription of this.subscriptions) subscription.tell(store, entry);
  }

  /** The table is full: told before another flow is added. */
  makeRoom(): void {
    while (this.count >= this.maxFlows)
      this.#evict(this.ipv4.count >= this.ipv6.count ? this.ipv4 : this.ipv6);
  }

  #evict(store: FlowStore): void {
    const quota = Math.max(1, Math.floor(store.count / EVICTED_PART));
    const sizes = new Float64Array(store.count);
    for (let i = 0; i < store.count; i++) sizes[i] = store.bytes(i, false) + store.bytes(i, true);
    const limit = sizes.slice().sort()[quota - 1]!;
    let below = 0;
    for (const size of sizes) if (size < limit) below++;
    let atLimit = quota - below;
    store.compact(
      (entry) => {
        const size = sizes[entry]!;
        if (size > limit || (size === limit && atLimit-- <= 0)) return true;
        this.#leaves("evicted", store, entry);
        return false;
      },
      (from, to) => this.#moved(store, from, to),
    );
  }

  /** Sums a flow that leaves, and says so. */
  #leaves(how: "evicted" | "expired", store: FlowStore, entry: number): void {
    const flow = readFlow(this.#cursor, store, entry);
    const departed = this[how];
    departed.flows++;
    departed.packets += flow.packets;
    departed.bytes += flow.bytes;
    departed.replyPackets += flow.replyPackets;
    departed.replyBytes += flow.replyBytes;
    for (const subscription of this.subscriptions) subscription.leaves(how, store, entry);
    this.#ageing?.forget(store, entry);
  }

  #moved(store: FlowStore, from: number, to: number): void {
    for (const subscription of this.subscriptions) subscription.moved(store, from, to);
    this.#ageing?.moved(store, from, to);
  }
}

function createDeparted(): Departed {
  return { flows: 0, packets: 0, bytes: 0, replyPackets: 0, replyBytes: 0 };
}

function createFlow(): Flow {
  return {
    version: 4,
    protocol: 0,
    source: new Int32Array(4),
    destination: new Int32Array(4),
    sourcePort: null,
    destinationPort: null,
    packets: 0,
    bytes: 0,
    replyPackets: 0,
    replyBytes: 0,
    startUs: null,
    endUs: null,
    orientation: "first",
  };
}

function readFlow(flow: Flow, store: FlowStore, entry: number): Flow {
  const meta = store.meta(entry);
  const portless = (meta & Meta.portless) !== 0;
  const origIsB = isBegunByB(store, entry);
  flow.version = store.version;
  flow.protocol = meta & Meta.protocolMask;
  for (let i = 0; i < (store.version === 4 ? 1 : 4); i++) {
    flow.source[i] = store.addressWord(entry, origIsB, i);
    flow.destination[i] = store.addressWord(entry, !origIsB, i);
  }
  flow.sourcePort = portless ? null : store.port(entry, origIsB);
  flow.destinationPort = portless ? null : store.port(entry, !origIsB);
  flow.packets = store.packets(entry, origIsB);
  flow.bytes = store.bytes(entry, origIsB);
  flow.replyPackets = store.packets(entry, !origIsB);
  flow.replyBytes = store.bytes(entry, !origIsB);
  const start = store.firstUs(entry);
  flow.startUs = Number.isFinite(start) ? start : null;
  flow.endUs = Number.isFinite(start) ? store.lastUs(entry) : null;
  flow.orientation = orientationOf(store, entry);
  return flow;
}
