/**
 * The time-outs of flows, as exporters of NetFlow and IPFIX have them (RFC 5102 5.11.1 and 5.11.2): a flow that goes on is reported from
 * time to time, a flow without packets is over.
 *
 * A hand goes round the table, as that of a clock, as far as packets' times go on: it looks at every flow some four times within the shorter
 * time-out, a bounded part at a packet. So a report is late by that quarter at most, by more only after a leap of time.
 */
import type { FlowStore } from "./flowstore.js";

/** Microseconds of packet time, above 0; absent: never. */
export interface Timeouts {
  /** A flow that goes on is reported so long after it began or was last reported. */
  readonly activeUs?: number;
  /** A flow without packets for so long leaves the table. */
  readonly idleUs?: number;
}

/** What the hand does to the flows that it finds. */
export interface AgeingFlows {
  readonly ipv4: FlowStore;
  readonly ipv6: FlowStore;
  /** The flow is over: it leaves, and the last flow of its store takes its place. */
  expire(store: FlowStore, entry: number): void;
  /** The flow goes on for long. */
  report(store: FlowStore, entry: number): void;
}

/** Rounds of the hand within the shorter time-out. */
const ROUNDS = 4;
/** Flows that the hand looks at for one packet at most. */
const MOST_AT_ONCE = 4096;
const FIRST_FLOWS = 1024;

export class Ageing {
  readonly #flows: AgeingFlows;
  readonly #activeUs: number;
  readonly #idleUs: number;
  readonly #roundUs: number;
  /** When the flow at a place was last reported; 0: not yet. Microseconds since 1970. */
  #reported4 = new Float64Array(FIRST_FLOWS);
  #reported6 = new Float64Array(FIRST_FLOWS);
  #nowUs = Number.NaN;
  /** Flows that the hand has yet to look at, with a part of one. */
  #due = 0;
  #handStore: FlowStore;
  #handEntry = 0;

  constructor(flows: AgeingFlows, { activeUs, idleUs }: Timeouts) {
    this.#flows = flows;
    this.#handStore = flows.ipv4;
    this.#activeUs = activeUs ?? Number.POSITIVE_INFINITY;
    this.#idleUs = idleUs ?? Number.POSITIVE_INFINITY;
    this.#roundUs = Math.min(this.#activeUs, this.#idleUs) / ROUNDS;
  }

  /** Whether the flow is over at this time. A flow of which no packet has a time is never. */
  #isIdle(store: FlowStore, entry: number, timeUs: number): boolean {
    const lastUs = store.lastUs(entry);
    return timeUs - lastUs >= this.#idleUs && Number.isFinite(lastUs);
  }

  /** Time goes on: the hand moves. `timeUs`: that of a packet, before it is counted. */
  pass(timeUs: number): void {
    const passedUs = timeUs - this.#nowUs;
    // Some packets are out of order. A clock that was set back counts from where it is.
    if (!(passedUs > 0)) {
      if (!(passedUs >= -this.#roundUs)) this.#nowUs = timeUs;
      return;
    }
    this.#nowUs = timeUs;
    const count = this.#flows.ipv4.count + this.#flows.ipv6.count;
    this.#due = Math.min(count, this.#due + (passedUs / this.#roundUs) * count);
    const steps = Math.min(MOST_AT_ONCE, Math.floor(this.#due));
    this.#due -= steps;
    for (let step = 0; step < steps; step++) this.#visit(timeUs);
  }

  /** A flow leaves. */
  forget(store: FlowStore, entry: number): void {
    const reported = this.#reportedOf(store);
    if (entry < reported.length) reported[entry] = 0;
  }

  /** A flow has another place. */
  moved(store: FlowStore, from: number, to: number): void {
    const reported = this.#reportedOf(store);
    if (from >= reported.length) return;
    reported[to] = reported[from]!;
    reported[from] = 0;
  }

  #visit(timeUs: number): void {
    const { ipv4, ipv6 } = this.#flows;
    // At the end of one store the hand goes to the other, which may be empty.
    for (let i = 0; i < 2 && this.#handEntry >= this.#handStore.count; i++) {
      this.#handStore = this.#handStore === ipv4 ? ipv6 : ipv4;
      this.#handEntry = 0;
    }
    if (this.#handStore.count === 0) return;
    const [store, entry] = [this.#handStore, this.#handEntry];
    // Another flow takes the place of one that is over: the hand stays.
    if (this.#isIdle(store, entry, timeUs)) this.#flows.expire(store, entry);
    else {
      this.#handEntry++;
      const reportedUs = this.#reportedOf(store)[entry] || store.firstUs(entry);
      if (timeUs - reportedUs >= this.#activeUs) this.#report(store, entry, timeUs);
    }
  }

  #report(store: FlowStore, entry: number, timeUs: number): void {
    this.#flows.report(store, entry);
    this.#reserve(store);
    this.#reportedOf(store)[entry] = timeUs;
  }

  #reportedOf(store: FlowStore): Float64Array {
    return store.version === 4 ? this.#reported4 : this.#reported6;
  }

  #reserve(store: FlowStore): void {
    const reported = this.#reportedOf(store);
    if (store.count <= reported.length) return;
    const larger = new Float64Array(Math.max(store.count, reported.length * 2));
    larger.set(reported);
    if (store.version === 4) this.#reported4 = larger;
    else this.#reported6 = larger;
  }
}
