/** What a benchmark sends its load to: the same shop, packaged in one way or another. */

export type BenchMode = "lab" | "docker";

/** A shop that answers. The lab makes one too, by this shape alone. Opened by whoever makes it; `close` leaves the machine as it was found. */
export interface BenchTarget {
  readonly mode: BenchMode;
  /** Where requests go, without the path: `http://198.51.100.1:8080`. */
  readonly origin: string;
  /** The network namespace that the load comes from; null: netwatch's own. */
  readonly netns: string | null;
  /** Where the load comes from and what it passes on its way, in a few words. */
  readonly client: string;
  /** What else a reader should know to judge the figures, a sentence each. */
  readonly facts: readonly string[];
  /** The bridges of this host that the shop's packets cross. */
  readonly bridges: readonly string[];
  /** Who has which address on those bridges. The load's own end is `client`. */
  readonly services: ReadonlyMap<string, string>;
  /** How many servers each service has. */
  readonly servers: ReadonlyMap<string, number>;
  /** The service that the load speaks to. */
  readonly entrance: string;
  /** The processes that serve, in netwatch's own numbering. */
  pids(): Promise<readonly number[]>;
  /** Seconds that limits of CPU have held the servers back so far, summed over them; null: there are none, or nobody knows. */
  throttledSeconds(): Promise<number | null>;
  close(): Promise<void>;
}
