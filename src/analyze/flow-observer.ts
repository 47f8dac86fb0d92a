/** The seam between the flow table and what keeps something beside its flows: connections, edges, a history, an export. */
import type { FlowStore } from "./flow/flowstore.js";

/** Packets and bytes that ends a and b of a flow sent since the observer was last told of it. A cursor: holds until the next call. */
export interface Growth {
  packetsA: number;
  bytesA: number;
  packetsB: number;
  bytesB: number;
}

/**
 * Keeps something beside flows, by their store and place there. `FlowTable.observe` adds it. Nothing is told packet by packet. What an
 * observer is told of by `grown`, `evicted` and `expired` adds up to all packets, but for what flows have grown by since they were looked
 * at. Without `grown` nothing is remembered for it: then it is told of flows that leave as they are whole.
 */
export interface FlowObserver {
  /** The flow has grown and stays: its active time-out is over, or the observer's `Subscription` was asked to look. */
  grown?(store: FlowStore, entry: number, growth: Readonly<Growth>): void;
  /** The flow leaves for want of room; it can still be read. Other flows may already have moved: read no others. */
  evicted?(store: FlowStore, entry: number, growth: Readonly<Growth>): void;
  /** The flow leaves, for its idle time-out is over; it can still be read. */
  expired?(store: FlowStore, entry: number, growth: Readonly<Growth>): void;
  /** What is kept of the flow's TCP connection leaves for want of room; the flow stays. */
  closing?(store: FlowStore, entry: number): void;
  /** The flow at `from` is at `to` from now on, where none is any more. */
  moved?(store: FlowStore, from: number, to: number): void;
}
