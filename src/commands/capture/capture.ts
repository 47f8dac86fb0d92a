/** `netwatch capture`: a network interface, live. */
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { TABLE_NAMES } from "../../analyze/tables.js";
import type { Outputs } from "../../engine/recording/outputs.js";
import { lastSnapshotPath } from "../../engine/recording/state-folder.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { formatCount, formatCounted } from "../../format.js";
import { renderCsv } from "../../report/data/csv.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import { renderSummary, renderTableOf } from "../../report/text/text.js";
import { lastSnapshotPieces } from "../analyze/last-snapshot.js";
import { sayMissing } from "../analyze/missing-report.js";
import type { Terminal } from "../terminal.js";
import type { CaptureCommandOptions, CaptureFormat } from "./capture-options.js";
import { runLive } from "./live.js";
import { liveOptionsOf } from "./live-options.js";

/** Rows of each table that a Snapshot of the run so far has, beside `other`: packets come in while it is shown. */
const LIVE_ROWS = 1000;

export async function capture(
  filter: readonly string[],
  options: CaptureCommandOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const chosen = checkOutput(options);
  const live = { ...options, ...chosenFilter(filter, options), ...(await chosenBridges(options, terminal)) };
  const quiet = options.write === "-";
  const show = quiet ? null : createShow(chosen, options, terminal);
  const follower = show && { onSnapshot: show, wantsEvidence: true };
  const kept = lastSnapshotPath(terminal.env);
  const result = await runLive(
    liveOptionsOf(live),
    { follower, reserve: [kept], load: null },
    producer,
    terminal,
  );
  const { snapshot, exitCode, outputs } = result;
  if (!quiet) await terminal.write(renderEnd(chosen, snapshot, options, terminal));
  keepLive(snapshot, outputs, terminal);
  if (chosen === "csv") sayMissing(snapshot, snapshot.tables[options.table!]!, terminal);
  for (const line of [...result.troubles, summaryLine(snapshot)]) terminal.say(line);
  return exitCode;
}

function checkOutput({ output, table, write }: CaptureCommandOptions): CaptureFormat {
  if (output !== undefined && write === "-")
    throw new CommandError(ExitCode.usage, "-w - gives stdout to the packets: leave -o out");
  if (output === "csv" && table === undefined)
    throw new CommandError(ExitCode.usage, `-o csv prints one table: add --table ${TABLE_NAMES.join("|")}`);
  return output ?? "table";
}

/** The trailing arguments, or -f; not both. */
function chosenFilter(words: readonly string[], { filter }: CaptureCommandOptions): { filter: string } {
  if (words.length > 0 && filter !== undefined)
    throw new CommandError(ExitCode.usage, "give the filter either as -f or as the last words, not both");
  return { filter: filter ?? words.join(" ") };
}

/** The named bridges, including those of named networks. Throws CommandError. */
async function chosenBridges(
  { network, bridge = [] }: CaptureCommandOptions,
  terminal: Terminal,
): Promise<{ bridge?: readonly string[] }> {
  if (network === undefined) return {};
  const { engineSockets, findNetworkBridge } = await import("../../capture/names/docker.js");
  const { ServiceError } = await import("../../capture/names/json-client.js");
  const sockets = engineSockets(terminal.env.DOCKER_HOST);
  try {
    const found = await Promise.all(network.map((name) => findNetworkBridge(sockets, name)));
    return { bridge: [...bridge, ...found] };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new CommandError(ExitCode.noInterface, `--network: ${error.message}`);
  }
}

/** Output during the run: a redrawn screen, lines of JSON, or a summary at each interval. */
function createShow(
  format: CaptureFormat,
  options: CaptureCommandOptions,
  terminal: Terminal,
): ((snapshot: Snapshot) => Promise<void>) | null {
  if (format === "ndjson")
    return (snapshot) => terminal.write(renderSnapshotJson(limitSnapshot(snapshot, LIVE_ROWS), false));
  if (format !== "table") return null;
  const { screen } = terminal;
  if (screen !== undefined) return (snapshot) => redraw(snapshot, screen, options, terminal);
  if (options.interval === undefined) return null;
  return async (snapshot) => {
    const text = [...renderText(limitSnapshot(snapshot, LIVE_ROWS), options, terminal)];
    await terminal.write([...text, "\n"]);
  };
}

type Screen = NonNullable<Terminal["screen"]>;

/** Moves home, clears each line after its end, then everything below: no flicker. */
async function redraw(
  snapshot: Snapshot,
  screen: Screen,
  options: CaptureCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { columns, rows } = screen.size();
  const text = renderText(limitSnapshot(snapshot, LIVE_ROWS), options, { ...terminal, width: columns });
  const lines = [...text].join("").split("\n");
  const shown = lines.slice(0, Math.max(1, rows - 1));
  await terminal.write([`\x1b[H${shown.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`]);
}

function renderText(
  snapshot: Snapshot,
  { table }: CaptureCommandOptions,
  looks: { readonly width: number; readonly color: boolean },
): Iterable<string> {
  return table === undefined
    ? renderSummary(snapshot, looks)
    : renderTableOf(snapshot, snapshot.tables[table]!, looks);
}

function renderEnd(
  format: CaptureFormat,
  snapshot: Snapshot,
  options: CaptureCommandOptions,
  terminal: Terminal,
): Iterable<string> {
  switch (format) {
    case "json":
      return renderSnapshotJson(snapshot, true);
    case "ndjson":
      return renderSnapshotJson(snapshot, false);
    case "csv":
      return renderCsv(snapshot.tables[options.table!]!);
    case "table": {
      const clear = terminal.screen === undefined ? [] : ["\x1b[H\x1b[J"];
      return [...clear, ...renderText(snapshot, options, terminal)];
    }
  }
}

/** Saves the Snapshot for `netwatch report`. */
export function keepLive(snapshot: Snapshot, outputs: Outputs, terminal: Terminal): void {
  try {
    outputs.writeFile(lastSnapshotPath(outputs.env), lastSnapshotPieces(snapshot));
  } catch (error) {
    terminal.say(`the snapshot could not be kept for \`netwatch report\`: ${reasonOf(error)}`);
  }
}

/** tcpdump's three numbers, and the residual if any. */
export function summaryLine({ ledger, totals }: Snapshot): string {
  const interfaces = ledger.interfaces ?? [];
  const known = (n: number | null) => (n === null ? "unknown" : formatCount(n));
  const received = interfaces.every((of) => of.received !== null)
    ? interfaces.reduce((sum, of) => sum + of.received!, 0)
    : null;
  const residual = interfaces.every((of) => of.residual !== null)
    ? interfaces.reduce((sum, of) => sum + of.residual!.packets, 0)
    : null;
  const parts = [
    `${formatCounted(totals.packets, "packet")} captured`,
    `${known(received)} received by filter`,
    `${known(ledger.dropped)} dropped by kernel`,
  ];
  if (residual !== null) parts.push(`${formatCount(residual)} more counted by the interface`);
  return parts.join(", ");
}
