/** Names for a live command: their sources and time-outs. */
import { engineSockets } from "../capture/names/docker.js";
import { createNameSources, type NameSources } from "../capture/names/name-sources.js";
import type { Names } from "../capture/names/names.js";
import type { PeerThread } from "../capture/peers/peer-thread.js";
import type { EnrichingOptions } from "./enriching-options.js";
import { loadNames } from "./names-file.js";
import type { Outside } from "./outside.js";

/** Longest wait for an engine. */
const NAMES_WAIT_MS = 500;

/**
 * `near`: captured interfaces of this namespace. `peers`: asks engines and the registry; null: this thread asks.
 * Throws CommandError for an invalid names file.
 */
export function openNames(
  { names, registry }: Pick<EnrichingOptions, "names" | "registry">,
  outside: Outside,
  peers: PeerThread | null = null,
  near: readonly string[] = [],
): NameSources {
  if (names !== undefined) loadNames(names);
  const file = names === undefined ? {} : { file: names };
  return createNameSources({
    ...file,
    ...(registry === undefined ? {} : { registry }),
    near,
    ...(peers === null
      ? {}
      : { readers: { engine: (path) => peers.engine(path), registry: (url) => peers.registry(url) } }),
    engineSockets: engineSockets(outside.env.DOCKER_HOST),
    say: (line) => outside.say(line),
  });
}

/**
 * Reads the names of containers and namespaces at the start. Entering namespaces needs root, so this is the last chance for
 * namespaces without a link. Does not wait for an engine that does not answer.
 */
export async function readNamesOnce(sources: NameSources | null): Promise<Names | null> {
  if (sources === null) return null;
  await soon(sources.refresh(Date.now() * 1000));
  return sources.current();
}

/** Waits for names, but not for a source that does not answer. */
export function soon(names: Promise<void>): Promise<unknown> {
  return Promise.race([names, new Promise((resolve) => setTimeout(resolve, NAMES_WAIT_MS).unref())]);
}
