/** Discovers names while a capture runs: from the names file, containers, namespaces and registry, in this order of precedence. */
import { parseAddress } from "../../net.js";
import { describeInterfaces, type HostNetwork } from "../live/interfaces.js";
import { opener } from "../opener/opener.js";
import { PolledSource, type SourceFailure } from "../polled-source.js";
import { ageCs, createAddressClock } from "./address-clock.js";
import { ContainerNames } from "./container-names.js";
import { type ContainerName, ENGINE_SOCKETS, readContainerNames } from "./docker.js";
import { ServiceError } from "./json-client.js";
import { NameHistory, type Sighting } from "./name-history.js";
import { Names, readNames } from "./names.js";
import { HOST } from "./namespace-names.js";
import { readRegistry, type Tenancy } from "./registry-names.js";

export interface NameSourcesOptions {
  /** A names file. Its names, of single addresses and of blocks, take precedence over all other sources. */
  readonly file?: string;
  /** Unix sockets of engines; empty: no engine is asked. */
  readonly engineSockets: readonly string[];
  /** The registry's address, `http://10.0.0.70:8500`. */
  readonly registry?: URL;
  readonly intervalUs?: number;
  /** Captured interfaces: if two namespaces have the same address, the one at such an interface gets the packets' name. */
  readonly near?: readonly string[];
  /** Hears of each outage once. */
  readonly say: (line: string) => void;
  /** The source of answers: a live run asks peers from a thread of their own, a test invents them. */
  readonly readers?: Partial<NameReaders>;
}

/** The calls that ask the sources. */
export interface NameReaders {
  network(previous: HostNetwork | null): HostNetwork;
  engine(socketPath: string): Promise<readonly ContainerName[]>;
  registry(url: URL): Promise<Tenancy[]>;
  /** Hundredths of a second since boot, the clock of address timestamps. */
  bootClockCs(): number;
}

export interface NameSources {
  /** The owners of addresses, now and before. Immutable: read the property again after a refresh. */
  current(): Names;
  /** Asks every source that is due; call it about once a second without waiting for it. During a refresh it returns the same promise. Never throws. */
  refresh(nowUs: number): Promise<void>;
  /** At the end of a run: asks every source that did not fail once more, due or not. Never throws. */
  refreshLast(nowUs: number): Promise<void>;
  /** Reads the names file again. Throws what `readNames` throws; the earlier names then stay. */
  rereadFile(): void;
  /** Failures so far, one entry per source; then names beyond a limit, again one entry per source. */
  readonly failures: readonly SourceFailure[];
}

const INTERVAL_US = 2_000_000;
/** Addresses from an engine that has not answered for longer are dropped. */
const STALE_US = 30_000_000;

/** Throws what `readNames` throws; nothing else fails before the first refresh. */
export function createNameSources(options: NameSourcesOptions): NameSources {
  return new LiveNames(options);
}

/** One moment on both clocks: microseconds since 1970, and the kernel's hundredths of a second for addresses. */
interface Now {
  readonly us: number;
  readonly clockCs: number;
}

/** A sighting in a namespace, with its id. */
type SpaceSighting = Sighting & { readonly space: number };

class LiveNames implements NameSources {
  readonly #readers: NameReaders;
  readonly #network: PolledSource<HostNetwork>;
  readonly #engines: readonly PolledSource<readonly ContainerName[]>[];
  /** Engines whose first answer has been added. */
  readonly #heard = new Set<PolledSource<readonly ContainerName[]>>();
  readonly #registry: PolledSource<Tenancy[]> | null;
  readonly #history = new NameHistory();
  readonly #containers = new ContainerNames();
  readonly #path: string | null;
  #file: Names | null;
  readonly #near: ReadonlySet<string>;
  #names: Names;
  #running: Promise<void> | null = null;

  constructor(options: NameSourcesOptions) {
    const readers: NameReaders = {
      network: (previous) => opener().network(previous),
      engine: readContainerNames,
      registry: readRegistry,
      bootClockCs: createAddressClock(),
      ...options.readers,
    };
    this.#readers = readers;
    const { say, intervalUs = INTERVAL_US, registry } = options;
    this.#path = options.file ?? null;
    this.#file = this.#path === null ? null : readNames(this.#path);
    this.#near = new Set(options.near);
    this.#names = this.#file ?? new Names(null);
    const read = () => readers.network(this.#network.value);
    this.#network = new PolledSource({ source: "namespaces", read, intervalUs, say });
    this.#engines = options.engineSockets.map((socket) => {
      const isAbsent = (error: unknown) =>
        ENGINE_SOCKETS.includes(socket) && error instanceof ServiceError && error.code === "ENOENT";
      return new PolledSource({
        source: socket,
        read: () => readers.engine(socket),
        intervalUs,
        isAbsent,
        say,
      });
    });
    this.#registry = registry
      ? new PolledSource({ source: registry.href, read: () => readers.registry(registry), intervalUs, say })
      : null;
  }

  current(): Names {
    return this.#names;
  }

  rereadFile(): void {
    if (this.#path === null) return;
    this.#file = readNames(this.#path);
    this.#names = this.#build();
  }

  get failures(): readonly SourceFailure[] {
    const sources: (PolledSource<unknown> | null)[] = [this.#network, ...this.#engines, this.#registry];
    const failures = sources.flatMap((source) => source?.failure ?? []);
    return [...this.#unreadable, ...failures, ...this.#unroomed];
  }

  /** Names from sources or history that did not fit. */
  get #unroomed(): readonly SourceFailure[] {
    const lists = [...this.#engines, ...(this.#registry ? [this.#registry] : [])];
    const cut = lists.map(({ source, value }) => ({ source, omitted: value?.at(-1)?.omitted ?? 0 }));
    const kept = [
      { source: "the past", omitted: this.#history.forgotten },
      { source: "containers of the past", omitted: this.#containers.forgotten },
    ];
    return [...cut, ...kept]
      .filter(({ omitted }) => omitted > 0)
      .map((of) => ({ ...of, reason: "names had no room", count: 0, failing: false }));
  }

  /** Namespaces that cannot be read, or no longer: their names stay as they were. */
  get #unreadable(): readonly SourceFailure[] {
    const { unreadable = [] } = this.#network.value ?? {};
    if (unreadable.length === 0) return [];
    const { namespace, reason } = unreadable[0]!;
    const which = unreadable.length === 1 ? namespace.name : `${unreadable.length} of them`;
    return [{ source: "namespaces", reason: `${which}: ${reason}`, count: unreadable.length, failing: true }];
  }

  refresh(nowUs: number): Promise<void> {
    this.#running ??= this.#refresh(nowUs, false).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  refreshLast(nowUs: number): Promise<void> {
    return this.#refresh(nowUs, true);
  }

  /** The namespaces are read at once, in milliseconds; the other sources take up to two seconds in parallel. */
  async #refresh(nowUs: number, last: boolean): Promise<void> {
    // Both read now: the reads in between take time.
    const now = { us: nowUs, clockCs: this.#readers.bootClockCs() };
    const sources: PolledSource<unknown>[] = [...this.#engines, ...(this.#registry ? [this.#registry] : [])];
    const before = sources.map(({ value }) => value);
    const slow = sources.map((source) => source.poll(nowUs, last));
    if (await this.#network.poll(nowUs, last)) this.#take(now, false);
    const answered = await Promise.all(slow);
    // An unchanged answer is the same list object: skip it.
    const isNew = sources.some(({ value }, i) => value !== before[i]);
    if (isNew) for (const { value } of this.#engines) this.#containers.observe(value ?? []);
    if (answered.includes(true)) this.#take(now, isNew);
  }

  #take(now: Now, always: boolean): void {
    if (this.#history.observe(this.#sightings(now), now.us) || always) this.#names = this.#build();
  }

  /** For each address only the names of the best source. */
  #sightings(now: Now): Sighting[] {
    const spaces = this.#nearest(this.#spaceSightings(now));
    const since = new Map(spaces.map(({ text, sinceUs }) => [text, sinceUs]));
    const byEngine = this.#engineSightings(now.us, since);
    const known = new Set(byEngine.map(({ text }) => text));
    return [...byEngine, ...spaces.filter(({ text }) => !known.has(text))];
  }

  #engineSightings(nowUs: number, since: ReadonlyMap<string, number | null>): Sighting[] {
    const fresh = this.#engines.filter(({ readAtUs }) => Math.abs(nowUs - readAtUs) < STALE_US);
    return fresh.flatMap((engine) => {
      // if its namespaces cannot be read, as inside a container, an engine's first answer also applies to the time before
      const unknown = this.#heard.has(engine) ? null : Number.NEGATIVE_INFINITY;
      this.#heard.add(engine);
      return engine.value!.flatMap(({ name, addresses }) =>
        addresses.map((text) => ({
          name,
          address: parseAddress(text)!,
          text,
          sinceUs: since.get(text) ?? unknown,
        })),
      );
    });
  }

  /** Without addresses of namespaces at a captured interface. */
  #nearest(sightings: readonly SpaceSighting[]): readonly SpaceSighting[] {
    if (this.#near.size === 0 || this.#network.value === null) return sightings;
    const owners = new Set<number>();
    for (const { owner, capturePoint } of describeInterfaces(this.#network.value))
      if (owner && this.#near.has(capturePoint)) owners.add(owner.namespace.id);
    const taken = new Set(sightings.filter(({ space }) => owners.has(space)).map(({ text }) => text));
    return sightings.filter(({ space, text }) => owners.has(space) || !taken.has(text));
  }

  #spaceSightings(now: Now): SpaceSighting[] {
    const network = this.#network.value;
    if (network === null) return [];
    return [network.own, ...network.others].flatMap(({ namespace, addresses }) => {
      const name = this.#containers.find(namespace.containerId) ?? namespace.name;
      return addresses
        .filter(({ text }) => !isLoopback(text))
        .map(({ address, text, setAtCs }) => {
          const sinceUs = setAtCs === null ? null : now.us - ageCs(now.clockCs, setAtCs) * 10_000;
          return { name, address, text, sinceUs, space: namespace.id };
        });
    });
  }

  #build(): Names {
    const names = new Names(this.#file?.rest ?? null);
    const inFile = (text: string) => this.#file !== null && this.#file.find(text, null, null) !== null;
    this.#file?.addTo(names);
    this.#history.addTo(names, inFile);
    // Services on the host itself share its addresses: there the port tells more than the machine's name.
    const held = this.#history.holders(HOST);
    for (const { service, text, port, fromUs, toUs } of this.#registry?.value ?? []) {
      const address = parseAddress(text)!;
      names.announce(address, port);
      if (!inFile(text) && !held.has(text)) names.add(service, address, [port], fromUs, toUs);
    }
    return names;
  }
}

/** Every namespace has these addresses. */
function isLoopback(text: string): boolean {
  return text.startsWith("127.") || text === "::1";
}
