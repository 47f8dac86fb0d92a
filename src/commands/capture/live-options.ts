/** What a person typed of a live run, parted by who checks it. */
import type { CapturedOptions } from "../../engine/captured-options.js";
import type { EnrichingOptions } from "../../engine/enriching-options.js";
import type { LiveOptions, RecordedOptions } from "../../engine/recording/recorded-options.js";

/** All that can be said of a run that records. */
export interface LiveWords extends CapturedOptions, EnrichingOptions, RecordedOptions {}

/** The keys of each part: the compiler holds them against its type. */
type Keys<T> = Readonly<Record<keyof T, true>>;

const CAPTURED: Keys<CapturedOptions> = {
  ...{ interface: true, bridge: true, netns: true, filter: true, snaplen: true, engine: true, buffer: true },
  ...{ waits: true, maxFlows: true, decapsulate: true, redact: true, seed: true },
};
const ENRICHING: Keys<EnrichingOptions> = { numeric: true, names: true, registry: true, conntrack: true };
const RECORDED: Keys<RecordedOptions> = {
  ...{ write: true, sidecar: true, events: true, health: true, count: true, autostop: true },
  ...{ ringBuffer: true, interval: true, user: true, signal: true },
};

function pick<T extends object>(words: T, keys: Keys<T>): T {
  return Object.fromEntries(Object.entries(words).filter(([key]) => Object.hasOwn(keys, key))) as T;
}

export function capturedOf(words: CapturedOptions): CapturedOptions {
  return pick(words, CAPTURED);
}

export function enrichingOf(words: EnrichingOptions): EnrichingOptions {
  return pick(words, ENRICHING);
}

export function liveOptionsOf(words: LiveWords): LiveOptions {
  return {
    captured: capturedOf(words),
    enriching: enrichingOf(words),
    recorded: pick<RecordedOptions>(words, RECORDED),
  };
}

/** A command line as one would type it. */
export function quoteArguments(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
