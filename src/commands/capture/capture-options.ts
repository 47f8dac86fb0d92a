/** The command-line options of `netwatch capture`. Small: loaded at every start. */

import { type Command, InvalidArgumentError, Option } from "commander";
import { Bound } from "../../analyze/core/layout.js";
import { ENGINES } from "../../engine/captured-options.js";
import { parsePositive, parseUrl } from "../options.js";
import type { LiveWords } from "./live-options.js";
import { parseLimit } from "./stop-conditions.js";

export const CAPTURE_FORMATS = ["table", "json", "ndjson", "csv"] as const;
export type CaptureFormat = (typeof CAPTURE_FORMATS)[number];

export interface CaptureCommandOptions extends LiveWords {
  readonly output?: CaptureFormat;
  readonly table?: string;
  /** Networks of a container engine, whose bridges are captured. */
  readonly network?: readonly string[];
}

const MAX_SNAPLEN = 262_144;
const MAX_BUFFER_MB = 2047;
const MAX_INTERVAL_SECONDS = 86_400;

/** Help of `--events`, for every command that has it. */
export const EVENTS_HELP = "append what happens to this file as JSON lines: new pairs, losses, health, moves";

/** The parsed options, without `-D`, which asks for a list. */
export interface CaptureFlags extends Omit<CaptureCommandOptions, "seed" | "signal"> {
  readonly listInterfaces?: boolean;
}

/** Adds `capture` to a program. */
export function addCaptureCommand(
  program: Command,
  tables: readonly string[],
  action: (filter: readonly string[], words: CaptureFlags) => Promise<void>,
): void {
  const command = program
    .command("capture")
    .description("Listen to a bridge or another interface: who talks to whom, live.")
    .argument("[filter...]", "which packets, in tcpdump's language; VLAN-tagged ones match too");
  addSourceOptions(command);
  command
    .option("--network <name>", "the bridge of this network of Docker or podman; more than once", gather)
    .option("-D, --list-interfaces", "list bridges and interfaces, and end")
    .option("-w, --write <file>", "also write the packets to this file as pcapng; - is stdout")
    .option("--sidecar <file>", "beside -w: names, tracking and health, for `analyze` and `tui --sidecar`")
    .option("--health", "ask the services of --names for their health every 10 s, for --sidecar and --events")
    .option("--events <file>", EVENTS_HELP)
    .option(
      "-b, --ring-buffer <limit>",
      "begin a new file at filesize:KB, duration:S or packets:N; keep files:N; more than once",
      parseLimit,
    )
    .addOption(
      new Option(
        "-o, --output <format>",
        "table (default), json at the end, ndjson every interval, csv",
      ).choices(CAPTURE_FORMATS),
    )
    .addOption(new Option("--table <name>", "only this table").choices(tables))
    .option("--interval <seconds>", "time between two looks (default: 1)", parseSeconds)
    .option("-n, --numeric", "show addresses, not names")
    .option("--names <file>", "JSON file of names, as for analyze")
    .option("--registry <url>", "registry that knows where moving services are", parseUrl)
    .option("--no-conntrack", "do not hold the packets against the kernel's connection tracking")
    .option("--max-flows <n>", "conversations kept, as for analyze", parsePositive(Bound.flows))
    .addHelpText(
      "after",
      `
It ends with Ctrl-C, -c or -a. Root is given up once the interface is open; a small process beside it keeps CAP_NET_ADMIN
for names of namespaces and connection tracking (not with both -n and --no-conntrack). Files belong to who called sudo.

Examples:
  sudo netwatch capture --bridge br-app
  sudo netwatch capture --bridge br-app -a duration:60 -w minute.pcapng tcp port 5432
  sudo netwatch capture --network shop_backend
  sudo netwatch capture -i br-app -w ring.pcapng -b filesize:10000 -b files:5
  sudo netwatch capture -i eth0 --netns web -n -o ndjson | jq '.totals'
  ssh host sudo netwatch capture -i br-app -w - | netwatch analyze -`,
    )
    .action(action);
}

/** Options for what to capture, how, and until when: `report -i` has the same ones. */
export function addSourceOptions(command: Command, { stops } = { stops: true }): void {
  command
    .option("-i, --interface <name>", "listen to this interface; more than once for several", gather)
    .option("--bridge <name>", "the same, of a bridge: each packet is seen once there", gather)
    .option("--netns <name>", "the interface is in this network namespace")
    .option("-f, --filter <filter>", "which packets, in one word, in place of the last words")
    .option("-s, --snaplen <bytes>", "bytes kept of a packet (default: 262144)", parsePositive(MAX_SNAPLEN));
  if (stops) addStopOptions(command);
  addRedact(command);
  addDecapsulate(command);
  command
    .addOption(
      new Option("--engine <name>", "ring: the kernel's own (default); cap: the npm package").choices(
        ENGINES,
      ),
    )
    .option("--buffer <MB>", "room for packets that wait (default: 64)", parsePositive(MAX_BUFFER_MB))
    .option("-Z, --user <name>", "become this user (default: who called sudo, else nobody)");
}

/** Options of every command that counts packets. */
export function addDecapsulate(command: Command): void {
  command.option(
    "--decapsulate",
    "count packets in IPIP, GRE, VXLAN, Geneve by the headers inside; filter and bytes stay those of the whole frame",
  );
}

/** Options of every command that shows names from packets. */
export function addRedact(command: Command): void {
  command.option("--redact", "show stand-ins for HTTP routes and TLS server names; see docs/privacy.md");
}

/** Options for the end of a capture. */
function addStopOptions(command: Command): void {
  command
    .option("-c, --count <n>", "end after this many packets", parsePositive(Number.MAX_SAFE_INTEGER))
    .option(
      "-a, --autostop <limit>",
      "end at duration:S, filesize:KB, packets:N or files:N; more than once",
      parseLimit,
    );
}

export function gather(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text) || seconds < 0.1 || seconds > MAX_INTERVAL_SECONDS)
    throw new InvalidArgumentError(`must be seconds from 0.1 to ${MAX_INTERVAL_SECONDS}.`);
  return seconds;
}
