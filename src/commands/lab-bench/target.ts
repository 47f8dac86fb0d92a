/** The target of a benchmark's load: the same shop in different packaging. */

export type BenchMode = "lab" | "docker";

/** A running shop. The lab also makes one; only this interface is shared. `close` restores the machine's previous state. */
export interface BenchTarget {
  readonly mode: BenchMode;
  /** Where requests go, without the path: `http://198.51.100.1:8080`. */
  readonly origin: string;
  /** The network namespace that the load comes from; null: netwatch's own. */
  readonly netns: string | null;
  /** The load's origin and path, in a few words. */
  readonly client: string;
  /** Notes that a reader needs to judge the figures, one sentence each. */
  readonly facts: readonly string[];
  /** The bridges of this host that the shop's packets cross. */
  readonly bridges: readonly string[];
  /** The owners of addresses on those bridges. The load's own end is `client`. */
  readonly services: ReadonlyMap<string, string>;
  /** How many servers each service has. */
  readonly servers: ReadonlyMap<string, number>;
  /** The service that receives the load. */
  readonly entrance: string;
  /** Pids of the serving processes, in netwatch's pid namespace. */
  pids(): Promise<readonly number[]>;
  /** Seconds that limits of CPU have held the servers back so far, summed over them; null: no limits, or unknown. */
  throttledSeconds(): Promise<number | null>;
  close(): Promise<void>;
}
