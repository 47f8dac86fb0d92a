/** A capture file played back: the packets set the time, a Snapshot at every interval. */
import { setTimeout } from "node:timers/promises";
import { Analyzer } from "../../analyze/analyzer.js";
import { EventTracker, type NetworkEvent } from "../../analyze/event-tracker.js";
import { buildSnapshot } from "../../analyze/snapshot/build.js";
import type { HealthReport, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { openFile } from "../../capture/file/bytes.js";
import { CaptureReader } from "../../capture/file/file.js";
import { type Names, namesOfCapture } from "../../capture/names/names.js";
import { ledgerFile } from "../../captures.js";
import { loadNames } from "../../engine/names-file.js";
import { DEFAULT_INTERVAL_SECONDS } from "../../engine/recording/recorded-options.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { loadSidecar, takerOf } from "../analyze/captures.js";
import { SidecarPlayer } from "../analyze/sidecar-reader.js";
import type { Terminal } from "../terminal.js";
import type { TuiOptions } from "./tui.js";
import { SCREEN_LIMITS } from "./tui-feed.js";

/** Receives the results of a replay. */
export interface ReplayView {
  /** Something happened: the next Snapshot or round of health checks shows it. */
  onEvent(event: NetworkEvent): void;
  /** `seconds` of the capture have passed since the Snapshot before. */
  show(snapshot: Snapshot, seconds: number): void;
  /** The next round of health checks, recorded with the capture. */
  showHealth(report: HealthReport): void;
}

/** Plays a file to its end, or until `stop`. Throws CommandError if it cannot be read. */
export async function replay(
  options: TuiOptions,
  view: ReplayView,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const file = options.read![0]!;
  if (options.read!.length > 1 || file === "-")
    throw new CommandError(
      ExitCode.usage,
      "a replay is of one file: -r FILE (`netwatch analyze` joins several)",
    );
  const names = options.numeric || options.names === undefined ? null : loadNames(options.names);
  const { sidecar } = options;
  const recorded = sidecar === undefined ? null : (await loadSidecar(sidecar, terminal)).names;
  const player = sidecar === undefined ? null : new SidecarPlayer(sidecar);
  let reader: CaptureReader;
  try {
    reader = await CaptureReader.open(file, openFile(file));
  } catch (error) {
    throw new CommandError(ExitCode.unreadable, `${file}: ${reasonOf(error)}`);
  }
  try {
    await play(reader, { names: names ?? recorded, player }, options, view, producer);
  } finally {
    await player?.close();
    reader.close();
  }
  const [damage] = reader.report.damages;
  if (damage === undefined) return ExitCode.ok;
  if (reader.packets === 0) throw new CommandError(ExitCode.unreadable, `${file}: ${damage.reason}`);
  terminal.say(`${file}: damaged at byte ${damage.offset}: ${damage.reason}`);
  return ExitCode.damaged;
}

async function play(
  reader: CaptureReader,
  { names, player }: { readonly names: Names | null; readonly player: SidecarPlayer | null },
  options: TuiOptions,
  view: ReplayView,
  producer: string,
): Promise<void> {
  const { interval = DEFAULT_INTERVAL_SECONDS, speed = 1, signal, numeric } = options;
  const analyzer = new Analyzer({
    decapsulate: options.decapsulate ?? false,
    seed: options.seed ?? 0,
    nameChangesUs: names?.changesUs() ?? [],
  });
  const take = await takerOf(analyzer, options.filter);
  let waiting = await advance(reader);
  const tracker = new EventTracker(SCREEN_LIMITS);
  const showHealth = (report: HealthReport) => {
    for (const event of tracker.health(report)) view.onEvent(event);
    view.showHealth(report);
  };
  const follow = followHealth(player, showHealth, timeOf(reader));
  /** The Snapshot at a time, microseconds since 1970. */
  const show = async (byUs: number, seconds: number) => {
    await follow(byUs);
    const snapshot = buildSnapshot(analyzer, {
      producer,
      files: [ledgerFile(reader)],
      dropped: reader.report.dropped,
      names: numeric ? null : (names ?? namesOfCapture(reader.report.names)),
      redact: options.redact ?? false,
      ...(player?.conntrack ? { conntrack: player.conntrack } : {}),
    });
    // Compares the whole table: a pair that rises into the kept rows may be old.
    for (const event of tracker.look(snapshot)) view.onEvent(event);
    view.show(snapshot, seconds);
  };
  /** Packet time up to which packets are counted; null: no packet had a time yet. */
  let untilUs: number | null = null;
  while (waiting && !signal.aborted) {
    if (untilUs !== null) untilUs += interval * speed * 1e6;
    while (waiting && (untilUs === null || timeOf(reader) <= untilUs)) {
      if (untilUs === null && timeOf(reader) >= 0) untilUs = timeOf(reader) + interval * speed * 1e6;
      take(reader.packet);
      waiting = reader.next();
      if (waiting) continue;
      analyzer.flush();
      waiting = await advance(reader);
    }
    if (!waiting) await follow(analyzer.lastUs);
    await show(waiting ? (untilUs ?? 0) : Number.POSITIVE_INFINITY, interval * speed);
    if (waiting) await setTimeout(interval * 1000, undefined, { signal }).catch(() => {});
  }
  if (reader.packets === 0) await show(Number.POSITIVE_INFINITY, 0);
}

/** Reads a sidecar up to a moment, in steps shorter than a round of health checks, so that each round is shown. */
function followHealth(
  player: SidecarPlayer | null,
  showHealth: (report: HealthReport) => void,
  startUs: number,
): (byUs: number) => Promise<void> {
  let shown: HealthReport | null = null;
  let lastUs = startUs;
  return async (byUs) => {
    if (player === null) return;
    const stepUs = Math.max(STEP_US, (byUs - lastUs) / MAX_STEPS);
    for (let us = Math.min(byUs, lastUs + stepUs); ; us = Math.min(byUs, us + stepUs)) {
      await player.advance(us);
      if (player.health !== null && player.health !== shown) showHealth(player.health);
      shown = player.health;
      if (us >= byUs) break;
    }
    lastUs = byUs;
  };
}

const STEP_US = 1e6;
const MAX_STEPS = 10_000;

/** Negative: the packet has no time, and is never waited for. */
function timeOf({ packet }: CaptureReader): number {
  return packet.timeUs;
}

/** Reads on to the next packet. False at the end. */
async function advance(reader: CaptureReader): Promise<boolean> {
  while (!reader.next()) if (!(await reader.fill())) return false;
  return true;
}
