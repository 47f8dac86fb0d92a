/** The last Snapshot of any run, saved for `netwatch report`. */

import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import { splitRows } from "../../analyze/snapshot/row-text.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { readBytes } from "../../capture/file/text.js";
import { type Environment, lastSnapshotPath, stateFolder } from "../../engine/recording/state-folder.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import { makeFolder, writeWhole } from "../../write.js";
import { checkRoom } from "./json-memory.js";

/** What one Buffer holds. All tables of the million conversations that are kept when nothing else is said take less than half. */
const MAX_SNAPSHOT_BYTES = 4 * 1024 * 1024 * 1024 - 2;
/** What is not a file may have no end. */
const MAX_PIPED_BYTES = 512 * 1024 * 1024 - 1;
/** A Snapshot without its rows: files, findings, a series of some hundred steps. */
const MAX_REST = 64 * 1024 * 1024;
/** Rows kept per table: more than any report shows. */
const ROWS_KEPT = 1000;

/** Saves a Snapshot with its tables cut to what a report can use. Throws the system's error. */
export function keepSnapshot(snapshot: Snapshot, env: Environment): void {
  makeFolder(stateFolder(env), 0o700);
  writeWhole(lastSnapshotPath(env), lastSnapshotPieces(snapshot));
}

/** The part of a Snapshot that is saved. */
export function lastSnapshotPieces(snapshot: Snapshot): Iterable<string> {
  return renderSnapshotJson(limitSnapshot(snapshot, ROWS_KEPT), false);
}

/** Reads a Snapshot file. Throws CommandError. */
export async function readSnapshot(path: string): Promise<Snapshot> {
  let bytes: Buffer;
  try {
    bytes = readBytes(path, MAX_PIPED_BYTES, MAX_SNAPSHOT_BYTES);
  } catch (error) {
    throw new CommandError(ExitCode.unreadable, `${path}: ${reasonOf(error)}`);
  }
  const { parseSnapshot } = await import("../../analyze/snapshot/read-snapshot.js");
  try {
    const { json, rows } = splitRows(bytes);
    if (json.length > MAX_REST) throw new Error("not a snapshot: it is more than its tables' rows");
    checkRoom(json);
    return parseSnapshot(json.replace(/^\ufeff/, ""), rows);
  } catch (error) {
    throw new CommandError(ExitCode.unreadable, `${path}: ${(error as Error).message}`);
  }
}

/** A Snapshot that was made without `--redact` or `--decapsulate` cannot be shown with it. Throws CommandError. */
export function checkMade(
  snapshot: Snapshot,
  { redact, decapsulate }: { readonly redact?: boolean; readonly decapsulate?: boolean },
): Snapshot {
  const lacking =
    redact && !snapshot.redacted
      ? "--redact"
      : decapsulate && snapshot.ledger.decapsulated === undefined
        ? "--decapsulate"
        : null;
  if (lacking !== null)
    throw new CommandError(
      ExitCode.usage,
      `the snapshot was made without ${lacking}; name the capture with -r FILE`,
    );
  return snapshot;
}

/** Reads the last Snapshot. If there is none, throws CommandError with the command to run. */
export async function readLastSnapshot(env: Environment): Promise<Snapshot> {
  try {
    return await readSnapshot(lastSnapshotPath(env));
  } catch (error) {
    const hint = "run `netwatch analyze FILE` first, or name a capture with -r FILE";
    throw new CommandError(
      ExitCode.unreadable,
      `no snapshot to report on (${(error as Error).message}); ${hint}`,
    );
  }
}
