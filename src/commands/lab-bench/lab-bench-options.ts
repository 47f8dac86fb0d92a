/** The command-line options of `netwatch lab bench`. Small: loaded at every start. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Start } from "../monitor-options.js";
import { parsePositive } from "../options.js";

export function addLabBenchCommand(lab: Command, start: Start): void {
  lab
    .command("bench")
    .description("the same load on the shop in namespaces and in Docker, in turn; figures, verdict, report")
    .addOption(
      new Option("--mode <mode>", "what to measure").choices(["lab", "docker", "both"]).default("both"),
    )
    .option(
      "--requests <n>",
      "requests a round (default: 1000; without limit where --duration is given)",
      parsePositive(1_000_000),
    )
    .option("--concurrency <n>", "requests under way at a time", parsePositive(1000), 50)
    .option("--duration <seconds>", "end a round after this time (default: after 300)", parsePositive(300))
    .option("--rounds <n>", "rounds a mode; a verdict needs 5", parsePositive(50), 9)
    .option("--warmup <n>", "rounds a mode before them that do not count", parsePositive(20, 0), 2)
    .option("--path <path>", "what to ask for", "/products")
    .option("--keep-alive", "one connection for many requests, not one for each")
    .option("--project <name>", "the compose project", parseProject, "shop")
    .addOption(
      new Option("-o, --output <format>", "form of the output").choices(["table", "json"]).default("table"),
    )
    .option("--pdf <file>", "also write a report with charts")
    .addHelpText(
      "after",
      `
Measures the lab that is up, or one of its own that goes down again, and the containers of services/docker/compose.yml where
they run. The load is ApacheBench (Debian: apache2-utils). services/README.md says what the figures mean and what they do not.

Examples:
  sudo netwatch lab bench --pdf bench.pdf
  sudo netwatch lab bench --mode lab --requests 5000 --concurrency 10 -o json | jq '.modes[].figures'`,
    )
    .action((options) =>
      start(async ({ producer, terminal, signal }) => {
        const { labBench } = await import("./lab-bench.js");
        return labBench({ ...options, date: new Date(), signal }, producer, terminal);
      }),
    );
}

function parseProject(text: string): string {
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text))
    throw new InvalidArgumentError("must be a compose project's name.");
  return text;
}
