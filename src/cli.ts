#!/usr/bin/env node
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { Command, CommanderError, Option } from "commander";
/** The command line: commands, options and exit. The only file that exits the process. */
import { Bound } from "./analyze/core/layout.js";
import type { Needs } from "./commands/apart.js";
import {
  addCaptureCommand,
  addDecapsulate,
  addRedact,
  addSourceOptions,
} from "./commands/capture/capture-options.js";
import { quoteArguments } from "./commands/capture/live-options.js";
import { addHelpCommands, SHOW_ALL } from "./commands/help/help-options.js";
import { addLab, hasLab, isLabError, type Lab, loadLab } from "./commands/lab-bench/lab.js";
import { addLabBenchCommand } from "./commands/lab-bench/lab-bench-options.js";
import { addMonitorCommands, type Start } from "./commands/monitor-options.js";
import {
  CONNTRACK_TABLE_NAMES,
  LIST_FORMATS,
  loadTableNames,
  OUTPUT_FORMATS,
  parseDate,
  parsePositive,
} from "./commands/options.js";
import { addMetricsCommands } from "./commands/serve/metrics-options.js";
import { interruption, statusOf } from "./commands/signals.js";
import type { Terminal } from "./commands/terminal.js";
import { CommandError, EXIT_MEANINGS, ExitCode, reasonOf } from "./exit.js";
import { agree, formatCounted, visible } from "./format.js";
import { readArguments } from "./path-bytes.js";
import { SECTIONS } from "./report/pdf/sections.js";
import { gather } from "./write.js";

/** Two folders up from dist/src/cli.js. */
const MANIFEST = new URL("../../package.json", import.meta.url);
/** Commands with `--table`, whose names the analysis knows: loading it costs as much as the rest of the command line. */
const PRINT_TABLES = new Set(["analyze", "capture"]);
/** The words that need those names: the option, and what may be a call for help. */
const NAMES_TABLES = /^(?:--table(?:=|$)|--help$|-\w*h|help$)/;

const EXIT_CODES = exitCodes();

/** The list, in lines that a terminal holds. */
function exitCodes(): string {
  const lines = ["Exit codes:"];
  for (const [code, meaning] of Object.entries(EXIT_MEANINGS)) {
    const entry = `${code} ${meaning.replaceAll("`", "")}`;
    const last = lines.at(-1)!;
    if (last.length + entry.length > 97) lines.push(`  ${entry}`);
    else lines[lines.length - 1] = `${last}${last.endsWith(":") ? "" : " ·"} ${entry}`;
  }
  return `\n${lines.join("\n")}`;
}

/** Builds the command line. `tables`: the values of `--table`. `lab`: null: not requested, or not installed. `end` receives the exit code of the command that ran. */
function createProgram(
  version: string,
  tables: readonly string[],
  lab: Lab | null,
  terminal: Terminal,
  end: (code: ExitCode) => void,
): Command {
  const producer = `netwatch ${version}`;
  const program = new Command("netwatch")
    .description("Which service talks to which on this host, how much, how well, and should it?")
    .version(version, "-V, --version", "print the version")
    .addOption(
      new Option("--color <when>", "colors in text output; NO_COLOR turns them off too")
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: (text, write) => write(safeError(text)) })
    .addHelpText("after", EXIT_CODES);

  const analyzeCommand = program
    .command("analyze")
    .description("Read capture files and print who talks to whom.")
    .argument(
      "<file...>",
      "pcap or pcapng, gzip or not; several are read as one capture in time order; - is stdin",
    )
    .option("-f, --filter <filter>", "count only packets that match, in tcpdump's language")
    .option("-n, --numeric", "show addresses, not names")
    .addOption(
      new Option("-o, --output <format>", "form of the output").choices(OUTPUT_FORMATS).default("table"),
    )
    .addOption(new Option("--table <name>", "print this table whole, instead of a summary").choices(tables))
    .option("--sidecar <file>", "what `capture --sidecar` wrote beside the capture: names, verdicts")
    .option(
      "--out-dir <dir>",
      "also write CSV tables, what they miss, PNG charts and snapshot.json into this folder",
    )
    .option(
      "--names <file>",
      'JSON file of names: {"web": "10.0.0.10", "office": "192.168.0.0/16"}, or a lab.json',
    )
    .option(
      "--max-flows <n>",
      "conversations kept; the smallest beyond are summed as `other` (default: 1000000)",
      parsePositive(Bound.flows),
    );
  addRedact(analyzeCommand);
  addDecapsulate(analyzeCommand);
  analyzeCommand
    .addHelpText(
      "after",
      `
Examples:
  netwatch analyze shop.pcapng --names services/lab.json
  netwatch analyze day1.pcap.gz day2.pcap.gz --table conversations -o csv > conversations.csv
  tcpdump -i br-app -c 1000 -w - | netwatch analyze -
  netwatch analyze shop.pcapng -o json | jq '.tables.pairs.rows[:3]'`,
    )
    .action(async (files: string[], options) => {
      const { analyze } = await import("./commands/analyze/analyze.js");
      end(await analyze(files, { ...options, seed: randomBytes(4).readInt32LE() }, producer, terminal));
    });

  const reportCommand = program
    .command("report")
    .description("Write a PDF report: of captures, a snapshot, a live run, or of what was seen last.")
    .argument("<out.pdf>", "the file to write")
    .option("-r, --read <file...>", "capture files to report on; - is stdin")
    .option("--sidecar <file>", "beside -r: what `capture --sidecar` wrote")
    .option("--from <snapshot.json>", "a snapshot that `analyze -o json` printed")
    .option("--sections <a,b>", `only these sections, of ${SECTIONS.join(", ")}`)
    .option("--title <text>", "title on the first page")
    .option(
      "--date <iso>",
      "date of the report, in place of now: the same input then gives the same bytes",
      parseDate,
    )
    .option("-n, --numeric", "show addresses, not names")
    .option("--names <file>", "JSON file of names, as for analyze")
    .option("--no-conntrack", "do not hold a live run's packets against connection tracking")
    .option("--max-flows <n>", "conversations kept, as for analyze", parsePositive(Bound.flows));
  addSourceOptions(reportCommand);
  reportCommand
    .addHelpText(
      "after",
      `
Examples:
  netwatch report shop.pdf -r fixtures/shop.pcapng --names services/lab.json
  netwatch analyze big.pcap && netwatch report big.pdf
  sudo netwatch report minute.pdf --bridge br-app -a duration:60`,
    )
    .action(async (path: string, options) => {
      if (options.interface || options.bridge) await shed({ ...options, folders: [dirname(path)] });
      const { report } = await import("./commands/report.js");
      end(
        await report(
          path,
          {
            date: new Date(),
            ...options,
            seed: randomBytes(4).readInt32LE(),
            // Only a live run cleans up at a signal; other commands just end.
            ...(options.interface || options.bridge ? { signal: interruption() } : {}),
          },
          producer,
          terminal,
        ),
      );
    });

  addCaptureCommand(program, tables, async (filter, { listInterfaces: isList, ...words }) => {
    if (isList) {
      const { listInterfaces } = await import("./commands/doctor/interfaces.js");
      end(await listInterfaces(words, terminal));
      return;
    }
    await shed(words);
    const { capture } = await import("./commands/capture/capture.js");
    const context = { seed: randomBytes(4).readInt32LE(), signal: interruption() };
    end(await capture(filter, { ...words, ...context }, producer, terminal));
  });

  program
    .command("interfaces")
    .description("List bridges with their ports, who stands behind each, and where to capture.")
    .option("--netns <name>", "list the interfaces of this network namespace")
    .addOption(
      new Option("-o, --output <format>", "form of the output").choices(LIST_FORMATS).default("table"),
    )
    .addHelpText("after", "\n`netwatch capture -D` prints the same list.")
    .action(async (options) => {
      const { listInterfaces } = await import("./commands/doctor/interfaces.js");
      end(await listInterfaces(options, terminal));
    });

  program
    .command("doctor")
    .description("Say what this machine can and cannot show, each with the command that cures it.")
    .option("-i, --interface <name>", "look at this interface")
    .addOption(
      new Option("-o, --output <format>", "form of the output").choices(["table", "json"]).default("table"),
    )
    .action(async (options) => {
      const { doctor } = await import("./commands/doctor/doctor.js");
      end(await doctor(options, terminal));
    });

  program
    .command("connections")
    .description("Show what connection tracking knows: by service, by state, NAT, sockets, limits.")
    .option("--watch", "go on until interrupted")
    .option("--interval <seconds>", "seconds between two looks", parsePositive(86_400), 1)
    .option("--netns <name>", "look into this network namespace")
    .option("--all-netns", "look into every namespace that `ip netns list` shows, and this one")
    .option("-r, --read <file>", "text of `conntrack -L` or /proc/net/nf_conntrack; - is stdin")
    .addOption(
      new Option("-o, --output <format>", "form of the output").choices(LIST_FORMATS).default("table"),
    )
    .addOption(new Option("--table <name>", "print this table whole").choices(CONNTRACK_TABLE_NAMES))
    .option("-n, --numeric", "show addresses, not names")
    .option("--names <file>", "JSON file of names, as for analyze")
    .option("--enable-acct", "count packets and bytes of connections that begin while netwatch runs")
    .addHelpText(
      "after",
      `
Examples:
  sudo netwatch connections --names services/lab.json
  sudo netwatch connections --all-netns --table established
  sudo netwatch connections --watch -o ndjson | jq '.tables.limits.rows'
  ssh router conntrack -L -o extended | netwatch connections -r -`,
    )
    .action(async (options) => {
      if (options.read === undefined) await shed({});
      const { connections } = await import("./commands/connections.js");
      const { rightsOf } = await import("./engine/rights.js");
      const giveUpRoot = () => rightsOf(undefined, process.env).giveUp(true);
      end(await connections({ ...options, signal: interruption(), giveUpRoot }, producer, terminal));
    });

  const start: Start = async (run, needs = null, signals) => {
    if (needs !== null) await shed(needs);
    end(await run({ producer, terminal, signal: interruption(signals) }));
  };
  addMetricsCommands(program, start);
  addMonitorCommands(program, start);

  const labCommand = addLab(program);
  if (lab !== null) {
    lab.addLabCommands(labCommand);
    addLabBenchCommand(labCommand, start);
  }
  addHelpCommands(program, version, terminal, end);
  return program;
}

/** What commander says of wrong words, which stand in it. Its own line ends are the last one and that before a suggestion. */
function safeError(text: string): string {
  const own = /(?:\n\(Did you mean [^\n]*\))?\n$/.exec(text)?.[0] ?? "";
  return visible(text.slice(0, text.length - own.length)) + own;
}

/** A command and all below it. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** See ARCHITECTURE, The kernel. Must run before signal handlers are set, which it would lose. */
async function shed(needs: Needs): Promise<void> {
  const { shedCapabilities } = await import("./commands/apart.js");
  shedCapabilities(needs, process.env);
}

/** The process's own streams as a Terminal. */
function createTerminal(argv: readonly string[]): Terminal {
  const { stdout, stderr, stdin, env } = process;
  const at = argv.indexOf("--color");
  const when =
    argv.find((word) => word.startsWith("--color="))?.slice("--color=".length) ??
    (at >= 0 ? argv[at + 1] : undefined);
  const color =
    when === "always" || (when !== "never" && stdout.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb");
  let shown = false;
  return {
    async write(pieces) {
      for (const piece of gather(pieces)) if (!stdout.write(piece)) await once(stdout, "drain");
    },
    say(line) {
      this.progress("");
      stderr.write(`netwatch: ${visible(line)}\n`);
    },
    progress(text) {
      if (!stderr.isTTY || (text === "" && !shown)) return;
      stderr.write(`\r\x1b[K${visible(text)}`);
      shown = text !== "";
    },
    asRoot: `sudo netwatch ${quoteArguments(argv)}`,
    stdin,
    width: stdout.columns ?? (Number(env.COLUMNS) || 80),
    color,
    ...(stdout.isTTY && env.TERM !== "dumb"
      ? { screen: { size: () => ({ columns: stdout.columns, rows: stdout.rows }) } }
      : {}),
    env,
  };
}

/** An uncaught error: often the environment is broken. */
function lastArguments(error: unknown): string {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" && path?.startsWith("/proc/")) return `needs /proc, which is not there: ${path}`;
  if (code === "EMFILE" || code === "ENFILE") return `too many open files: ${RAISE_LIMIT}`;
  if (code === "ENOMEM" && error instanceof RangeError) return message;
  return `unexpected error: ${message}`;
}

const RAISE_LIMIT = "raise the limit with `ulimit -n 1024`";
/** Open files that the largest command needs to load. */
const LEAST_FILES = 256;

/** Node reports modules that it cannot open as missing, so this is checked first. Throws CommandError. */
function checkLimits(): void {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "latin1");
  } catch {
    return;
  }
  const files = /^Max open files +(\d+)/m.exec(limits)?.[1];
  if (files !== undefined && Number(files) < LEAST_FILES)
    throw new CommandError(
      ExitCode.failure,
      `only ${formatCounted(Number(files), "open file")} ${agree(Number(files), "are")} allowed, too few: ${RAISE_LIMIT}`,
    );
}

/** The values of `--table`, if it is used or shown. */
async function namesOfTables(argv: readonly string[]): Promise<readonly string[]> {
  const isUsed = argv.some((word) => PRINT_TABLES.has(word)) && argv.some((word) => NAMES_TABLES.test(word));
  if (!isUsed && !argv.some((word) => SHOW_ALL.has(word))) return [];
  checkLimits();
  return loadTableNames();
}

/** The lab, if its commands may be requested and it is installed. */
async function labOf(argv: readonly string[]): Promise<Lab | null> {
  if (!argv.some((word) => word === "lab" || SHOW_ALL.has(word)) || !hasLab()) return null;
  checkLimits();
  return loadLab();
}

/** Runs one command line. Returns the exit code; prints errors. */
async function main(words: readonly string[]): Promise<ExitCode> {
  const version = (JSON.parse(readFileSync(MANIFEST, "utf8")) as { version: string }).version;
  const argv = readArguments(words);
  const terminal = createTerminal(argv ?? words);
  if (argv === null) {
    terminal.say("the command line is not UTF-8, and its bytes cannot be read: /proc is not there");
    return ExitCode.usage;
  }
  let code: ExitCode = ExitCode.ok;
  try {
    const tables = await namesOfTables(argv);
    const program = createProgram(version, tables, await labOf(argv), terminal, (ended) => {
      code = ended;
    });
    for (const command of withSubcommands(program)) command.exitOverride();
    program.hook("preAction", checkLimits);
    await program.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    if (error instanceof CommandError || isLabError(error)) {
      terminal.say(error.message);
      return error.exitCode;
    }
    const { code: name, syscall } = error as NodeJS.ErrnoException;
    if (name === "EPIPE") return ExitCode.ok;
    terminal.say(syscall === "write" ? `stdout: ${reasonOf(error)}` : lastArguments(error));
    if (process.env.NETWATCH_DEBUG) process.stderr.write(`${(error as Error).stack}\n`);
    return syscall === "write" ? ExitCode.unwritable : ExitCode.failure;
  }
}

/** Exits despite open threads or sockets, after all output is written. */
const LINGER_MS = 5000;

function endSoon(status: number): void {
  const end = () => (process.stdout.writableLength === 0 ? process.exit(status) : endSoon(status));
  setTimeout(end, LINGER_MS).unref();
}

// A reader that goes away (`| head`) ends the program silently at any time; so does a terminal that hung up.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  const isOver = error.code === "EPIPE" || statusOf(ExitCode.ok) !== ExitCode.ok;
  if (isOver) process.exit(statusOf(ExitCode.ok));
  process.stderr.write(`netwatch: stdout: ${reasonOf(error)}\n`);
  process.exit(ExitCode.unwritable);
});
// No reader: only the message is lost.
process.stderr.on("error", () => {});
const status = statusOf(await main(process.argv.slice(2)));
process.exitCode = status;
endSoon(status);
