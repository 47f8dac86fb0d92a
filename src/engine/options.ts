/** What can be asked of a live capture, and whether it makes sense. */
import { CommandError, ExitCode } from "../exit.js";

export const ENGINES = ["ring", "cap"] as const;
export type EngineName = (typeof ENGINES)[number];

/** When to end, and when to begin a new file. */
export const LIMITS = ["duration", "filesize", "packets", "files"] as const;
export type Limit = (typeof LIMITS)[number];

/** What is set of each. Seconds, kilobytes of 1000 bytes, packets, files. */
export type Limits = Readonly<Partial<Record<Limit, number>>>;

export interface LiveOptions {
  readonly interface?: readonly string[];
  readonly bridge?: readonly string[];
  readonly netns?: string;
  readonly filter?: string;
  readonly write?: string;
  /** Beside the capture file: names, connection tracking and health as they were read. */
  readonly sidecar?: string;
  /** Append what happens to this file, as JSON lines. */
  readonly events?: string;
  /** Ask the services of the names file for their health, for the sidecar and the events. */
  readonly health?: boolean;
  readonly snaplen?: number;
  readonly count?: number;
  readonly autostop?: Limits;
  readonly ringBuffer?: Limits;
  readonly engine?: EngineName;
  /** Seconds between snapshots. */
  readonly interval?: number;
  /** Megabytes of 1024 * 1024 bytes. */
  readonly buffer?: number;
  /** Whom to become once the sockets are open. */
  readonly user?: string;
  readonly numeric?: boolean;
  readonly names?: string;
  /** Who knows where moving services are. */
  readonly registry?: URL;
  /** Hold the packets against connection tracking. */
  readonly conntrack?: boolean;
  /** Wait for an interface that goes away, in place of ending with it. */
  readonly waits?: boolean;
  readonly maxFlows?: number;
  /** Count packets in tunnels by the headers inside. */
  readonly decapsulate?: boolean;
  /** Show stand-ins for names that the packets hold. */
  readonly redact?: boolean;
  readonly seed?: number;
  /** Ends the run in good order. */
  readonly signal: AbortSignal;
  /** The words after `netwatch`, for messages that say what to type. */
  readonly commandLine: readonly string[];
}

export const DEFAULT_SNAPLEN = 262_144;
export const DEFAULT_BUFFER_MB = 64;
export const DEFAULT_INTERVAL_SECONDS = 1;

const wrong = (message: string) => new CommandError(ExitCode.usage, message);

/** The interfaces to listen to, each once. What every live command asks. Throws CommandError. */
export function chosenInterfaces(options: Pick<LiveOptions, "interface" | "bridge">): readonly string[] {
  const interfaces = [...new Set([...(options.interface ?? []), ...(options.bridge ?? [])])];
  if (interfaces.length === 0)
    throw wrong("say where to listen: --bridge NAME or -i NAME; `netwatch capture -D` lists what there is");
  if (interfaces.includes("any"))
    throw wrong(
      "the interface `any` sees a bridged packet several times; name the bridge: `netwatch capture -D` lists them",
    );
  return interfaces;
}

/** The same, and whether what a capture writes makes sense: files, their ring, the sidecar. Throws CommandError. */
export function checkLiveOptions(options: LiveOptions): readonly string[] {
  const interfaces = chosenInterfaces(options);
  const { write, ringBuffer, sidecar, events, health, names } = options;
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
  if ((options.autostop?.files ?? 0) > 0 && ringBuffer === undefined)
    throw wrong("-a files:N counts the files of a ring: add -b filesize:KB or -b duration:S");
  return interfaces;
}

/** A command line as one would type it. */
export function quoteWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
