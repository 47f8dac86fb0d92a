/** Options of what is captured and how it is counted. Light: loaded at every start. */
import { CommandError, ExitCode } from "../exit.js";

export const ENGINES = ["ring", "cap"] as const;
export type EngineName = (typeof ENGINES)[number];

export interface CapturedOptions {
  readonly interface?: readonly string[];
  readonly bridge?: readonly string[];
  readonly netns?: string;
  readonly filter?: string;
  readonly snaplen?: number;
  readonly engine?: EngineName;
  /** Megabytes of 1024 * 1024 bytes. */
  readonly buffer?: number;
  /** Wait for an interface that goes away instead of ending. */
  readonly waits?: boolean;
  readonly maxFlows?: number;
  /** Count packets in tunnels by the headers inside. */
  readonly decapsulate?: boolean;
  /** Replace names from packets by stand-ins. */
  readonly redact?: boolean;
  readonly seed?: number;
}

export const DEFAULT_SNAPLEN = 262_144;
export const DEFAULT_BUFFER_MB = 64;

/** The interfaces to listen to, each once. Throws CommandError where there are none, or none that can be meant. */
export function chosenInterfaces(options: Pick<CapturedOptions, "interface" | "bridge">): readonly string[] {
  const interfaces = [...new Set([...(options.interface ?? []), ...(options.bridge ?? [])])];
  if (interfaces.length === 0)
    throw new CommandError(
      ExitCode.usage,
      "say where to listen: --bridge NAME or -i NAME; `netwatch capture -D` lists what there is",
    );
  if (interfaces.includes("any"))
    throw new CommandError(
      ExitCode.usage,
      "the interface `any` sees a bridged packet several times; name the bridge: `netwatch capture -D` lists them",
    );
  return interfaces;
}
