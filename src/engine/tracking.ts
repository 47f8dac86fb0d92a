/** Connection tracking beside a live capture: polled for each Snapshot that is shown, said once where it is not to be had. */
import { setImmediate } from "node:timers/promises";
import type { TrackingContext } from "../analyze/snapshot/build.js";
import { Tracker } from "../capture/conntrack/tracker.js";
import { SystemError } from "../capture/kernel/libc.js";
import { NetnsError } from "../capture/kernel/netns.js";
import { type Surroundings, SurroundingsReader } from "../capture/live/surroundings.js";
import type { CapturedOptions } from "./captured-options.js";
import type { EnrichingOptions } from "./enriching-options.js";
import { type Outside, withCure } from "./outside.js";

export class LiveTracking {
  readonly #tracker: Tracker;
  readonly #reader: SurroundingsReader;
  readonly #outside: Outside;
  /** Microseconds since 1970: no packet was taken before. */
  readonly #startUs: number;
  #surroundings: Surroundings;
  #pollUs = 0;
  #problem: string | null = null;

  private constructor(tracker: Tracker, reader: SurroundingsReader, startUs: number, outside: Outside) {
    this.#tracker = tracker;
    this.#reader = reader;
    this.#startUs = startUs;
    this.#outside = outside;
    this.#surroundings = reader.read();
  }

  /**
   * Opens in the interfaces' namespace and polls once, while there is privilege. null: not asked for, or not to be had, which
   * is said. `startUs`: when the interfaces were opened.
   */
  static async open(
    { netns = null }: { readonly netns?: CapturedOptions["netns"] | null },
    { conntrack }: Pick<EnrichingOptions, "conntrack">,
    interfaces: readonly string[],
    startUs: number,
    outside: Outside,
  ): Promise<LiveTracking | null> {
    if (!conntrack) return null;
    const opened: { close(): void }[] = [];
    const giveUp = (why: string) => {
      for (const part of opened) part.close();
      outside.say(`without connection tracking: ${why}`);
      return null;
    };
    try {
      const tracker = Tracker.open(netns);
      opened.push(tracker);
      const reader = SurroundingsReader.open(interfaces, netns);
      opened.push(reader);
      const tracking = new LiveTracking(tracker, reader, startUs, outside);
      await tracking.#poll();
      if (tracker.denied !== null) return giveUp(withCure("reading it needs CAP_NET_ADMIN", outside));
      if (tracker.facts === null) return giveUp("the kernel does none here");
      return tracking;
    } catch (error) {
      if (!(error instanceof NetnsError) && !(error instanceof SystemError)) throw error;
      return giveUp(error.message);
    }
  }

  /** Reads all anew; packets have their turn meanwhile. What goes wrong is said once. Throws nothing that the kernel answers. */
  async poll(): Promise<void> {
    await this.#poll();
    const { problem } = this.#tracker;
    if (problem !== null && this.#problem === null) this.#outside.say(problem);
    this.#problem ??= problem;
  }

  async #poll(): Promise<void> {
    await this.#tracker.poll(() => setImmediate());
    this.#pollUs = Date.now() * 1000;
    try {
      this.#surroundings = this.#reader.read();
    } catch (error) {
      // What was known of them holds on.
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /** For a Snapshot made now. `endUs`: until when packets were taken; `gap`: some were lost or left out. */
  context(endUs: number, gap: boolean): TrackingContext {
    const { netns } = this.#tracker;
    const times = { startUs: this.#startUs, endUs, pollUs: this.#pollUs };
    return { namespaces: [this.#tracker], capture: { netns, ...this.#surroundings, ...times, gap } };
  }

  close(): void {
    this.#tracker.close();
    this.#reader.close();
  }
}
