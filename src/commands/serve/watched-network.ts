/** What `netwatch serve` watches: packets of some interfaces, names and connection tracking, for as long as it runs. */
import { setImmediate } from "node:timers/promises";
import { Analyzer } from "../../analyze/analyzer.js";
import { buildSnapshot } from "../../analyze/build.js";
import { EdgeBook, EXTERNAL } from "../../analyze/edge-book.js";
import { EdgeCounter } from "../../analyze/edges.js";
import { limitSnapshot } from "../../analyze/limit.js";
import type { LedgerInterface, Snapshot } from "../../analyze/snapshot.js";
import { EndNames } from "../../analyze/tracking/ends.js";
import { buildLimits } from "../../analyze/tracking/limits.js";
import { buildStates, buildTrackedServices } from "../../analyze/tracking/services.js";
import { engineSockets } from "../../capture/docker.js";
import { SystemError } from "../../capture/libc.js";
import { createNameSources, type NameSources } from "../../capture/name-sources.js";
import { Names } from "../../capture/names.js";
import { NetnsError } from "../../capture/netns.js";
import { Tracker } from "../../capture/tracker.js";
import type { ExposedConnections } from "../../report/prometheus-state.js";
import { Next, watch } from "../../watch.js";
import { loadNames } from "../captures.js";
import { type ExposedPackets, exposeAnalyzer } from "../exposition.js";
import type { LiveOptions } from "../live-options.js";
import { Taps } from "../live-sources.js";
import type { Terminal } from "../terminal.js";
import { PollTimes } from "./poll-times.js";
import { Residuals } from "./residuals.js";

/** Rows of each table that a Snapshot has beside `other`. */
const SNAPSHOT_ROWS = 1000;
const TICK_MS = 1000;
/** Ticks from one look at connection tracking to the next: a full table takes a tenth of a second. */
const TRACKING_TICKS = 5;
const NAMES_WAIT_MS = 500;

export interface WatchedOptions extends LiveOptions {
  readonly maxFlows: number;
  readonly maxSamples: number;
  readonly ttlSeconds: number;
  readonly registry?: URL;
}

export class WatchedNetwork {
  readonly polls = new PollTimes(["names", "conntrack"]);
  readonly #taps: Taps;
  readonly #sources: NameSources;
  readonly #tracker: Tracker | null;
  readonly #analyzer: Analyzer;
  readonly #book: EdgeBook;
  readonly #counter: EdgeCounter;
  readonly #residuals = new Residuals();
  readonly #producer: string;
  #current: Names | null = null;
  #names = new Names(EXTERNAL);
  #connections: ExposedConnections | null = null;
  #ticks = 0;
  #tracking: Promise<void> | null = null;

  private constructor(
    taps: Taps,
    sources: NameSources,
    tracker: Tracker | null,
    options: WatchedOptions,
    producer: string,
  ) {
    this.#taps = taps;
    this.#sources = sources;
    this.#tracker = tracker;
    this.#producer = producer;
    this.#analyzer = new Analyzer({ maxFlows: options.maxFlows, seed: options.seed ?? 0 });
    this.#book = new EdgeBook({ maxSamples: options.maxSamples, ttlUs: options.ttlSeconds * 1e6 });
    this.#counter = new EdgeCounter(this.#analyzer.flows, this.#book);
  }

  /** Opens all that needs rights. Throws CommandError. */
  static async open(options: WatchedOptions, producer: string, terminal: Terminal): Promise<WatchedNetwork> {
    const { names, registry } = options;
    if (names !== undefined) loadNames(names);
    const sources = createNameSources({
      ...(names === undefined ? {} : { file: names }),
      ...(registry === undefined ? {} : { registry }),
      engineSockets: engineSockets(terminal.env.DOCKER_HOST),
      say: (line) => terminal.say(line),
    });
    const taps = await Taps.open(options);
    const late = new Promise((resolve) => setTimeout(resolve, NAMES_WAIT_MS).unref());
    await Promise.race([sources.refresh(Date.now() * 1000), late]);
    return new WatchedNetwork(taps, sources, openTracker(options.netns ?? null, terminal), options, producer);
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
    await this.#tracking;
  }

  /** Why the capture ended though nobody stopped it; none where it did not. */
  get failures(): readonly string[] {
    return this.#taps.failures;
  }

  expose(): ExposedPackets & { readonly connections: ExposedConnections | null } {
    this.#update();
    const interfaces = this.#residuals.apply(this.#taps.ledger());
    const packets = exposeAnalyzer(this.#analyzer, this.#counter, this.#book, interfaces);
    return { ...packets, connections: this.#connections };
  }

  snapshot(): Snapshot {
    this.#update();
    const { taps } = this.#taps;
    const snapshot = buildSnapshot(this.#analyzer, {
      producer: this.#producer,
      files: taps.map(({ source }) => ({ name: source.name, packets: source.packets, damage: null })),
      interfaces: this.#taps.ledger() as LedgerInterface[],
      dropped: this.#taps.counts().dropped,
      names: this.#names,
    });
    return limitSnapshot(snapshot, SNAPSHOT_ROWS);
  }

  close(): void {
    this.#taps.close();
    this.#tracker?.close();
  }

  #tick(): void {
    this.#taps.watchNamespace();
    this.#taps.noteCounters();
    this.#residuals.note(this.#taps.ledger());
    this.#update();
    const started = performance.now();
    void this.#sources
      .refresh(Date.now() * 1000)
      .then(() => this.polls.note("names", performance.now() - started, this.#sources.failures.length > 0));
    if (this.#ticks++ % TRACKING_TICKS === 0) this.#tracking ??= this.#pollTracking();
  }

  #update(): void {
    const current = this.#sources.current();
    if (current !== this.#current) {
      this.#current = current;
      this.#names = new Names(EXTERNAL);
      current.addTo(this.#names);
    }
    this.#counter.update(this.#names, Date.now() * 1000);
  }

  async #pollTracking(): Promise<void> {
    const tracker = this.#tracker;
    if (tracker === null) return;
    const started = performance.now();
    await tracker.poll(() => setImmediate());
    const ends = new EndNames(this.#names);
    this.#connections = {
      tables: {
        services: buildTrackedServices([tracker], ends),
        states: buildStates([tracker]),
        limits: buildLimits([tracker]),
      },
    };
    this.polls.note("conntrack", performance.now() - started, tracker.problem !== null);
    this.#tracking = null;
  }
}

/** Connection tracking is extra: without it the packets are counted all the same. */
function openTracker(netns: string | null, terminal: Terminal): Tracker | null {
  try {
    return Tracker.open(netns);
  } catch (error) {
    if (!(error instanceof NetnsError) && !(error instanceof SystemError)) throw error;
    terminal.say(`without connection tracking: ${error.message}`);
    return null;
  }
}
