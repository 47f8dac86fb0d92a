/** The one door to the lab: a package of its own (`services/`), found by its path in a checkout and in no installed netwatch. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { CommandError, ExitCode } from "../../exit.js";
import type { BenchTarget } from "./target.js";

/** What `services/lab.ts` gives. `services/lab.slow.test.ts` holds it to this. */
export interface Lab {
  /** Adds the lab's commands to `netwatch lab`. They throw LabError. */
  addLabCommands(lab: Command): void;
  /** The lab that is up, or one made for the run, as a target of `lab bench`. `progress` gets a line for each step. Throws LabError. */
  openBenchTarget(progress: (text: string) => void): Promise<BenchTarget>;
}

/** Seen from dist/src/commands/lab-bench/lab.js. */
const LAB = new URL("../../../services/lab.js", import.meta.url);
export const WHERE_LAB_IS =
  "the lab is not in the installed package: run ./netwatch lab in a checkout of netwatch's source";

/** Whether this netwatch runs from a checkout, which has the lab. */
export function hasLab(): boolean {
  return existsSync(LAB);
}

/** Throws CommandError if there is no lab. */
export async function loadLab(): Promise<Lab> {
  if (!hasLab()) throw new CommandError(ExitCode.usage, WHERE_LAB_IS);
  return (await import(LAB.href)) as Lab;
}

/** Adds `lab` to the program; without a checkout, a command that accepts any arguments and says where the lab is. */
export function addLab(program: Command): Command {
  const lab = program
    .command("lab")
    .description("A small shop in network namespaces to watch (root on Linux, from a checkout).");
  if (!hasLab())
    lab
      .argument("[words...]")
      .allowUnknownOption()
      .addHelpText("after", `\n${WHERE_LAB_IS[0]!.toUpperCase()}${WHERE_LAB_IS.slice(1)}.`)
      .action(() => {
        throw new CommandError(ExitCode.usage, WHERE_LAB_IS);
      });
  return lab;
}

/** Whether an error is one of the lab's with a message of one line; `exitCode` is one of netwatch's. */
export function isLabError(error: unknown): error is Error & { readonly exitCode: ExitCode } {
  return error instanceof Error && error.name === "LabError" && "exitCode" in error;
}
