/** Connection tracking for a live capture: polled for each shown Snapshot; reports once if it is not available. */
import { setImmediate } from "node:timers/promises";
import type { ConntrackContext } from "../analyze/snapshot/build.js";
import { ConntrackPoller } from "../capture/conntrack/tracker.js";
import { SystemError } from "../capture/kernel/libc.js";
import { NetnsError } from "../capture/kernel/netns.js";
import { type Surroundings, SurroundingsReader } from "../capture/live/surroundings.js";
import type { CapturedOptions } from "./captured-options.js";
import type { EnrichingOptions } from "./enriching-options.js";
import { type Outside, withCure } from "./outside.js";

export class LiveConntrack {
  readonly #tracker: ConntrackPoller;
  readonly #reader: SurroundingsReader;
  readonly #outside: Outside;
  /** Microseconds since 1970: no packet was taken before. */
  readonly #startUs: number;
  #surroundings: Surroundings;
  #pollUs = 0;
  #problem: string | null = null;

  private constructor(
    tracker: ConntrackPoller,
    reader: SurroundingsReader,
    startUs: number,
    outside: Outside,
  ) {
    this.#tracker = tracker;
    this.#reader = reader;
    this.#startUs = startUs;
    this.#outside = outside;
    this.#surroundings = reader.read();
  }

  /**
   * Opens in the interfaces' namespace and polls once, before rights are given up. null: not requested, or not available, which
   * is reported. `startUs`: time at which the interfaces were opened.
   */
  static async open(
    { netns = null }: { readonly netns?: CapturedOptions["netns"] | null },
    { conntrack }: Pick<EnrichingOptions, "conntrack">,
    interfaces: readonly string[],
    startUs: number,
    outside: Outside,
  ): Promise<LiveConntrack | null> {
    if (!conntrack) return null;
    const opened: { close(): void }[] = [];
    const giveUp = (why: string) => {
      for (const part of opened) part.close();
      outside.say(`without connection tracking: ${why}`);
      return null;
    };
    try {
      const tracker = ConntrackPoller.open(netns);
      opened.push(tracker);
      const reader = SurroundingsReader.open(interfaces, netns);
      opened.push(reader);
      const conntrack = new LiveConntrack(tracker, reader, startUs, outside);
      await conntrack.#poll();
      if (tracker.denied !== null) return giveUp(withCure("reading it needs CAP_NET_ADMIN", outside));
      if (tracker.facts === null) return giveUp("the kernel does none here");
      return conntrack;
    } catch (error) {
      if (!(error instanceof NetnsError) && !(error instanceof SystemError)) throw error;
      return giveUp(error.message);
    }
  }

  /** Reads everything again; packets get their turn in between. Errors are reported once and do not throw. */
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
      // Their last state is kept.
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /** For a Snapshot made now. `endUs`: until when packets were taken; `gap`: some were lost or left out. */
  context(endUs: number, gap: boolean): ConntrackContext {
    const { netns } = this.#tracker;
    const times = { startUs: this.#startUs, endUs, pollUs: this.#pollUs };
    return { namespaces: [this.#tracker], capture: { netns, ...this.#surroundings, ...times, gap } };
  }

  close(): void {
    this.#tracker.close();
    this.#reader.close();
  }
}
