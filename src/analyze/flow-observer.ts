/** The seam between the flow table and what keeps something beside its flows: connections, edges, a history, an export. */
import type { FlowStore } from "./flow/flowstore.js";

/**
 * Keeps something beside flows, by their store and place there. Add it to `FlowTable.observers`: each is told of everything, in the
 * order of the list. Nothing is told packet by packet: what a flow has grown by is read from the table when it is looked at.
 */
export interface FlowObserver {
  /** Flows, or connections that are kept of them, are about to leave for want of room. All are still there: count them. */
  evicting?(): void;
  /** The flow at this place leaves; it can still be read. Other flows may already have moved: read no others. */
  leaving?(store: FlowStore, entry: number): void;
  /** The flows that stay have new places; those that left are in none. */
  renumbered?(): void;
}

/** What is seen of a flow table from beside it: where flows are kept, and who is told when they leave. */
export interface ObservedFlows {
  readonly ipv4: FlowStore;
  readonly ipv6: FlowStore;
  readonly observers: readonly FlowObserver[];
}
