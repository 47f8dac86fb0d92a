/** What every live source gives beside packets, and how it fails to open. */
import type { NetnsTarget } from "../kernel/netns.js";
import type { PacketSource } from "../packet.js";

/** Which interface, and how to listen to it. */
export interface LiveOptions {
  readonly interface: string;
  /** Where the interface is; null: here. */
  readonly netns: NetnsTarget | null;
  /** Bytes kept of a packet. */
  readonly snaplen: number;
  /** Bytes the kernel may hold back for a reader that is late. */
  readonly bufferBytes: number;
  /** In tcpdump's language; empty: every packet. */
  readonly filter: string;
  /** Wait for the interface where it goes away or down, and go on when it is back. */
  readonly waits: boolean;
}

/** What the kernel says of a capture, since it began. */
export interface KernelCounts {
  /** Packets that passed the filter, lost ones included; null: not known. */
  readonly received: number | null;
  /** Of those, packets that found no room; null: not known. */
  readonly dropped: number | null;
  /** How often the buffer was full; null: not known. */
  readonly freezes: number | null;
}

/** A network interface that is being listened to. */
export interface LiveSource extends PacketSource {
  /** Where a packet's time comes from: the kernel when it passed, or this process when it took it. */
  readonly clock: "kernel" | "arrival";
  readonly linkType: number;
  readonly snaplen: number;
  /**
   * Memory for whoever copies packets, in the ArrayBuffer they lie in: within one, a copy is the machine's own. Not to be
   * touched after `close`. null: none.
   */
  readonly room: Uint8Array | null;
  /** Why the interface gives no more, though nobody stopped it; null while it does. One that waits may go on after it. */
  readonly ended: string | null;
  /** Times it went away or down. */
  readonly outages: number;
  /** Takes in no further packet. What has come is still to be read: the source ends after it. */
  stop(): void;
  counts(): KernelCounts;
}

export type CaptureFailure = "permission" | "interface" | "filter" | "unsupported" | "usage";

/** A capture that cannot begin. `message` is one line. */
export class CaptureError extends Error {
  readonly failure: CaptureFailure;

  constructor(failure: CaptureFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}
