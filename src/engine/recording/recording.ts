/** A live run with outputs: packets, sidecar, events. Its end is a result. */
import { performance } from "node:perf_hooks";
import type { EventLimits } from "../../analyze/event-tracker.js";
import type { ConntrackContext } from "../../analyze/snapshot/build.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import type { Recorder } from "../../capture/file/recorder.js";
import type { Packet } from "../../capture/packet.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { agree, formatCounted } from "../../format.js";
import { type CapturedOptions, chosenInterfaces } from "../captured-options.js";
import type { EnrichingOptions } from "../enriching-options.js";
import { type HealthRound, HealthRounds } from "../health/health-rounds.js";
import { Next } from "../loop.js";
import type { Outside } from "../outside.js";
import { LiveRun, type PacketTaker, type Subscriber } from "../run.js";
import { EventWriter } from "./event-writer.js";
import { type Outputs, openOutputs } from "./outputs.js";
import {
  checkRecorded,
  DEFAULT_INTERVAL_SECONDS,
  type LiveOptions,
  type RecordedOptions,
} from "./recorded-options.js";
import type { SidecarWriter } from "./sidecar-writer.js";

/** What a run is seen by. */
export interface LiveView {
  /** Follows the run besides the recording; called once every interval. null: none. */
  readonly follower: Subscriber | null;
  /** Loads code needed later: after root is given up, modules and fonts may be unreadable. null: nothing. */
  readonly load: (() => Promise<unknown>) | null;
  /** Also reserve this file before rights are given up; see `openOutputs`. */
  readonly reserve?: readonly string[];
  /** A screen is in use, which every end restores: the run never waits for the other end of a pipe. */
  readonly isScreen?: boolean;
  /** Called once packets are about to be taken: others have something to add to the run. */
  readonly onStart?: (run: LiveRun) => void;
  /** Absent: those of an event log. */
  readonly eventLimits?: EventLimits;
}

export interface LiveResult {
  readonly snapshot: Snapshot;
  readonly exitCode: ExitCode;
  readonly outputs: Outputs;
  /** Reasons of an early end, one sentence each: print them after the screen is closed. */
  readonly troubles: readonly string[];
}

/** Opens all that a run needs, and gives root up. Throws CaptureError where an interface cannot be opened, else CommandError, and leaves nothing open then. */
export async function openRecording(
  options: LiveOptions,
  view: LiveView,
  producer: string,
  outside: Outside,
): Promise<Recording> {
  const { captured, enriching, recorded } = options;
  chosenInterfaces(captured);
  checkRecorded(recorded, enriching.names);
  let run: LiveRun | null = null;
  const health = recorded.health ? openHealth(enriching, outside, (round) => run?.addHealth(round)) : null;
  try {
    // Before packets come: they have room for as long as this must not take.
    await Promise.all([health?.load(), view.load?.()]);
    run = await LiveRun.open(captured, enriching, producer, outside);
    const events = createEvents(captured, recorded.events, outside);
    const opened = run;
    const outputs = openOutputs(recorded, view.reserve ?? [], run.taps, outside, {
      application: producer,
      events,
      polls: run.polls,
      names: () => embeddedNames(opened),
    });
    return new Recording(recorded, { run, outputs, events, health }, view);
  } catch (error) {
    health?.close();
    run?.close();
    throw error;
  }
}

/** The first problem is said. */
function openHealth(
  { names, registry }: EnrichingOptions,
  outside: Outside,
  onRound: (round: HealthRound) => void,
): HealthRounds {
  let hasSaid = false;
  return new HealthRounds(names!, registry, (round) => {
    onRound(round);
    if (round.problem === null || hasSaid) return;
    hasSaid = true;
    outside.say(round.problem);
  });
}

/** The writer for `--events`, not open yet; null: none. */
export function createEvents(
  captured: CapturedOptions,
  path: RecordedOptions["events"],
  outside: Outside,
): EventWriter | null {
  if (path === undefined) return null;
  return new EventWriter(path, chosenInterfaces(captured).join(" "), (line) => outside.say(line));
}

/** Writes the sidecar. */
class SidecarFollower implements Subscriber {
  readonly #sidecar: SidecarWriter;
  readonly #run: LiveRun;

  constructor(sidecar: SidecarWriter, run: LiveRun) {
    this.#sidecar = sidecar;
    this.#run = run;
  }

  onTick(): void {
    this.#sidecar.addNames(this.#run.currentNames(), Date.now() * 1000);
  }

  /** Without a checked target there is nothing to write. */
  onHealth({ checks, timeUs }: HealthRound): void {
    if (checks.length > 0) this.#sidecar.addHealth(checks, timeUs);
  }

  onConntrack(context: ConntrackContext, isLast: boolean): void {
    this.#sidecar.addConntrack(context, isLast);
  }
}

/** The parts of a recording, opened before root is given up. null: not requested. */
interface Parts {
  readonly run: LiveRun;
  readonly outputs: Outputs;
  readonly events: EventWriter | null;
  readonly health: HealthRounds | null;
}

export class Recording implements PacketTaker {
  readonly run: LiveRun;
  readonly #options: RecordedOptions;
  readonly #outputs: Outputs;
  readonly #recorder: Recorder | null;
  readonly #events: EventWriter | null;
  readonly #health: HealthRounds | null;
  readonly #subscribers: readonly Subscriber[];
  readonly #view: LiveView;
  /** Packets still to be taken. */
  #left: number;
  readonly #fileBytes: number;
  readonly #files: number;
  /** Every packet was counted, so the counts can be compared with the interface's. */
  #whole = true;
  readonly #closeNow = () => this.#recorder?.closeNow();

  constructor(options: RecordedOptions, { run, outputs, events, health }: Parts, view: LiveView) {
    this.run = run;
    this.#options = options;
    this.#outputs = outputs;
    this.#recorder = outputs.recorder;
    this.#events = events;
    this.#health = health;
    this.#view = view;
    const { sidecar } = outputs;
    this.#subscribers = [
      ...(sidecar === null ? [] : [new SidecarFollower(sidecar, run)]),
      ...[events, view.follower].filter((one) => one !== null),
    ];
    const { autostop = {} } = options;
    this.#left = Math.min(
      options.count ?? Number.POSITIVE_INFINITY,
      autostop.packets ?? Number.POSITIVE_INFINITY,
    );
    this.#fileBytes = (autostop.filesize ?? Number.POSITIVE_INFINITY) * 1000;
    this.#files = autostop.files ?? Number.POSITIVE_INFINITY;
    // The end of the pipe's reader ends the program at once, but the file must still be complete.
    process.on("exit", this.#closeNow);
  }

  /** Takes packets until a limit of the options, the signal or the end of the sources. Errors of outputs do not throw. */
  async execute(): Promise<LiveResult> {
    const { signal, autostop, interval = DEFAULT_INTERVAL_SECONDS } = this.#options;
    const { run } = this;
    const ends = autostop?.duration === undefined ? [signal] : [signal, timeout(autostop.duration)];
    const following = {
      subscribers: this.#subscribers,
      intervalMs: interval * 1000,
      lookTicks: 1,
      taker: this,
      eventLimits: this.#view.eventLimits,
    };
    let failure: CommandError | null = null;
    try {
      run.follow(following);
      run.tell(true, false);
      this.#health?.start();
      this.#view.onStart?.(run);
      await run.takePackets(AbortSignal.any(ends));
      if (this.#whole) run.taps.noteCounters();
      await run.end();
      await this.#recorder?.close();
      // No await from here to the Snapshot, so that both show the same state.
      run.tell(true, true);
      this.#health?.close();
      this.#outputs.sidecar?.close();
    } catch (error) {
      failure = this.#unwritable(error);
    }
    return { ...this.#end(failure), outputs: this.#outputs };
  }

  async settle(): Promise<void> {
    await this.#recorder?.flush();
  }

  async tick(): Promise<void> {
    await this.#recorder?.tick(new Date(), performance.now());
  }

  take(packet: Packet, source: number): Next {
    const next = this.#recorder === null ? Next.packet : this.#record(this.#recorder, packet, source);
    // Counted here: to ask the analyzer would count each batch at its first packet.
    if (--this.#left > 0 && next !== Next.stop) return next;
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

  #unwritable(error: unknown): CommandError {
    if (error instanceof CommandError) return error;
    const { syscall, code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE" || (syscall !== "write" && syscall !== "open" && syscall !== "fsync")) throw error;
    return new CommandError(ExitCode.unwritable, `${this.#options.write ?? "output"}: ${reasonOf(error)}`);
  }

  /** The end of the run and its results. */
  #end(before: CommandError | null): Omit<LiveResult, "outputs"> {
    const snapshot = this.run.finish();
    const untold = this.#events?.close(this.run.timeUs) ?? null;
    const failure = before ?? (untold === null ? null : new CommandError(ExitCode.unwritable, untold));
    const lost = this.run.taps.failures;
    const { packets } = this.run.analyzer;
    const counted = `${formatCounted(packets, "packet")} before that ${agree(packets, "are")} counted`;
    const troubles = lost.map((line) => `${line}; ${counted}`);
    if (failure !== null) troubles.push(failure.message);
    const exitCode =
      failure !== null ? failure.exitCode : lost.length > 0 ? ExitCode.noInterface : ExitCode.ok;
    return { snapshot, exitCode, troubles };
  }

  /** Closes everything; abandons running work. */
  close(): void {
    process.removeListener("exit", this.#closeNow);
    this.#closeNow();
    this.#health?.close();
    this.run.close();
  }
}

/** Names of the addresses seen so far, for the file. */
function embeddedNames(run: LiveRun): { address: string; name: string }[] {
  const names = run.currentNames();
  if (!names) return [];
  const found: { address: string; name: string }[] = [];
  for (const { address, service } of run.snapshot(null).tables.endpoints.rows) {
    if (found.length >= MAX_NAMES) break;
    const name = names.find(String(address), null, null);
    if (name !== null && service !== address) found.push({ address: String(address), name });
  }
  return found;
}

/** Resolves after some seconds; does not keep the process alive. */
function timeout(seconds: number): AbortSignal {
  return AbortSignal.timeout(Math.min(Math.round(seconds * 1000), 2 ** 31 - 1));
}

/** Names written to a capture file. */
const MAX_NAMES = 10_000;
