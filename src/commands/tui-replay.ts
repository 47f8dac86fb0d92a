/** A capture file played back: the packets set the time, a Snapshot at every interval. */
import { setTimeout } from "node:timers/promises";
import { Analyzer } from "../analyze/analyzer.js";
import { buildSnapshot } from "../analyze/build.js";
import type { Snapshot } from "../analyze/snapshot.js";
import { openFile } from "../capture/file/bytes.js";
import { CaptureReader } from "../capture/file/file.js";
import { type Names, namesOfCapture } from "../capture/names/names.js";
import { ledgerFile, loadNames, loadSidecar, takerOf } from "./captures.js";
import { CommandError, ExitCode, reasonOf } from "./exit.js";
import { DEFAULT_INTERVAL_SECONDS } from "./live-options.js";
import type { Sidecar } from "./sidecar-reader.js";
import type { Terminal } from "./terminal.js";
import type { TuiOptions } from "./tui.js";

/** Shows a Snapshot; `seconds` of the capture have passed since the one before. */
type Show = (snapshot: Snapshot, seconds: number) => Promise<void>;

/** Plays a file to its end, or until told to stop. Throws CommandError where it cannot be read. */
export async function replay(
  options: TuiOptions,
  show: Show,
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
  const sidecar = options.sidecar === undefined ? null : await loadSidecar(options.sidecar, terminal);
  let reader: CaptureReader;
  try {
    reader = await CaptureReader.open(file, openFile(file));
  } catch (error) {
    throw new CommandError(ExitCode.unreadable, `${file}: ${reasonOf(error)}`);
  }
  try {
    await play(reader, { names, sidecar }, options, show, producer);
  } finally {
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
  { names: given, sidecar }: { readonly names: Names | null; readonly sidecar: Sidecar | null },
  options: TuiOptions,
  show: Show,
  producer: string,
): Promise<void> {
  const { interval = DEFAULT_INTERVAL_SECONDS, speed = 1, signal, numeric } = options;
  const analyzer = new Analyzer({ seed: options.seed ?? 0 });
  const take = takerOf(analyzer, options.filter);
  const snapshot = () =>
    buildSnapshot(analyzer, {
      producer,
      files: [ledgerFile(reader)],
      dropped: reader.report.dropped,
      names: numeric ? null : (given ?? sidecar?.names ?? namesOfCapture(reader.report.names)),
      ...(sidecar?.tracking ? { tracking: sidecar.tracking } : {}),
    });
  /** The packets' time up to which they are taken; null: none had a time yet. */
  let untilUs: number | null = null;
  let waiting = await advance(reader);
  while (waiting && !signal.aborted) {
    if (untilUs !== null) untilUs += interval * speed * 1e6;
    while (waiting && (untilUs === null || timeOf(reader) <= untilUs)) {
      if (untilUs === null && timeOf(reader) >= 0) untilUs = timeOf(reader) + interval * speed * 1e6;
      take(reader.packet);
      waiting = reader.next() || (await advance(reader));
    }
    await show(snapshot(), interval * speed);
    if (waiting) await setTimeout(interval * 1000, undefined, { signal }).catch(() => {});
  }
  if (reader.packets === 0) await show(snapshot(), 0);
}

/** Negative where the packet has no time: such a packet is never waited for. */
function timeOf({ packet }: CaptureReader): number {
  return packet.timeUs;
}

/** Reads on to the next packet. False at the end. */
async function advance(reader: CaptureReader): Promise<boolean> {
  while (!reader.next()) if (!(await reader.fill())) return false;
  return true;
}
