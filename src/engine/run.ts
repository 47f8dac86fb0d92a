/** A live run: captures interfaces, polls names and connection tracking, and calls its subscribers. */
import { performance } from "node:perf_hooks";
import { Analyzer } from "../analyze/analyzer.js";
import { type EventLimits, EventTracker, type NetworkEvent } from "../analyze/event-tracker.js";
import { buildSnapshot, type ConntrackContext } from "../analyze/snapshot/build.js";
import type { Snapshot } from "../analyze/snapshot/snapshot.js";
import type { NameSources } from "../capture/names/name-sources.js";
import { Names } from "../capture/names/names.js";
import type { Packet } from "../capture/packet.js";
import { PeerThread } from "../capture/peers/peer-thread.js";
import { type CapturedOptions, chosenInterfaces } from "./captured-options.js";
import { LiveConntrack } from "./conntrack.js";
import type { EnrichingOptions } from "./enriching-options.js";
import type { HealthRound } from "./health/health-rounds.js";
import { Next, runLoop } from "./loop.js";
import { openNames, readNamesOnce, soon } from "./names.js";
import type { Outside } from "./outside.js";
import { Taps } from "./taps.js";

/** A subscriber of a run. Arguments are valid until the method returns. An error it throws ends the run. */
export interface Subscriber {
  /** At every tick, with the current names. */
  onTick?(): void;
  /** Something happened. Called before the Snapshot or the round of health checks that shows it. `timeUs`: microseconds since 1970. */
  onEvent?(event: NetworkEvent, timeUs: number): void;
  /** After a round of health checks. */
  onHealth?(round: HealthRound): void;
  /** At every look, after connection tracking was read. `isLast`: the run is over. */
  onConntrack?(context: ConntrackContext, isLast: boolean): void;
  /** At every look, with the Snapshot so far. */
  onSnapshot?(snapshot: Snapshot): void | Promise<void>;
  /** Its Snapshots compare the packets with connection tracking. */
  readonly wantsEvidence?: boolean;
  /** After a poll of names or connection tracking, which took `ms`. */
  onPoll?(what: Polled, ms: number, hasFailed: boolean): void;
}

export type Polled = "names" | "conntrack";

/** Takes each packet once it is counted. */
export interface PacketTaker {
  /** The hot path: one call per packet. Borrows it. `source`: the number of its interface. */
  take(packet: Packet, source: number): Next;
  /** Makes room after `Next.settle`. */
  settle(): Promise<void>;
  /** Called at every tick, before the subscribers. */
  tick(): Promise<void>;
}

/** Settings of a run. */
export interface Following {
  readonly subscribers: readonly Subscriber[];
  /** Milliseconds between ticks. */
  readonly intervalMs: number;
  /** Ticks between looks; a full table of connection tracking takes a tenth of a second. */
  readonly lookTicks: number;
  readonly taker: PacketTaker | null;
  /** Absent: those of an event log. */
  readonly eventLimits?: EventLimits | undefined;
}

const UNFOLLOWED: Following = {
  subscribers: [],
  intervalMs: 1000,
  lookTicks: 1,
  taker: null,
};

/** The parts of a run. null: not requested, or not available. */
interface Parts {
  readonly taps: Taps;
  readonly sources: NameSources | null;
  readonly peers: PeerThread | null;
  readonly conntrack: LiveConntrack | null;
}

export class LiveRun {
  readonly analyzer: Analyzer;
  readonly taps: Taps;
  readonly #options: CapturedOptions;
  readonly #sources: NameSources | null;
  readonly #peers: PeerThread | null;
  readonly #tracking: LiveConntrack | null;
  readonly #producer: string;
  readonly #rest: string | null;
  #events = new EventTracker();
  #current: Names | null = null;
  #names: Names | null = null;
  #following = UNFOLLOWED;
  #ticks = 0;
  #poll: Promise<void> | null = null;
  /** What a subscriber threw at a round of health checks. */
  #failure: { readonly error: unknown } | null = null;
  /** End of packet capture, microseconds since 1970; null: still running. */
  #endUs: number | null = null;

  private constructor(
    { taps, sources, peers, conntrack }: Parts,
    options: CapturedOptions,
    producer: string,
    rest: string | null,
  ) {
    this.taps = taps;
    this.#options = options;
    this.#sources = sources;
    this.#peers = peers;
    this.#tracking = conntrack;
    this.#producer = producer;
    this.#rest = rest;
    this.analyzer = new Analyzer({
      ...(options.maxFlows === undefined ? {} : { maxFlows: options.maxFlows }),
      decapsulate: options.decapsulate ?? false,
      seed: options.seed ?? 0,
    });
  }

  /**
   * Opens everything that needs rights: later polls need only the opener. `rest`: label of addresses without a name; null:
   * its address. Throws CaptureError where an interface cannot be opened, else CommandError, and leaves nothing open then.
   */
  static async open(
    options: CapturedOptions,
    enriching: EnrichingOptions,
    producer: string,
    outside: Outside,
    rest: string | null = null,
  ): Promise<LiveRun> {
    const interfaces = chosenInterfaces(options);
    const near = options.netns === undefined ? interfaces : [];
    const peers = enriching.numeric ? null : new PeerThread();
    const opened: { close(): unknown }[] = peers ? [peers] : [];
    try {
      const sources = peers && openNames(enriching, outside, peers, near);
      await peers?.load();
      const startUs = Date.now() * 1000;
      const taps = await Taps.open(options);
      opened.push(taps);
      const conntrack = await LiveConntrack.open(options, enriching, interfaces, startUs, outside);
      if (conntrack) opened.push(conntrack);
      await readNamesOnce(sources);
      return new LiveRun({ taps, sources, peers, conntrack }, options, producer, rest);
    } catch (error) {
      for (const part of opened) void part.close();
      throw error;
    }
  }

  /** Names or connection tracking are polled. */
  get polls(): boolean {
    return this.#sources !== null || this.#tracking !== null;
  }

  /** Now, or the end of packet capture; microseconds since 1970. */
  get timeUs(): number {
    return this.#endUs ?? Date.now() * 1000;
  }

  /** Current names; null: not requested. Requests under new names are counted separately. */
  currentNames(): Names | null {
    const current = this.#sources?.current() ?? null;
    if (current !== this.#current) {
      this.#current = current;
      this.analyzer.inspector.renewNames();
      this.#names = current;
      if (current !== null && this.#rest !== null) {
        this.#names = new Names(this.#rest);
        current.addTo(this.#names);
      }
    }
    return this.#names;
  }

  /** Reads the names file again. Throws its errors; then the earlier names stay. */
  rereadNames(): void {
    this.#sources?.rereadFile();
  }

  /** Sets the subscribers. Call it before packets are taken. */
  follow(following: Following): void {
    this.#following = following;
    this.#events = new EventTracker(following.eventLimits);
  }

  /** Takes packets until the signal, the taker's limit or the end of the sources. Throws errors of subscribers. */
  async takePackets(signal: AbortSignal): Promise<void> {
    const { taker, intervalMs } = this.#following;
    await runLoop({
      sources: this.taps.taps.map(({ source }) => source),
      take: (packet, source) => {
        this.analyzer.add(packet);
        this.taps.taps[source]!.bytes += packet.length;
        return taker === null ? Next.packet : taker.take(packet, source);
      },
      flush: () => this.analyzer.flush(),
      settle: async () => await taker?.settle(),
      intervalMs,
      tick: () => this.#tick(),
      signal,
    });
  }

  async #tick(): Promise<void> {
    const { subscribers, taker, lookTicks } = this.#following;
    this.analyzer.flush();
    this.taps.watchNamespace();
    void this.#refreshNames();
    await taker?.tick();
    const looks = this.#ticks++ % lookTicks === 0;
    const startedMs = performance.now();
    const tracks = looks && subscribers.some((of) => of.onConntrack || of.wantsEvidence);
    if (tracks) await this.#pollConntrack();
    const pollMs = performance.now() - startedMs;
    this.tell(tracks, false, pollMs);
    if (looks) await this.#show();
  }

  /**
   * Calls the subscribers with the current state, except Snapshots; `tracks`: connection tracking too. `pollMs`: duration of its poll;
   * null: not polled for this. Synchronous.
   */
  tell(tracks: boolean, isLast: boolean, pollMs: number | null = null): void {
    const { subscribers } = this.#following;
    if (this.#failure !== null) throw this.#failure.error;
    // Also without a subscriber for names: requests under new names are counted separately.
    this.currentNames();
    for (const of of subscribers) of.onTick?.();
    const context = tracks ? this.conntrackContext() : null;
    if (context === null) return;
    const startedMs = performance.now();
    for (const of of subscribers) of.onConntrack?.(context, isLast);
    if (pollMs === null) return;
    const hasFailed = context.namespaces.some(({ problem }) => problem !== null);
    const ms = pollMs + performance.now() - startedMs;
    for (const of of subscribers) of.onPoll?.("conntrack", ms, hasFailed);
  }

  async #show(): Promise<void> {
    const { subscribers } = this.#following;
    if (!subscribers.some((of) => of.onSnapshot || of.onEvent)) return;
    const wantsEvidence = subscribers.some((of) => of.wantsEvidence);
    const snapshot = this.snapshot(wantsEvidence ? this.conntrackContext() : null);
    this.#tellEvents(() => this.#events.look(snapshot), this.timeUs);
    for (const of of subscribers) await of.onSnapshot?.(snapshot);
  }

  /** `find` is called where there is a subscriber who wants to know. */
  #tellEvents(find: () => readonly NetworkEvent[], timeUs: number): void {
    const listeners = this.#following.subscribers.filter((of) => of.onEvent);
    if (listeners.length === 0) return;
    for (const event of find()) for (const of of listeners) of.onEvent!(event, timeUs);
  }

  /** Tells of a round of health checks at once. What a subscriber throws ends the run at the next tick. */
  addHealth(round: HealthRound): void {
    try {
      this.#tellEvents(() => this.#events.health(round.report), round.timeUs);
      for (const of of this.#following.subscribers) of.onHealth?.(round);
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  async #refreshNames(): Promise<void> {
    const sources = this.#sources;
    if (sources === null) return;
    const startedMs = performance.now();
    await sources.refresh(Date.now() * 1000);
    const hasFailed = sources.failures.some(({ failing }) => failing);
    for (const of of this.#following.subscribers)
      of.onPoll?.("names", performance.now() - startedMs, hasFailed);
  }

  #pollConntrack(): Promise<void> {
    if (this.#tracking === null) return Promise.resolve();
    this.#poll ??= this.#tracking.poll().finally(() => {
      this.#poll = null;
    });
    return this.#poll;
  }

  /** After the end of capture: polls once more for the last Snapshot. */
  async end(): Promise<void> {
    this.#endUs = Date.now() * 1000;
    await Promise.all([this.#pollConntrack(), this.#sources && soon(this.#sources.refreshLast(this.#endUs))]);
  }

  /** The last Snapshot, after `end`. What happened since the last look is told; the Snapshot is the caller's. */
  finish(conntrack = this.conntrackContext()): Snapshot {
    const snapshot = this.snapshot(conntrack);
    this.#tellEvents(() => this.#events.look(snapshot), this.timeUs);
    return snapshot;
  }

  /** Resolves when no poll of connection tracking is running: a poll refills the table, which is incomplete during it. */
  async settled(): Promise<void> {
    while (this.#poll !== null) await this.#poll;
  }

  /** The last poll of connection tracking; null: not polled. */
  conntrackContext(): ConntrackContext | null {
    const { dropped } = this.taps.counts();
    const filtered = this.taps.filter !== "";
    const gap = filtered || (dropped ?? 0) > 0 || this.analyzer.flows.evicted.flows > 0;
    return this.#tracking?.context(this.timeUs, gap) ?? null;
  }

  /** The Snapshot so far. `tracking`: compared with the packets; null: not compared. */
  snapshot(conntrack: ConntrackContext | null = this.conntrackContext()): Snapshot {
    return buildSnapshot(this.analyzer, {
      producer: this.#producer,
      files: this.taps.taps.map(({ source }) => ({
        name: source.name,
        packets: source.packets,
        damage: null,
      })),
      interfaces: this.taps.ledger(),
      dropped: this.taps.counts().dropped,
      names: this.currentNames(),
      redact: this.#options.redact ?? false,
      nameFailures: this.#sources?.failures ?? [],
      ...(conntrack ? { conntrack } : {}),
    });
  }

  close(): void {
    this.taps.close();
    void this.#peers?.close();
    this.#tracking?.close();
  }
}
