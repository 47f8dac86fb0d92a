/** The commands that show the command line itself. */
import { Argument, type Command } from "commander";
import { CommandError, ExitCode } from "../../exit.js";
import { visible } from "../../format.js";
import type { Terminal } from "../terminal.js";
import { SHELLS } from "./shells.js";

/** Commands that show the whole command line. */
export const SHOW_ALL: ReadonlySet<string> = new Set(["completion", "man"]);

/** `end` receives the exit code of the command that ran. */
export function addHelpCommands(
  program: Command,
  version: string,
  terminal: Terminal,
  end: (code: ExitCode) => void,
): void {
  const print = async (text: string) => {
    await terminal.write([text]);
    end(ExitCode.ok);
  };
  program
    .command("help")
    .description("Show the help of a command.")
    .argument("[command...]", "for example: help lab bench")
    .action((names: string[]) => {
      commandOf(program, names).outputHelp();
      end(ExitCode.ok);
    });
  program
    .command("completion")
    .description("Print what completes the command line in a shell.")
    .addArgument(new Argument("<shell>", "its name").choices(SHELLS))
    .addHelpText("after", "\nExample:\n  netwatch completion bash > /etc/bash_completion.d/netwatch")
    .action(async (shell) => {
      const { renderCompletion } = await import("./completion.js");
      await print(renderCompletion(program, shell));
    });
  program
    .command("man")
    .description("Print the manual page: of every command, option and exit code.")
    .addHelpText("after", "\nExample:\n  netwatch man | man -l -")
    .action(async () => {
      const { renderMan } = await import("./man.js");
      await print(renderMan(program, version));
    });
}

function commandOf(program: Command, names: readonly string[]): Command {
  return names.reduce((command, name) => {
    const found = command.commands.find((one) => one.name() === name);
    if (found === undefined)
      throw new CommandError(ExitCode.usage, `no command ${visible(names.join(" "))}: see netwatch --help`);
    return found;
  }, program);
}
