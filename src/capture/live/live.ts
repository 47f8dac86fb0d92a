/** The interface of every live source, and its error. */
import type { NetnsTarget } from "../kernel/netns.js";
import type { PacketSource } from "../packet.js";

/** Which interface, and how to listen to it. */
export interface LiveOptions {
  readonly interface: string;
  /** Where the interface is; null: here. */
  readonly netns: NetnsTarget | null;
  /** Bytes captured per packet. */
  readonly snaplen: number;
  /** Size of the kernel's buffer in bytes. */
  readonly bufferBytes: number;
  /** In tcpdump's language; empty: every packet. */
  readonly filter: string;
  /** Wait for an interface that goes away or down, and continue when it is back. */
  readonly waits: boolean;
}

/** The kernel's counters of a capture since its start. */
export interface KernelCounts {
  /** Packets that passed the filter, lost ones included; null: not known. */
  readonly received: number | null;
  /** Of those, packets dropped because the buffer was full; null: unknown. */
  readonly dropped: number | null;
  /** How often the buffer was full; null: not known. */
  readonly freezes: number | null;
}

/** A network interface that is being listened to. */
export interface LiveSource extends PacketSource {
  /** Origin of packet times: the kernel as the packet passed, or this process as it read the packet. */
  readonly clock: "kernel" | "arrival";
  readonly linkType: number;
  readonly snaplen: number;
  /**
   * Memory for code that copies packets, in the packets' own ArrayBuffer: a copy within one is one native move. Must not be
   * used after `close`. null: none.
   */
  readonly room: Uint8Array | null;
  /** Why the interface gives no more packets without `stop`; null: it still does. A source that waits may continue later. */
  readonly ended: string | null;
  /** Times it went away or down. */
  readonly outages: number;
  /** Stops taking new packets. Packets already received can still be read: the source ends after them. */
  stop(): void;
  counts(): KernelCounts;
}

export type CaptureFailure = "permission" | "interface" | "filter" | "unsupported" | "usage";

/** A capture that cannot start. `message` is one line. */
export class CaptureError extends Error {
  readonly failure: CaptureFailure;

  constructor(failure: CaptureFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}
