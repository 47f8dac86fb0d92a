/** What `netwatch serve` watches: packets of some interfaces, names and connection tracking, for as long as it runs. */
import { Analyzer } from "../../analyze/analyzer.js";
import { buildSnapshot, factsOf, type TrackingContext } from "../../analyze/build.js";
import { EdgeBook, EXTERNAL } from "../../analyze/edge-book.js";
import { EdgeCounter } from "../../analyze/edges.js";
import { Evidence } from "../../analyze/evidence.js";
import { limitSnapshot } from "../../analyze/limit.js";
import { RequestCounter } from "../../analyze/request-counter.js";
import type { LedgerInterface, Snapshot } from "../../analyze/snapshot.js";
import { EndNames } from "../../analyze/tracking/ends.js";
import { countVerdicts } from "../../analyze/tracking/joined.js";
import { buildLimits } from "../../analyze/tracking/limits.js";
import { buildStates, buildTrackedServices } from "../../analyze/tracking/services.js";
import type { NameSources } from "../../capture/names/name-sources.js";
import { Names } from "../../capture/names/names.js";
import { PeerThread } from "../../capture/peers/peer-thread.js";
import { openNames, readNamesOnce } from "../../engine/names.js";
import { chosenInterfaces, type LiveOptions } from "../../engine/options.js";
import { Taps } from "../../engine/taps.js";
import { LiveTracking } from "../../engine/tracking.js";
import { Next, watch } from "../../engine/watch.js";
import type { ExposedConnections, ExposedEvidence } from "../../report/metrics/state.js";
import { type ExposedPackets, exposeAnalyzer } from "../exposition.js";
import type { Terminal } from "../terminal.js";
import { PollTimes } from "./poll-times.js";
import { Residuals } from "./residuals.js";

/** Rows of each table that a Snapshot has beside `other`. */
const SNAPSHOT_ROWS = 1000;
const TICK_MS = 1000;
/** Ticks from one look at connection tracking to the next: a full table takes a tenth of a second. */
const TRACKING_TICKS = 5;
/** Conversations and tracked connections that are held against each other; of more it is not said who saw them. */
const MAX_JUDGED = 50_000;

export interface WatchedOptions extends LiveOptions {
  readonly maxFlows: number;
  readonly maxSamples: number;
  readonly ttlSeconds: number;
  readonly registry?: URL;
  /** Called now and then with a way to the Snapshot, its tables whole; good until it returns. */
  readonly follow: (take: () => Snapshot) => void;
}

/** The parts of a page that come from what is watched. */
export interface WatchedExposition extends ExposedPackets {
  readonly connections: ExposedConnections | null;
  readonly evidence: readonly ExposedEvidence[] | null;
}

export class WatchedNetwork {
  readonly polls = new PollTimes(["names", "conntrack"]);
  readonly #taps: Taps;
  readonly #sources: NameSources;
  readonly #peers: PeerThread;
  readonly #tracking: LiveTracking | null;
  readonly #filtered: boolean;
  readonly #analyzer: Analyzer;
  readonly #book: EdgeBook;
  readonly #counter: EdgeCounter;
  readonly #requests: RequestCounter;
  readonly #residuals = new Residuals();
  readonly #producer: string;
  readonly #redact: boolean;
  readonly #follow: WatchedOptions["follow"];
  #current: Names | null = null;
  #names = new Names(EXTERNAL);
  #connections: ExposedConnections | null = null;
  #ticks = 0;
  #evidence: readonly ExposedEvidence[] | null = null;
  #poll: Promise<void> | null = null;

  private constructor(
    taps: Taps,
    sources: NameSources,
    peers: PeerThread,
    tracking: LiveTracking | null,
    options: WatchedOptions,
    producer: string,
  ) {
    this.#taps = taps;
    this.#sources = sources;
    this.#peers = peers;
    this.#tracking = tracking;
    this.#filtered = (options.filter?.trim() ?? "") !== "";
    this.#producer = producer;
    this.#redact = options.redact ?? false;
    this.#follow = options.follow;
    this.#analyzer = new Analyzer({
      maxFlows: options.maxFlows,
      decapsulate: options.decapsulate ?? false,
      seed: options.seed ?? 0,
    });
    this.#book = new EdgeBook({ maxSamples: options.maxSamples, ttlUs: options.ttlSeconds * 1e6 });
    this.#counter = new EdgeCounter(this.#analyzer, this.#book.edges);
    this.#requests = new RequestCounter(this.#analyzer.inspector, this.#book.requests);
  }

  /** Opens all that needs rights. Throws CommandError. */
  static async open(options: WatchedOptions, producer: string, terminal: Terminal): Promise<WatchedNetwork> {
    const interfaces = chosenInterfaces(options);
    const near = options.netns === undefined ? interfaces : [];
    const peers = new PeerThread();
    const sources = openNames(options, terminal, peers, near);
    const startUs = Date.now() * 1000;
    const taps = await Taps.open(options);
    await peers.load();
    await readNamesOnce(sources);
    const asked = { ...options, conntrack: true };
    const tracking = await LiveTracking.open(asked, interfaces, startUs, terminal);
    return new WatchedNetwork(taps, sources, peers, tracking, options, producer);
  }

  /** Takes packets until the signal comes or nothing more does. */
  async run(signal: AbortSignal): Promise<void> {
    await watch({
      sources: this.#taps.taps.map(({ source }) => source),
      take: (packet, source) => {
        this.#analyzer.add(packet);
        this.#taps.taps[source]!.bytes += packet.length;
        return Next.packet;
      },
      settle: async () => {},
      intervalMs: TICK_MS,
      tick: async () => this.#tick(),
      signal,
    });
    this.#update();
    this.#follow(() => this.#wholeSnapshot(null));
    await this.#poll;
  }

  /** Why the capture ended though nobody stopped it; none where it did not. */
  get failures(): readonly string[] {
    return this.#taps.failures;
  }

  expose(): WatchedExposition {
    this.#update();
    const interfaces = this.#residuals.apply(this.#taps.ledger());
    const packets = exposeAnalyzer(this.#analyzer, this.#counter, this.#book, interfaces);
    return { ...packets, connections: this.#connections, evidence: this.#evidence };
  }

  /** With connection tracking as it was read last, where that can be had and is not too much to hold against the packets. */
  async snapshot(): Promise<Snapshot> {
    // A poll fills its table anew: what is in it meanwhile is a part.
    while (this.#poll !== null) await this.#poll;
    const tracking = this.#trackingContext();
    const isJudged = tracking !== null && this.#countJudged(tracking) <= MAX_JUDGED;
    return limitSnapshot(this.#wholeSnapshot(isJudged ? tracking : null), SNAPSHOT_ROWS);
  }

  #wholeSnapshot(tracking: TrackingContext | null): Snapshot {
    this.#update();
    const { taps } = this.#taps;
    return buildSnapshot(this.#analyzer, {
      producer: this.#producer,
      files: taps.map(({ source }) => ({ name: source.name, packets: source.packets, damage: null })),
      interfaces: this.#taps.ledger() as LedgerInterface[],
      dropped: this.#taps.counts().dropped,
      names: this.#names,
      redact: this.#redact,
      nameFailures: this.#sources.failures,
      ...(tracking ? { tracking } : {}),
    });
  }

  close(): void {
    this.#taps.close();
    void this.#peers.close();
    this.#tracking?.close();
  }

  #tick(): void {
    this.#taps.watchNamespace();
    this.#taps.noteCounters();
    this.#residuals.note(this.#taps.ledger());
    this.#update();
    const started = performance.now();
    void this.#sources
      .refresh(Date.now() * 1000)
      .then(() => this.polls.note("names", performance.now() - started, this.#hasFailingSource));
    if (this.#ticks++ % TRACKING_TICKS !== 0) return;
    this.#poll ??= this.#pollTracking();
    this.#follow(() => this.#wholeSnapshot(null));
  }

  #update(): void {
    const current = this.#sources.current();
    if (current !== this.#current) {
      this.#current = current;
      this.#analyzer.inspector.renewNames();
      this.#names = new Names(EXTERNAL);
      current.addTo(this.#names);
    }
    const nowUs = Date.now() * 1000;
    this.#counter.update(this.#names, nowUs);
    this.#requests.update(this.#names, nowUs);
  }

  async #pollTracking(): Promise<void> {
    const tracking = this.#tracking;
    if (tracking === null) return;
    const started = performance.now();
    await tracking.poll();
    const context = this.#trackingContext()!;
    const { namespaces, capture } = context;
    const ends = new EndNames(this.#names);
    this.#connections = {
      tables: {
        services: buildTrackedServices(namespaces, ends),
        states: buildStates(namespaces),
        limits: buildLimits(namespaces),
      },
    };
    const { flows } = this.#analyzer;
    this.#evidence =
      this.#countJudged(context) > MAX_JUDGED
        ? null
        : countVerdicts(flows, new Evidence(flows, namespaces, factsOf(this.#analyzer, capture)));
    const hasFailed = namespaces.some(({ problem }) => problem !== null);
    this.polls.note("conntrack", performance.now() - started, hasFailed);
    this.#poll = null;
  }

  #trackingContext(): TrackingContext | null {
    const gap = this.#filtered || (this.#taps.counts().dropped ?? 0) > 0 || this.#hasEvicted;
    return this.#tracking?.context(Date.now() * 1000, gap) ?? null;
  }

  #countJudged({ namespaces }: TrackingContext): number {
    return namespaces.reduce((sum, { entries }) => sum + entries.count, this.#analyzer.flows.count);
  }

  /** Reads the names file again. Throws what reading it throws; then the names before stay. */
  rereadNames(): void {
    this.#sources.rereadFile();
  }

  get #hasFailingSource(): boolean {
    return this.#sources.failures.some(({ failing }) => failing);
  }

  get #hasEvicted(): boolean {
    return this.#analyzer.flows.evicted.flows > 0;
  }
}
