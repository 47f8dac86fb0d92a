/** The manual page, made from the definitions of the commands. */
import type { Command } from "commander";
import { EXIT_MEANINGS } from "../../exit.js";

/** netwatch(1) in man's macros (man(7)). The same definitions and version give the same bytes. */
export function renderMan(program: Command, version: string): string {
  const help = program.createHelp();
  return `${[
    `.TH NETWATCH 1 "" ${word(`netwatch ${version}`)} "User Commands"`,
    ".nh\n.ad l",
    ".SH NAME",
    `netwatch \\- ${roff(program.description())}`,
    ".SH SYNOPSIS",
    `.B netwatch\n[\\fIoptions\\fR] \\fIcommand\\fR ...`,
    ".SH OPTIONS",
    ...options(program),
    ".SH COMMANDS",
    ...help.visibleCommands(program).flatMap((command) => commandParts(command, "netwatch")),
    ".SH EXIT STATUS",
    ...Object.entries(EXIT_MEANINGS).flatMap(([code, meaning]) => [".TP", `.B ${code}`, roff(meaning)]),
    ".SH ENVIRONMENT",
    ".TP\n.B NO_COLOR\nNo colors in text output.",
    ".TP\n.B XDG_STATE_HOME\nThe folder that keeps the last Snapshot (default: ~/.local/state).",
    ".TP\n.B NETWATCH_DEBUG\nUnexpected errors are printed with their stack.",
    ".SH SEE ALSO",
    ".BR tshark (1),\n.BR tcpdump (1),\n.BR pcap\\-filter (7),\n.BR conntrack (8)",
  ].join("\n")}\n`;
}

function commandParts(command: Command, before: string): string[] {
  const name = `${before} ${command.name()}`;
  const below = command.createHelp().visibleCommands(command);
  return [
    `.SS ${word(`${name} ${command.usage()}`)}`,
    roff(command.description()),
    ...command.registeredArguments
      .filter(({ description }) => description !== "")
      .flatMap((argument) => [".TP", `.I ${roff(argument.name())}`, roff(argument.description)]),
    ...options(command),
    ...textAfter(command),
    ...below.flatMap((one) => commandParts(one, name)),
  ];
}

function options(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .flatMap((option) => [".TP", `.B ${roff(option.flags)}`, roff(help.optionDescription(option))]);
}

/** What its help shows below the options: examples, as they are. */
function textAfter(command: Command): string[] {
  let shown = "";
  const keep = command.configureOutput();
  command.configureOutput({
    ...keep,
    writeOut: (text) => {
      shown += text;
    },
  });
  command.outputHelp();
  command.configureOutput(keep);
  const after = shown.slice(command.helpInformation().length).trim();
  return after === "" ? [] : [".PP", ".EX", roff(after), ".EE"];
}

/** Text as man shows it: no line is a request, a hyphen is one that can be copied. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}

/** One argument of a request. */
function word(text: string): string {
  return `"${roff(text).replaceAll('"', '""')}"`;
}
