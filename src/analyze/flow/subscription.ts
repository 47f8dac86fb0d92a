/** One observer of a flow table, and what it was told of each flow. */
import type { FlowObserver, Growth } from "../flow-observer.js";
import type { FlowStore } from "./flowstore.js";

/** The part of a flow table for observers: its stores, and the list of observers. */
export interface ObservedFlows {
  readonly ipv4: FlowStore;
  readonly ipv6: FlowStore;
  /** Counts packets that still wait. */
  settle(): void;
  readonly subscriptions: readonly Subscription[];
}

/** Numbers kept of a flow: packets and bytes of a, packets and bytes of b. */
const WIDTH = 4;
const FIRST_FLOWS = 1024;

/** Tells one observer. Remembers 32 bytes a flow where the observer wants to know what flows grow by, else nothing. */
export class Subscription {
  readonly observer: FlowObserver;
  readonly #flows: ObservedFlows;
  readonly #told: readonly [Told, Told] | null;
  readonly #growth: Growth = { packetsA: 0, bytesA: 0, packetsB: 0, bytesB: 0 };

  /** `FlowTable.observe` makes it. */
  constructor(flows: ObservedFlows, observer: FlowObserver) {
    this.#flows = flows;
    this.observer = observer;
    this.#told = observer.grown === undefined ? null : [new Told(), new Told()];
  }

  /** Tells of all flows that have grown since the last time. Costs some nanoseconds a flow. */
  look(): void {
    if (this.#told === null) return;
    this.#flows.settle();
    for (const store of [this.#flows.ipv4, this.#flows.ipv6]) {
      const told = this.#toldOf(store)!;
      for (let entry = 0; entry < store.count; entry++)
        if (told.differs(store, entry)) this.observer.grown!(store, entry, this.take(store, entry));
    }
  }

  /** Tells of one flow, if it has grown. */
  tell(store: FlowStore, entry: number): void {
    if (this.#toldOf(store)?.differs(store, entry))
      this.observer.grown!(store, entry, this.take(store, entry));
  }

  /** What a flow has grown by since the last time; from now on the observer knows of it. The result is reused by the next call. */
  take(store: FlowStore, entry: number): Readonly<Growth> {
    const told = this.#toldOf(store);
    const growth = this.#growth;
    growth.packetsA = store.packets(entry, false);
    growth.bytesA = store.bytes(entry, false);
    growth.packetsB = store.packets(entry, true);
    growth.bytesB = store.bytes(entry, true);
    told?.take(entry, growth);
    return growth;
  }

  /** Tells that a flow leaves. */
  leaves(how: "evicted" | "expired", store: FlowStore, entry: number): void {
    this.observer[how]?.(store, entry, this.take(store, entry));
    this.#toldOf(store)?.forget(entry);
  }

  /** Tells that a flow has another place. */
  moved(store: FlowStore, from: number, to: number): void {
    this.#toldOf(store)?.move(from, to);
    this.observer.moved?.(store, from, to);
  }

  #toldOf(store: FlowStore): Told | null {
    return this.#told === null ? null : this.#told[store.version === 4 ? 0 : 1];
  }
}

/** What was told of the flows of one store, by their places. Zero where there is no flow. */
class Told {
  #numbers = new Float64Array(FIRST_FLOWS * WIDTH);

  differs(store: FlowStore, entry: number): boolean {
    const at = entry * WIDTH;
    // Beyond the end nothing was told.
    return (
      store.packets(entry, false) !== (this.#numbers[at] ?? 0) ||
      store.packets(entry, true) !== (this.#numbers[at + 2] ?? 0)
    );
  }

  /** Remembers what the flow holds now, and leaves in `growth` what it has grown by. */
  take(entry: number, growth: Growth): void {
    const at = entry * WIDTH;
    if (at >= this.#numbers.length) this.#grow(at + WIDTH);
    const numbers = this.#numbers;
    const { packetsA, bytesA, packetsB, bytesB } = growth;
    growth.packetsA -= numbers[at]!;
    growth.bytesA -= numbers[at + 1]!;
    growth.packetsB -= numbers[at + 2]!;
    growth.bytesB -= numbers[at + 3]!;
    numbers[at] = packetsA;
    numbers[at + 1] = bytesA;
    numbers[at + 2] = packetsB;
    numbers[at + 3] = bytesB;
  }

  forget(entry: number): void {
    this.#numbers.fill(0, entry * WIDTH, (entry + 1) * WIDTH);
  }

  move(from: number, to: number): void {
    const numbers = this.#numbers;
    const [at, end] = [from * WIDTH, (from + 1) * WIDTH];
    // Beyond the end nothing was told; nothing is at `to` either.
    if (at >= numbers.length) return;
    numbers.copyWithin(to * WIDTH, at, end);
    numbers.fill(0, at, end);
  }

  #grow(numbers: number): void {
    const larger = new Float64Array(Math.max(numbers, this.#numbers.length * 2));
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}
