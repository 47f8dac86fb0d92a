/** The outputs of a live run, opened at the right moment: before or after root is given up. */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { Recorder } from "../../capture/file/recorder.js";
import type { EmbeddedName } from "../../capture/packet.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { isNamedPipe, lookAtOutput } from "../../output-path.js";
import { makeFolder, writeWhole } from "../../write.js";

import type { Outside } from "../outside.js";
import { rightsOf } from "../rights.js";
import type { Taps } from "../taps.js";
import type { EventWriter } from "./event-writer.js";
import { openPipe } from "./pipe-output.js";
import type { Limits, RecordedOptions } from "./recorded-options.js";
import { type ReservedFile, reserveFile } from "./reserved.js";
import { SidecarWriter } from "./sidecar-writer.js";
import { environmentOf, lastSnapshotPath } from "./state-folder.js";

/** All outputs of a run. */
export interface Outputs {
  readonly recorder: Recorder | null;
  readonly sidecar: SidecarWriter | null;
  /** State folder of the invoking user. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a file; after root became the user `nobody`, only one that `openOutputs` reserved. Throws the system's error. */
  writeFile(path: string, pieces: Iterable<string | Uint8Array>): void;
}

interface OutputContext {
  readonly application: string;
  /** Opened here. */
  readonly events: EventWriter | null;
  /** Connection tracking or namespaces are still polled after root is given up. */
  readonly polls: boolean;
  readonly names: () => readonly EmbeddedName[];
}

/**
 * Opens the outputs and gives root up. The caller of sudo, or the named user, writes with their own rights: root is given
 * up first. If root itself called, its files are opened before, and root stays their owner.
 */
export function openOutputs(
  options: RecordedOptions,
  reserve: readonly string[],
  taps: Taps,
  outside: Outside,
  context: OutputContext,
): Outputs {
  const rights = rightsOf(options.user, outside.env);
  const env = environmentOf(rights.caller, outside.env);
  const reserved = new Map<string, ReservedFile>();
  const writeFile: Outputs["writeFile"] = (path, pieces) => writeTo(reserved, path, pieces);
  if (!rights.isRoots) {
    rights.giveUp(context.polls);
    const recorder = openRecorder(options, taps, outside, context);
    context.events?.open(Date.now() * 1000);
    return { recorder, sidecar: openSidecar(options, context), env, writeFile };
  }
  const kept = lastSnapshotPath(outside.env);
  for (const path of reserve) reserved.set(path, reservePlace(path, path === kept));
  const rotates = options.ringBuffer !== undefined;
  const early = rotates ? null : openRecorder(options, taps, outside, context);
  const sidecar = openSidecar(options, context);
  context.events?.open(Date.now() * 1000);
  rights.giveUp(context.polls);
  const recorder = rotates ? openRing(options, taps, outside, context) : early;
  return { recorder, sidecar, env, writeFile };
}

function openRing(
  options: RecordedOptions,
  taps: Taps,
  outside: Outside,
  context: OutputContext,
): Recorder | null {
  try {
    return openRecorder(options, taps, outside, context);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const cure =
      "files of a ring are made as `nobody`: use a folder that user `nobody` may write to, or add --user NAME";
    throw new CommandError(error.exitCode, `${error.message}; ${cure}`);
  }
}

function openRecorder(
  options: RecordedOptions,
  { taps, filter }: Taps,
  outside: Outside,
  { application, names }: OutputContext,
): Recorder | null {
  const { write, ringBuffer } = options;
  if (write === undefined) return null;
  const recorderOptions = {
    application,
    room: taps[0]!.source.room,
    interfaces: taps.map(({ source: { name, linkType, snaplen } }) => ({
      name,
      linkType,
      snaplen,
      filter,
    })),
    rotation: ringBuffer === undefined ? null : rotationOf(ringBuffer),
    statistics: () => taps.map(({ source }) => source.counts()),
    names,
  };
  try {
    const target =
      write === "-"
        ? (pieces: Iterable<Uint8Array>) => outside.write(pieces)
        : ringBuffer === undefined && isNamedPipe(write)
          ? openPipe(write, options.signal)
          : write;
    return new Recorder(target, recorderOptions, new Date(), performance.now());
  } catch (error) {
    throw new CommandError(ExitCode.unwritable, `${write}: ${reasonOf(error)}`);
  }
}

function openSidecar({ sidecar }: RecordedOptions, { application }: OutputContext): SidecarWriter | null {
  return sidecar === undefined ? null : new SidecarWriter(sidecar, application, Date.now() * 1000);
}

function rotationOf({ filesize, duration, packets, files }: Limits) {
  return {
    filesize: filesize ?? null,
    durationSeconds: duration ?? null,
    packets: packets ?? null,
    files: files ?? null,
  };
}

/** Another user's file is removed: it is in this user's folder, and this run saves a new one. */
function makeReplaceable(path: string): void {
  try {
    lookAtOutput(path);
  } catch {
    rmSync(path, { force: true });
  }
}

/** `isKept`: replaces the Snapshot of an earlier run. */
function reservePlace(path: string, isKept: boolean): ReservedFile {
  try {
    makeFolder(dirname(path), 0o700);
    if (isKept) makeReplaceable(path);
    return reserveFile(path);
  } catch (error) {
    throw new CommandError(ExitCode.unwritable, `${path}: ${reasonOf(error)}`);
  }
}

function writeTo(
  reserved: ReadonlyMap<string, ReservedFile>,
  path: string,
  pieces: Iterable<string | Uint8Array>,
): void {
  const file = reserved.get(path);
  if (file === undefined) {
    makeFolder(dirname(path), 0o700);
    writeWhole(path, pieces);
    return;
  }
  file.write(pieces);
  file.close();
}
