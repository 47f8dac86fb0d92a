/** The interface between the flow table and code that keeps data per flow: connections, edges, a history, an export. */
import type { FlowStore } from "./flow/flowstore.js";

/** Packets and bytes of ends a and b of a flow since the observer's last call for it. A cursor: valid until the next call. */
export interface Growth {
  packetsA: number;
  bytesA: number;
  packetsB: number;
  bytesB: number;
}

/**
 * Keeps data per flow, by its store and place there. `FlowTable.observe` adds it. There is no call per packet. The growths that an
 * observer gets by `grown`, `evicted` and `expired` add up to all packets, except the growth since the last look
 * at a flow. Without `grown` nothing is stored for it: then it gets the totals of flows that leave.
 */
export interface FlowObserver {
  /** The flow has grown and stays: its active time-out is over, or a look was requested from the observer's `Subscription`. */
  grown?(store: FlowStore, entry: number, growth: Readonly<Growth>): void;
  /** The flow is evicted; it can still be read. Other flows may already have moved: read no others. */
  evicted?(store: FlowStore, entry: number, growth: Readonly<Growth>): void;
  /** The flow leaves after its idle time-out; it can still be read. */
  expired?(store: FlowStore, entry: number, growth: Readonly<Growth>): void;
  /** The flow's TCP connection is evicted; the flow stays. */
  closing?(store: FlowStore, entry: number): void;
  /** The flow at `from` moves to `to`, a free place. */
  moved?(store: FlowStore, from: number, to: number): void;
}
