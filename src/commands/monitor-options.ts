/** The command-line options of `netwatch health`, `topology` and `tui`. Small: loaded at every start. */
import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExitCode } from "../exit.js";
import type { Needs } from "./apart.js";
import { addDecapsulate, addSourceOptions, EVENTS_HELP } from "./capture/capture-options.js";
import { parsePositive, parseUrl } from "./options.js";
import type { Terminal } from "./terminal.js";

/** The values that the program passes to a command. */
export interface Setting {
  readonly producer: string;
  readonly terminal: Terminal;
  /** Resolves at the first signal that ends the command. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command. `needs`: the rights of a live command, which first executes itself again with only these; null: not live. `signals`:
 * the signals that end the command, by default SIGINT, SIGTERM and SIGHUP.
 */
export type Start = (
  run: (setting: Setting) => Promise<ExitCode>,
  needs?: Needs | null,
  signals?: readonly NodeJS.Signals[],
) => Promise<void>;

const MAX_INTERVAL_SECONDS = 86_400;
const HEALTH_INTERVAL_SECONDS = 10;

export function addMonitorCommands(program: Command, start: Start): void {
  addHealth(program, start);
  addTopology(program, start);
  addTui(program, start);
}

function addHealth(program: Command, start: Start): void {
  program
    .command("health")
    .description("Ask every service whether it serves: HTTP, TCP, Redis, PostgreSQL.")
    .option("--names <file>", "JSON file of names with ports, or a lab.json")
    .option(
      "--registry <url>",
      "registry that knows where moving services are (default: the file's)",
      parseUrl,
    )
    .option("--watch", "go on until interrupted")
    .option(
      "--interval <seconds>",
      "seconds from one round to the next",
      parsePositive(MAX_INTERVAL_SECONDS),
      HEALTH_INTERVAL_SECONDS,
    )
    .addOption(
      new Option("-o, --output <format>", "form of the output")
        .choices(["table", "json", "ndjson"])
        .default("table"),
    )
    .addHelpText(
      "after",
      `
A service of a lab.json says how it is asked: "health": "/health" (HTTP), "tcp", "redis", "postgres" or "none"; without a
word port 6379 is asked as Redis, 5432 as PostgreSQL, any other by connecting. Exit code 9: one is down.

Examples:
  netwatch health --names services/lab.json
  netwatch health --names services/lab.json --watch --interval 5 -o ndjson | jq -c '.targets[] | select(.state != "up")'`,
    )
    .action((options) =>
      start(async ({ terminal, signal }) => {
        const { health } = await import("./health.js");
        return health({ ...options, signal }, terminal);
      }),
    );
}

function addTopology(program: Command, start: Start): void {
  const command = program
    .command("topology")
    .description(
      "Draw who talks to whom, from what was seen: of captures, a snapshot, or what was seen last.",
    )
    .option("-r, --read <file...>", "capture files; - is stdin")
    .option("--from <snapshot.json>", "a snapshot that `analyze -o json` printed")
    .option("-n, --numeric", "show addresses, not names")
    .option("--names <file>", "JSON file of names, as for analyze")
    .addOption(
      new Option("-o, --output <format>", "form of the drawing")
        .choices(["tree", "mermaid", "dot", "svg", "json"])
        .default("tree"),
    );
  addDecapsulate(command);
  command
    .addHelpText(
      "after",
      `
Without a file it draws the last snapshot, and, as root, the bridges of this machine with who is on them.

Examples:
  netwatch topology -r fixtures/shop.pcapng --names services/lab.json
  netwatch topology -o svg > shop.svg
  netwatch topology -o dot | dot -Tpng > shop.png`,
    )
    .action((options) =>
      start(
        async ({ producer, terminal }) => {
          const { topology } = await import("./topology.js");
          return topology({ ...options, seed: randomBytes(4).readInt32LE() }, producer, terminal);
        },
        null,
        [],
      ),
    );
}

function addTui(program: Command, start: Start): void {
  const command = program
    .command("tui")
    .description("The monitor: screens of a live interface, a replayed capture or a snapshot.")
    .option("-r, --read <file...>", "play this capture file")
    .option("--speed <n>", "seconds of the capture that pass in one (default: 1)", parseSpeed)
    .option(
      "--sidecar <file>",
      "what a live run wrote beside this capture: names, connection tracking, health",
    )
    .option("--from <snapshot.json>", "a snapshot that `analyze -o json` printed")
    .option("-n, --numeric", "show addresses, not names")
    .option("--names <file>", "JSON file of names; those with ports are asked for their health")
    .option(
      "--registry <url>",
      "registry that knows where moving services are (default: the file's)",
      parseUrl,
    )
    .option("--interval <seconds>", "time between two looks (default: 1)", parseInterval)
    .option(
      "--health-interval <seconds>",
      "time between two rounds of health checks",
      parsePositive(MAX_INTERVAL_SECONDS),
      HEALTH_INTERVAL_SECONDS,
    )
    .option("--events <file>", `live: ${EVENTS_HELP}`)
    .option("--no-conntrack", "do not hold the packets against the kernel's connection tracking");
  addSourceOptions(command);
  command
    .addHelpText(
      "after",
      `
Without a source it shows what was seen last. Keys: ? in the monitor lists them; q quits.

Examples:
  sudo netwatch tui -i br-app --names services/lab.json
  netwatch tui -r fixtures/shop.pcapng --names services/lab.json --speed 4
  netwatch analyze big.pcap && netwatch tui`,
    )
    .action((options) =>
      start(
        async ({ producer, terminal, signal }) => {
          const { tui } = await import("./tui/tui.js");
          const context = { seed: randomBytes(4).readInt32LE(), signal };
          return tui({ ...options, ...context }, producer, terminal);
        },
        (options.interface ?? options.bridge) ? { ...options, folders: ["."] } : null,
      ),
    );
}

const MAX_SPEED = 1_000_000;

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (!/^\d{1,7}(\.\d{1,3})?$/.test(text) || speed < 0.01 || speed > MAX_SPEED)
    throw new InvalidArgumentError(`must be a number from 0.01 to ${MAX_SPEED}.`);
  return speed;
}

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text) || seconds < 0.1 || seconds > MAX_INTERVAL_SECONDS)
    throw new InvalidArgumentError(`must be seconds from 0.1 to ${MAX_INTERVAL_SECONDS}.`);
  return seconds;
}
