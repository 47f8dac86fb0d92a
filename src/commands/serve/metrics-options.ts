/** The command-line options of `netwatch metrics`. Small: loaded at every start. */

import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError } from "commander";
import { Bound } from "../../analyze/core/layout.js";
import { addDecapsulate, addSourceOptions, EVENTS_HELP, gather } from "../capture/capture-options.js";
import type { Start } from "../monitor-options.js";
import { parsePositive, parseUrl } from "../options.js";

const MAX_SERIES = 1_000_000;
/** All that is not an edge has room in it. */
const MIN_SERIES = 650;

export function addMetricsCommands(program: Command, start: Start): void {
  addMetrics(program, start);
  addServe(program, start);
}

function addServe(program: Command, start: Start): void {
  const command = program
    .command("serve")
    .description("Serve metrics of a live run to Prometheus, with a landing page and health checks.");
  addSourceOptions(command, { stops: false });
  command
    .option("-r, --read <file...>", "serve these capture files in place of an interface")
    .option("--listen <address>", "HOST:PORT, or :PORT for everywhere (default: 127.0.0.1:9810)")
    .option(
      "--allow-host <name>",
      "also answer to this name: others than loopback's and that of --listen get 421; more than once",
      gather,
    )
    .option("--web.config.file <file>", "TLS, client certificates and users, as all exporters read it")
    .option(
      "--max-series <n>",
      "samples on the page; edges beyond are `~other` (default: 2000)",
      parsePositive(MAX_SERIES, MIN_SERIES),
    )
    .option(
      "--series-ttl <time>",
      "an edge without packets leaves after 90s, 10m or 2h (default: 10m)",
      parseTtl,
    )
    .option("--names <file>", "JSON file of names, as for analyze; an end without a name is `external`")
    .option("--health", "also ask the services of the names file whether they serve")
    .option("--registry <url>", "registry that knows where moving services are", parseUrl)
    .option("--events <file>", EVENTS_HELP)
    .option("--max-flows <n>", "conversations kept (default: 262144)", parsePositive(Bound.flows))
    .addHelpText(
      "after",
      `
It ends with SIGTERM or Ctrl-C; SIGHUP reads the web configuration and the names file again. Root is given up once all is open.
An interface that goes away is waited for: netwatch_capture_up is 0 meanwhile.

Examples:
  sudo netwatch serve -i br-app --names services/lab.json
  sudo netwatch serve -i br-app --listen :9810 --web.config.file web.yml
  netwatch serve -r fixtures/shop.pcapng --names services/lab.json
  curl -s localhost:9810/metrics | grep '^netwatch_edge_sent_bytes'`,
    )
    .action(({ "web.config.file": webConfig, ...options }) =>
      start(
        async ({ producer, terminal, signal }) => {
          const { serve } = await import("./serve.js");
          const seed = randomBytes(4).readInt32LE();
          const file = webConfig === undefined ? {} : { webConfig };
          return serve({ ...options, ...file, seed, signal }, producer, terminal);
        },
        options.read === undefined ? options : null,
        ["SIGINT", "SIGTERM"],
      ),
    );
}

/** Seconds of `90s`, `10m`, `2h`; a number alone is seconds. */
function parseTtl(text: string): number {
  const match = /^(\d{1,6})([smh]?)$/.exec(text);
  const seconds = Number(match?.[1]) * { "": 1, s: 1, m: 60, h: 3600 }[match?.[2] ?? ""]!;
  if (!(seconds >= 1)) throw new InvalidArgumentError("must be a time such as 90s, 10m or 2h.");
  return seconds;
}

function addMetrics(program: Command, start: Start): void {
  const command = program
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
    .option("--max-flows <n>", "conversations kept, as for analyze", parsePositive(Bound.flows));
  addDecapsulate(command);
  command
    .addHelpText(
      "after",
      `
Examples:
  netwatch metrics shop.pcapng --names services/lab.json
  netwatch metrics shop.pcapng | promtool check metrics`,
    )
    .action((files, options) =>
      start(
        async ({ producer, terminal }) => {
          const { metrics } = await import("./metrics.js");
          return metrics(files, { ...options, seed: randomBytes(4).readInt32LE() }, producer, terminal);
        },
        null,
        [],
      ),
    );
}
