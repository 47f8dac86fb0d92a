/** Options of what is recorded, with which rights and until when. Light: loaded at every start. */
import { CommandError, ExitCode } from "../../exit.js";
import type { CapturedOptions } from "../captured-options.js";
import type { EnrichingOptions } from "../enriching-options.js";

/** Conditions for the end and for a new file. */
export const LIMITS = ["duration", "filesize", "packets", "files"] as const;
export type Limit = (typeof LIMITS)[number];

/** What is set of each. Seconds, kilobytes of 1000 bytes, packets, files. */
export type Limits = Readonly<Partial<Record<Limit, number>>>;

export interface RecordedOptions {
  readonly write?: string;
  /** Sidecar of the capture file: names, connection tracking and health as they were read. */
  readonly sidecar?: string;
  /** Append events to this file as JSON lines. */
  readonly events?: string;
  /** Ask the services of the names file for their health, for the sidecar and the events. */
  readonly health?: boolean;
  readonly count?: number;
  readonly autostop?: Limits;
  readonly ringBuffer?: Limits;
  /** Seconds between snapshots. */
  readonly interval?: number;
  /** The user to become once the sockets are open. */
  readonly user?: string;
  /** Ends the run in an orderly way. */
  readonly signal: AbortSignal;
}

/** Options of a recording run. Others, such as `serve`, use the first two groups. */
export interface LiveOptions {
  readonly captured: CapturedOptions;
  readonly enriching: EnrichingOptions;
  readonly recorded: RecordedOptions;
}

export const DEFAULT_INTERVAL_SECONDS = 1;

/** Throws CommandError where what is to be written makes no sense: files, their ring, the sidecar. `names`: the names file. */
export function checkRecorded(options: RecordedOptions, names: string | undefined): void {
  const { write, ringBuffer, sidecar, events, health, autostop } = options;
  if (sidecar !== undefined && (write === undefined || write === sidecar))
    throw wrong("--sidecar FILE goes beside the packets: name those with -w, another file");
  if (health && ((sidecar ?? events) === undefined || names === undefined))
    throw wrong(
      "--health asks the services that --names FILE lists and is written to --sidecar FILE or --events FILE: add them",
    );
  if (ringBuffer !== undefined) {
    if (write === undefined || write === "-") throw wrong("-b makes a ring of files: name them with -w FILE");
    if (ringBuffer.filesize === undefined && ringBuffer.duration === undefined && !ringBuffer.packets)
      throw wrong("-b needs to know when a file is full: add -b filesize:KB, -b duration:S or -b packets:N");
  }
  if ((autostop?.files ?? 0) > 0 && ringBuffer === undefined)
    throw wrong("-a files:N counts the files of a ring: add -b filesize:KB or -b duration:S");
}

function wrong(message: string): CommandError {
  return new CommandError(ExitCode.usage, message);
}
