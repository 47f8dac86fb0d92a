/** What can be said to `netwatch metrics`. Light: loaded at every start. */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import type { Start } from "./monitor-words.js";
import { parsePositive } from "./options.js";

const MAX_SERIES = 1_000_000;
/** All that is not an edge has room in it. */
const MIN_SERIES = 500;

export function addMetricsCommands(program: Command, start: Start): void {
  addMetrics(program, start);
}

function addMetrics(program: Command, start: Start): void {
  program
    .command("metrics")
    .description("Print capture files as Prometheus metrics, once.")
    .argument("<file...>", "pcap or pcapng, gzip or not; - is stdin")
    .option("--openmetrics", "in OpenMetrics, not Prometheus' text format")
    .option("-f, --filter <filter>", "count only packets that match, in tcpdump's language")
    .option("--names <file>", "JSON file of names, as for analyze; an end without a name is `external`")
    .option(
      "--max-series <n>",
      "samples on the page; edges beyond are `~other` (default: 2000)",
      parsePositive(MAX_SERIES, MIN_SERIES),
    )
    .option("--max-flows <n>", "conversations kept, as for analyze", parsePositive(100_000_000))
    .addHelpText(
      "after",
      `
Examples:
  netwatch metrics shop.pcapng --names services/lab.json
  netwatch metrics shop.pcapng | promtool check metrics`,
    )
    .action((files, options) =>
      start(async ({ producer, terminal }) => {
        const { metrics } = await import("./metrics.js");
        return metrics(files, { ...options, seed: randomBytes(4).readInt32LE() }, producer, terminal);
      }),
    );
}
