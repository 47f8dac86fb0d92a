/** Names by themselves, for as long as a capture runs: names file, containers, namespaces, registry, in this order. */
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
  /** A names file. What it says of an address, by itself or by a block, no other source changes. */
  readonly file?: string;
  /** Unix sockets of engines; none: containers are not asked for. */
  readonly engineSockets: readonly string[];
  /** The registry's address, `http://10.0.0.70:8500`. */
  readonly registry?: URL;
  readonly intervalUs?: number;
  /** Interfaces captured on: where two namespaces have one address, the one that stands there is meant. */
  readonly near?: readonly string[];
  /** Hears of each outage once. */
  readonly say: (line: string) => void;
  /** Elsewhere than here: a live run leaves peers to a thread of their own, a test makes them up. */
  readonly readers?: Partial<NameReaders>;
}

/** How the sources are asked. */
export interface NameReaders {
  network(previous: HostNetwork | null): HostNetwork;
  engine(socketPath: string): Promise<readonly ContainerName[]>;
  registry(url: URL): Promise<Tenancy[]>;
  /** Hundredths of a second since boot, the clock that addresses are stamped with. */
  bootClockCs(): number;
}

export interface NameSources {
  /** Who holds what, now and before. Not changed any more: ask again after a refresh. */
  current(): Names;
  /** Asks every source whose time has come; call it once a second or so, and do not wait for it. Returns at once what a refresh under way returns. Never throws. */
  refresh(nowUs: number): Promise<void>;
  /** Asks every source that did not fail once more, whether its time has come or not: the run ends. Never throws. */
  refreshLast(nowUs: number): Promise<void>;
  /** Reads the names file again. Throws what `readNames` throws; then what it said before holds on. */
  rereadFile(): void;
  /** What went wrong so far, one entry a source; then what had no room, again one a source. */
  readonly failures: readonly SourceFailure[];
}

const INTERVAL_US = 2_000_000;
/** A container's address by an engine that has been silent for longer is no longer believed. */
const STALE_US = 30_000_000;

/** Throws what `readNames` throws; nothing else can go wrong before the first refresh. */
export function createNameSources(options: NameSourcesOptions): NameSources {
  return new LiveNames(options);
}

/** One moment by both clocks: microseconds since 1970, and hundredths of a second as the kernel stamps addresses. */
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
  /** Engines whose first answer has been taken up. */
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

  /** What sources gave, or were heard of before, and is in no name. */
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

  /** The namespaces are read at once, in milliseconds; the others may take their two seconds beside them. */
  async #refresh(nowUs: number, last: boolean): Promise<void> {
    // Of the same moment: what is read meanwhile takes its time.
    const now = { us: nowUs, clockCs: this.#readers.bootClockCs() };
    const sources: PolledSource<unknown>[] = [...this.#engines, ...(this.#registry ? [this.#registry] : [])];
    const before = sources.map(({ value }) => value);
    const slow = sources.map((source) => source.poll(nowUs, last));
    if (await this.#network.poll(nowUs, last)) this.#take(now, false);
    const answered = await Promise.all(slow);
    // An answer that has not changed is the same list: nothing is made of it anew.
    const isNew = sources.some(({ value }, i) => value !== before[i]);
    if (isNew) for (const { value } of this.#engines) this.#containers.observe(value ?? []);
    if (answered.includes(true)) this.#take(now, isNew);
  }

  #take(now: Now, always: boolean): void {
    if (this.#history.observe(this.#sightings(now), now.us) || always) this.#names = this.#build();
  }

  /** Of each address only what the best source says of it. */
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
      // where its namespaces cannot be read, as from inside a container, what an engine says first was so before, for all one knows
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

  /** Without those whose address a namespace has that stands at a captured interface. */
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
    // Services on the host itself share its addresses: there the port says more than the name of the machine.
    const held = this.#history.holders(HOST);
    for (const { service, text, port, fromUs, toUs } of this.#registry?.value ?? []) {
      const address = parseAddress(text)!;
      names.announce(address, port);
      if (!inFile(text) && !held.has(text)) names.add(service, address, [port], fromUs, toUs);
    }
    return names;
  }
}

/** Every namespace has these. */
function isLoopback(text: string): boolean {
  return text.startsWith("127.") || text === "::1";
}
