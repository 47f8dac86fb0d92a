/** What can be asked of a live capture, and whether it makes sense. */
import { CommandError, ExitCode } from "../exit.js";

export const ENGINES = ["ring", "cap"] as const;
export type EngineName = (typeof ENGINES)[number];

/** When to end, and when to begin a new file. */
export const LIMITS = ["duration", "filesize", "packets", "files"] as const;
export type Limit = (typeof LIMITS)[number];

/** What is set of each. Seconds, kilobytes of 1000 bytes, packets, files. */
export type Limits = Readonly<Partial<Record<Limit, number>>>;

/** What is captured, and how it is counted. */
export interface CapturedOptions {
  readonly interface?: readonly string[];
  readonly bridge?: readonly string[];
  readonly netns?: string;
  readonly filter?: string;
  readonly snaplen?: number;
  readonly engine?: EngineName;
  /** Megabytes of 1024 * 1024 bytes. */
  readonly buffer?: number;
  /** Wait for an interface that goes away, in place of ending with it. */
  readonly waits?: boolean;
  readonly maxFlows?: number;
  /** Count packets in tunnels by the headers inside. */
  readonly decapsulate?: boolean;
  /** Show stand-ins for names that the packets hold. */
  readonly redact?: boolean;
  readonly seed?: number;
  /** The words after `netwatch`, for messages that say what to type. */
  readonly commandLine: readonly string[];
}

/** What else is asked, beside the packets. */
export interface EnrichingOptions {
  readonly numeric?: boolean;
  readonly names?: string;
  /** Who knows where moving services are. */
  readonly registry?: URL;
  /** Hold the packets against connection tracking. */
  readonly conntrack?: boolean;
}

/** What is recorded, by whose rights and until when. */
export interface RecordedOptions {
  readonly write?: string;
  /** Beside the capture file: names, connection tracking and health as they were read. */
  readonly sidecar?: string;
  /** Append what happens to this file, as JSON lines. */
  readonly events?: string;
  /** Ask the services of the names file for their health, for the sidecar and the events. */
  readonly health?: boolean;
  readonly count?: number;
  readonly autostop?: Limits;
  readonly ringBuffer?: Limits;
  /** Seconds between snapshots. */
  readonly interval?: number;
  /** Whom to become once the sockets are open. */
  readonly user?: string;
  /** Ends the run in good order. */
  readonly signal: AbortSignal;
}

/** A run that records. One that does not, such as that of `serve`, takes the first two. */
export interface LiveOptions extends CapturedOptions, EnrichingOptions, RecordedOptions {}

export const DEFAULT_SNAPLEN = 262_144;
export const DEFAULT_BUFFER_MB = 64;
export const DEFAULT_INTERVAL_SECONDS = 1;

const wrong = (message: string) => new CommandError(ExitCode.usage, message);

/** The interfaces to listen to, each once. What every live command asks. Throws CommandError. */
export function chosenInterfaces(options: Pick<CapturedOptions, "interface" | "bridge">): readonly string[] {
  const interfaces = [...new Set([...(options.interface ?? []), ...(options.bridge ?? [])])];
  if (interfaces.length === 0)
    throw wrong("say where to listen: --bridge NAME or -i NAME; `netwatch capture -D` lists what there is");
  if (interfaces.includes("any"))
    throw wrong(
      "the interface `any` sees a bridged packet several times; name the bridge: `netwatch capture -D` lists them",
    );
  return interfaces;
}

/** Checks both what is captured and what is recorded. Throws CommandError. */
export function checkLiveOptions(options: LiveOptions): readonly string[] {
  const interfaces = chosenInterfaces(options);
  checkRecorded(options);
  return interfaces;
}

/** Whether what is to be written makes sense: files, their ring, the sidecar. Throws CommandError. */
function checkRecorded(options: RecordedOptions & Pick<EnrichingOptions, "names">): void {
  const { write, ringBuffer, sidecar, events, health, names, autostop } = options;
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

/** A command line as one would type it. */
export function quoteWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
