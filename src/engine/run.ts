/** A live run: opens what it needs as root, gives root up, then takes packets until it is told to end. */
import { performance } from "node:perf_hooks";
import { Analyzer } from "../analyze/analyzer.js";
import { buildSnapshot, type TrackingContext } from "../analyze/build.js";
import type { Snapshot } from "../analyze/snapshot.js";
import type { Recorder } from "../capture/file/recorder.js";
import type { NameSources } from "../capture/names/name-sources.js";
import type { Names } from "../capture/names/names.js";
import type { Packet } from "../capture/packet.js";
import { PeerThread } from "../capture/peers/peer-thread.js";
import { CommandError, ExitCode, reasonOf } from "../exit.js";
import { agree, formatCounted } from "../format.js";
import { EventWriter } from "./event-writer.js";
import { LiveHealth } from "./health.js";
import { openHealthPoll } from "./health-poll.js";
import { openNames, readNamesOnce, soon } from "./names.js";
import { checkLiveOptions, chosenInterfaces, DEFAULT_INTERVAL_SECONDS, type LiveOptions } from "./options.js";
import { type Outputs, openOutputs } from "./outputs.js";
import type { Outside } from "./outside.js";
import type { SidecarWriter } from "./sidecar-writer.js";
import { Taps } from "./taps.js";
import { LiveTracking } from "./tracking.js";
import { Next, watch } from "./watch.js";

/** What a run is seen by. */
export interface LiveView {
  /** A Snapshot of the run so far, once every interval. It is good until this returns. null: nobody looks. */
  readonly show: ((snapshot: Snapshot) => Promise<void>) | null;
  /** Loads what is needed later: once root is given up, modules and fonts may be in a folder that is closed. null: nothing. */
  readonly load: (() => Promise<unknown>) | null;
  /** Also reserve this file while there is the right to; see `openOutputs`. */
  readonly reserve?: readonly string[];
  /** A screen is drawn on, which every end puts back: the run never waits for the other end of a pipe. */
  readonly isScreen?: boolean;
  /** Follows the run, in place of one made for `--events`: where others have something to add to it. */
  readonly events?: EventWriter | null;
}

export interface LiveResult {
  readonly snapshot: Snapshot;
  readonly exitCode: ExitCode;
  readonly outputs: Outputs;
  /** What ended it early, a sentence each: to be said when nothing is drawn over it any more. */
  readonly troubles: readonly string[];
}

/** All that a run needs is open, and root is given up. */
export interface OpenRun {
  readonly run: LiveRun;
  readonly taps: Taps;
  readonly outputs: Outputs;
  /** Ends what is still under way. Call it in any case. */
  close(): void;
}

/** Opens all that a run needs, and gives root up. Throws CommandError, and leaves nothing open then. */
export async function openRun(
  options: LiveOptions,
  view: LiveView,
  producer: string,
  outside: Outside,
): Promise<OpenRun> {
  const interfaces = checkLiveOptions(options);
  const near = options.netns === undefined ? interfaces : [];
  // One each: the work on an engine's answer is in no duration of a check.
  const namePeers = options.numeric ? null : new PeerThread();
  const healthPeers = options.health ? new PeerThread() : null;
  const sources = namePeers && openNames(options, outside, namePeers, near);
  const poll = healthPeers && openHealthPoll(options.names!, options.registry, healthPeers);
  const startUs = Date.now() * 1000;
  const taps = await Taps.open(options);
  let tracking: LiveTracking | null = null;
  let health: LiveHealth | null = null;
  let run: LiveRun | null = null;
  const close = () => {
    run?.abandon();
    health?.close();
    void namePeers?.close();
    void healthPeers?.close();
    tracking?.close();
    taps.close();
  };
  try {
    tracking = await LiveTracking.open(options, interfaces, startUs, outside);
    await Promise.all([namePeers?.load(), healthPeers?.load()]);
    await readNamesOnce(sources);
    const events = view.events ?? createEvents(options, outside);
    await view.load?.();
    const outputs = openOutputs(options, view.reserve ?? [], taps, outside, {
      application: producer,
      events,
      polls: sources !== null || tracking !== null,
      names: () => run?.embeddedNames() ?? [],
    });
    health = poll && new LiveHealth(poll, (line) => outside.say(line));
    run = new LiveRun(options, { taps, ...outputs, sources, tracking, health, events }, producer);
    return { run, taps, outputs, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What `--events` asks for, not open yet; null: nothing. */
export function createEvents(options: LiveOptions, outside: Outside): EventWriter | null {
  if (options.events === undefined) return null;
  return new EventWriter(options.events, chosenInterfaces(options).join(" "), (line) => outside.say(line));
}

/** What a run works with: opened before root is given up, closed by others. null: not asked for, or not to be had. */
interface Parts {
  readonly taps: Taps;
  readonly recorder: Recorder | null;
  readonly sidecar: SidecarWriter | null;
  readonly events: EventWriter | null;
  readonly sources: NameSources | null;
  readonly tracking: LiveTracking | null;
  readonly health: LiveHealth | null;
}

export class LiveRun {
  readonly #options: LiveOptions;
  readonly #taps: Taps;
  readonly #recorder: Recorder | null;
  readonly #sidecar: SidecarWriter | null;
  readonly #events: EventWriter | null;
  readonly #sources: NameSources | null;
  readonly #tracking: LiveTracking | null;
  readonly #health: LiveHealth | null;
  readonly #producer: string;
  readonly #analyzer: Analyzer;
  readonly #count: number;
  readonly #fileBytes: number;
  readonly #files: number;
  #names: Names | null = null;
  /** When packets ceased to be taken, microseconds since 1970; null: not yet. */
  #endUs: number | null = null;
  /** Every packet that came was taken: the counts can be held against the interface's. */
  #whole = true;
  readonly #closeNow = () => this.#recorder?.closeNow();

  constructor(options: LiveOptions, parts: Parts, producer: string) {
    const { taps, recorder, sidecar, sources, tracking, health, events } = parts;
    this.#options = options;
    this.#taps = taps;
    this.#recorder = recorder;
    this.#sidecar = sidecar;
    this.#events = events;
    this.#sources = sources;
    this.#tracking = tracking;
    this.#health = health;
    this.#producer = producer;
    this.#analyzer = new Analyzer({
      ...(options.maxFlows === undefined ? {} : { maxFlows: options.maxFlows }),
      decapsulate: options.decapsulate ?? false,
      seed: options.seed ?? 0,
    });
    const { autostop = {} } = options;
    this.#count = Math.min(
      options.count ?? Number.POSITIVE_INFINITY,
      autostop.packets ?? Number.POSITIVE_INFINITY,
    );
    this.#fileBytes = (autostop.filesize ?? Number.POSITIVE_INFINITY) * 1000;
    this.#files = autostop.files ?? Number.POSITIVE_INFINITY;
    // A reader of the pipe that goes away ends the program at once: the file must be whole all the same.
    process.on("exit", this.#closeNow);
  }

  async execute(view: LiveView, outputs: Outputs): Promise<LiveResult> {
    const { signal, autostop } = this.#options;
    const ends = autostop?.duration === undefined ? [signal] : [signal, timeout(autostop.duration)];
    let failure: CommandError | null = null;
    try {
      this.#note(false);
      await this.#watch(view, AbortSignal.any(ends));
      if (this.#whole) this.#taps.noteCounters();
      this.#endUs = Date.now() * 1000;
      await Promise.all([
        this.#tracking?.poll(),
        this.#sources && soon(this.#sources.refreshLast(this.#endUs)),
      ]);
      await this.#recorder?.close();
      // Nothing is waited for from here to the Snapshot: both tell the same.
      this.#note(true);
      this.#sidecar?.close();
    } catch (error) {
      failure = this.#unwritable(error);
    }
    return { ...this.#end(failure), outputs };
  }

  #watch(view: LiveView, signal: AbortSignal): Promise<void> {
    const { show } = view;
    return watch({
      sources: this.#taps.taps.map(({ source }) => source),
      take: (packet, source) => this.#take(packet, source),
      settle: async () => await this.#recorder?.flush(),
      intervalMs: (this.#options.interval ?? DEFAULT_INTERVAL_SECONDS) * 1000,
      tick: async () => {
        this.#taps.watchNamespace();
        void this.#sources?.refresh(Date.now() * 1000);
        this.#followNames();
        await this.#recorder?.tick(new Date(), performance.now());
        if (show === null && this.#sidecar === null && this.#events === null) return;
        if (show !== null || this.#sidecar !== null) await this.#tracking?.poll();
        this.#note(false);
        if (show === null && this.#events === null) return;
        const snapshot = this.snapshot(show === null ? null : this.#tracking);
        this.#events?.look(snapshot, Date.now() * 1000);
        await show?.(snapshot);
      },
      signal,
    });
  }

  /** The hot path: one call a packet. */
  #take(packet: Packet, source: number): Next {
    const analyzer = this.#analyzer;
    analyzer.add(packet);
    const tap = this.#taps.taps[source]!;
    tap.bytes += packet.length;
    let next = Next.packet;
    if (this.#recorder !== null) next = this.#record(this.#recorder, packet, source);
    if (analyzer.packets < this.#count && next !== Next.stop) return next;
    this.#whole = false;
    return Next.stop;
  }

  #record(recorder: Recorder, packet: Packet, source: number): Next {
    const mustSettle = recorder.add(source, packet);
    if (recorder.bytes >= this.#fileBytes) return Next.stop;
    if (recorder.isFull) {
      if (recorder.files >= this.#files) return Next.stop;
      recorder.rotate(new Date(), performance.now());
    }
    return mustSettle ? Next.settle : Next.packet;
  }

  snapshot(tracking = this.#tracking): Snapshot {
    const { taps } = this.#taps;
    return buildSnapshot(this.#analyzer, {
      producer: this.#producer,
      files: taps.map(({ source }) => ({ name: source.name, packets: source.packets, damage: null })),
      interfaces: this.#taps.ledger(),
      dropped: this.#taps.counts().dropped,
      names: this.#sources?.current() ?? null,
      redact: this.#options.redact ?? false,
      nameFailures: this.#sources?.failures ?? [],
      ...(tracking ? { tracking: this.#trackingContext(tracking) } : {}),
    });
  }

  /** What is asked under new names is counted apart. */
  #followNames(): void {
    const current = this.#sources?.current() ?? null;
    if (current !== this.#names) this.#analyzer.inspector.renewNames();
    this.#names = current;
  }

  /** Writes what has been learnt beside the packets. */
  #note(last: boolean): void {
    const sidecar = this.#sidecar;
    sidecar?.addNames(this.#sources?.current() ?? null, Date.now() * 1000);
    for (const { checks, report, timeUs } of this.#health?.take() ?? []) {
      sidecar?.addHealth(checks, timeUs);
      this.#events?.health(report, timeUs);
    }
    if (this.#tracking) sidecar?.addTracking(this.#trackingContext(this.#tracking), last);
  }

  #trackingContext(tracking: LiveTracking): TrackingContext {
    const { dropped } = this.#taps.counts();
    const filtered = (this.#options.filter?.trim() ?? "") !== "";
    const gap = filtered || (dropped ?? 0) > 0 || this.#analyzer.flows.evicted.flows > 0;
    return tracking.context(this.#endUs ?? Date.now() * 1000, gap);
  }

  /** Names of the addresses seen, for the file. */
  embeddedNames(): { address: string; name: string }[] {
    const names = this.#sources?.current();
    if (!names) return [];
    const found: { address: string; name: string }[] = [];
    for (const { address, service } of this.snapshot(null).tables.endpoints.rows) {
      if (found.length >= MAX_NAMES) break;
      const name = names.find(String(address), null, null);
      if (name !== null && service !== address) found.push({ address: String(address), name });
    }
    return found;
  }

  #unwritable(error: unknown): CommandError {
    if (error instanceof CommandError) return error;
    const { syscall, code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE" || (syscall !== "write" && syscall !== "open" && syscall !== "fsync")) throw error;
    return new CommandError(ExitCode.unwritable, `${this.#options.write ?? "output"}: ${reasonOf(error)}`);
  }

  /** How it ended, and with what in hand. */
  #end(before: CommandError | null): Omit<LiveResult, "outputs"> {
    const snapshot = this.snapshot();
    const untold = this.#endEvents(snapshot);
    const failure = before ?? untold;
    const lost = this.#taps.failures;
    const { packets } = this.#analyzer;
    const counted = `${formatCounted(packets, "packet")} before that ${agree(packets, "are")} counted`;
    const troubles = lost.map((line) => `${line}; ${counted}`);
    if (failure !== null) troubles.push(failure.message);
    const exitCode =
      failure !== null ? failure.exitCode : lost.length > 0 ? ExitCode.noInterface : ExitCode.ok;
    return { snapshot, exitCode, troubles };
  }

  /** Takes the last look, so that what happened since the last tick is told too. */
  #endEvents(snapshot: Snapshot): CommandError | null {
    const nowUs = this.#endUs ?? Date.now() * 1000;
    this.#events?.look(snapshot, nowUs);
    const problem = this.#events?.close(nowUs) ?? null;
    return problem === null ? null : new CommandError(ExitCode.unwritable, problem);
  }

  /** Leaves nothing behind that the run has set up. */
  abandon(): void {
    process.removeListener("exit", this.#closeNow);
    this.#closeNow();
  }
}

/** Comes after some seconds; keeps no one waiting. */
function timeout(seconds: number): AbortSignal {
  return AbortSignal.timeout(Math.min(Math.round(seconds * 1000), 2 ** 31 - 1));
}

/** Names written to a capture file. */
const MAX_NAMES = 10_000;
