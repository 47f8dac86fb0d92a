/** The interfaces of a live capture: opened together, with common losses and counters. */
import type { LedgerInterface } from "../analyze/snapshot/snapshot.js";
import { netnsId } from "../capture/kernel/netns.js";
import {
  type CounterReader,
  type InterfaceCounters,
  openCounters,
} from "../capture/live/interface-counters.js";
import type { KernelCounts, LiveSource } from "../capture/live/live.js";
import {
  type CapturedOptions,
  chosenInterfaces,
  DEFAULT_BUFFER_MB,
  DEFAULT_SNAPLEN,
  type EngineName,
} from "./captured-options.js";

/** One interface under capture. */
export interface Tap {
  readonly source: LiveSource;
  readonly counters: CounterReader | null;
  readonly before: InterfaceCounters | null;
  /** Bytes on the wire of the packets taken from it. */
  bytes: number;
}

/** Name of the interface for the ledger. */
export class Taps {
  readonly taps: readonly Tap[];
  readonly #netns: string | null;
  readonly #netnsId: number | null | "hidden";
  readonly #engine: EngineName;
  /** In tcpdump's language; empty: every packet. */
  readonly filter: string;
  /** The interfaces' counters at an orderly end, after every packet is taken. */
  #after: readonly (InterfaceCounters | null)[] | null = null;
  #netnsGone = false;

  private constructor(taps: readonly Tap[], options: CapturedOptions) {
    this.taps = taps;
    this.#netns = options.netns ?? null;
    this.#netnsId = this.#netns === null ? null : idOf(this.#netns);
    this.#engine = options.engine ?? "ring";
    this.filter = options.filter?.trim() ?? "";
  }

  /** Opens all of them, or none. Throws CaptureError, and CommandError where no interface is chosen. */
  static async open(options: CapturedOptions): Promise<Taps> {
    const interfaces = chosenInterfaces(options);
    const taps: Tap[] = [];
    try {
      for (const name of interfaces) taps.push(await openTap(name, options));
    } catch (error) {
      for (const tap of taps) closeTap(tap);
      throw error;
    }
    return new Taps(taps, options);
  }

  /** Ends the capture where its namespace has been removed: the sockets alone would keep that alive. */
  watchNamespace(): void {
    if (this.#netns === null || this.#netnsGone) return;
    const id = idOf(this.#netns);
    if (id === "hidden" || id === this.#netnsId) return;
    this.#netnsGone = true;
    for (const { source } of this.taps) source.stop();
  }

  /** Notes the interfaces' counters, for the residual. Call when nothing more is taken in. */
  noteCounters(): void {
    this.#after = this.taps.map(({ counters }) => counters?.read() ?? null);
  }

  /** Why the capture ended early, one sentence each; empty: it did not. */
  get failures(): string[] {
    if (this.#netnsGone) return [`the network namespace ${this.#netns} is gone`];
    return this.taps.flatMap(({ source }) =>
      source.ended === null ? [] : [`${source.name}: ${source.ended}`],
    );
  }

  /** All interfaces' counts as one; null where one does not know. */
  counts(): KernelCounts {
    const all = this.taps.map(({ source }) => source.counts());
    const sum = (key: keyof KernelCounts) =>
      all.reduce<number | null>((total, counts) => {
        const count = counts[key];
        return total === null || count === null ? null : total + count;
      }, 0);
    return { received: sum("received"), dropped: sum("dropped"), freezes: sum("freezes") };
  }

  ledger(): LedgerInterface[] {
    return this.taps.map((tap, i) => {
      const { source } = tap;
      const counts = source.counts();
      const comparable = this.filter === "" && source.outages === 0;
      const counted = comparable ? difference(this.#after?.[i] ?? null, tap.before) : null;
      return {
        name: source.name,
        netns: this.#netns,
        engine: this.#engine,
        clock: source.clock,
        filter: this.filter === "" ? null : this.filter,
        packets: source.packets,
        received: counts.received,
        dropped: counts.dropped,
        freezes: counts.freezes,
        counted,
        residual: counted && {
          packets: counted.packets - source.packets,
          bytes: counted.bytes - tap.bytes,
        },
        ...(source.outages > 0 ? { outages: source.outages } : {}),
        ended: this.#netnsGone ? "the network namespace is gone" : source.ended,
      };
    });
  }

  close(): void {
    for (const tap of this.taps) closeTap(tap);
  }
}

/** `hidden`: of a process that may not be looked at once root is given up. */
function idOf(netns: string): number | null | "hidden" {
  try {
    return netnsId(netns);
  } catch {
    return "hidden";
  }
}

async function openTap(name: string, options: CapturedOptions): Promise<Tap> {
  const netns = options.netns ?? null;
  const live = {
    interface: name,
    netns,
    snaplen: options.snaplen ?? DEFAULT_SNAPLEN,
    bufferBytes: (options.buffer ?? DEFAULT_BUFFER_MB) * 1024 * 1024,
    filter: options.filter?.trim() ?? "",
    waits: options.waits ?? false,
  };
  const counters = openCountersIfAny(name, options);
  // Before the first packet can come, so that no packet is counted there alone.
  const before = counters?.read() ?? null;
  try {
    const source =
      options.engine === "cap"
        ? (await import("../capture/live/cap.js")).openCapSource(live)
        : (await import("../capture/live/ring.js")).openRingSource(live);
    return { source, counters, before, bytes: 0 };
  } catch (error) {
    counters?.close();
    throw error;
  }
}

/** Counters are a check, not a need: without them there is no residual. */
function openCountersIfAny(name: string, options: CapturedOptions): CounterReader | null {
  try {
    return openCounters(name, options.netns ?? null);
  } catch {
    return null;
  }
}

function closeTap({ source, counters }: Tap): void {
  source.close();
  counters?.close();
}

function difference(
  after: InterfaceCounters | null,
  before: InterfaceCounters | null,
): InterfaceCounters | null {
  if (after === null || before === null) return null;
  const packets = after.packets - before.packets;
  const bytes = after.bytes - before.bytes;
  // A recreated interface has counted from 0 again.
  return packets < 0 || bytes < 0 ? null : { packets, bytes };
}
