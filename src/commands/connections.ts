/** `netwatch connections`: the connection tracking table of this machine or of a file. */
import { setImmediate, setTimeout } from "node:timers/promises";
import { buildConnectionsSnapshot } from "../analyze/connections.js";
import type { ConnectionsSnapshot, ConntrackTableName } from "../analyze/snapshot/snapshot.js";
import { ConntrackTable } from "../capture/conntrack/conntrack-table.js";
import { parseConntrackText } from "../capture/conntrack/conntrack-text.js";
import { ConntrackPoller } from "../capture/conntrack/tracker.js";
import { readText } from "../capture/file/text.js";
import { SystemError } from "../capture/kernel/libc.js";
import { listNetns, NetnsError, netnsId } from "../capture/kernel/netns.js";
import type { Names } from "../capture/names/names.js";
import { openNames, readNamesOnce } from "../engine/names.js";
import { loadNames } from "../engine/names-file.js";
import { CommandError, ExitCode, reasonOf } from "../exit.js";
import { formatCounted } from "../format.js";
import { renderTable } from "../report/text/text.js";
import { renderConnections } from "../report/text/text-connections.js";
import { renderForm } from "./analyze/machine-forms.js";
import { CONNTRACK_TABLE_NAMES, type ListFormat } from "./options.js";
import { waitingFor } from "./signals.js";
import type { Terminal } from "./terminal.js";

export interface ConnectionsOptions {
  readonly watch?: boolean;
  /** Seconds between polls. */
  readonly interval: number;
  readonly netns?: string;
  readonly allNetns?: boolean;
  /** A file of `conntrack -L` or /proc/net/nf_conntrack; `-` is stdin. */
  readonly read?: string;
  readonly output: ListFormat;
  readonly table?: ConntrackTableName;
  readonly numeric?: boolean;
  readonly names?: string;
  readonly enableAcct?: boolean;
  /** Ends the polling. */
  readonly signal: AbortSignal;
  /** Called when every socket is open: then CAP_NET_ADMIN is enough. */
  readonly giveUpRoot: () => void;
}

/** Larger texts hold more entries than a kernel tracks. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

export async function connections(
  options: ConnectionsOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  checkUsage(options);
  const { read } = options;
  const paths = [options.names, read];
  const [fromFile, text] = await waitingFor(paths, terminal, async () => [
    options.numeric || options.names === undefined ? null : loadNames(options.names),
    read === undefined ? null : await readWhole(read, terminal),
  ]);
  if (read !== undefined) return showFile(read, text!, options, { producer, names: fromFile }, terminal);
  const trackers = openPollers(options);
  try {
    for (const tracker of trackers) {
      await tracker.poll(() => setImmediate());
      if (tracker.denied) throw explain(tracker.denied);
    }
    const names = await readNamesOnce(options.numeric ? null : openNames(options, terminal));
    options.giveUpRoot();
    if (options.enableAcct) for (const tracker of trackers) tracker.enableAccounting();
    await poll(trackers, options, { producer, names }, terminal);
  } finally {
    for (const tracker of trackers) tracker.restoreAccounting();
    for (const tracker of trackers) tracker.close();
  }
  return ExitCode.ok;
}

/** The values that all Snapshots of a run share. */
interface Setting {
  readonly producer: string;
  readonly names: Names | null;
}

function checkUsage({ output, table, watch, read, netns, allNetns, enableAcct }: ConnectionsOptions): void {
  const wrong = (message: string): never => {
    throw new CommandError(ExitCode.usage, message);
  };
  if (output === "csv" && table === undefined)
    wrong(`-o csv prints one table: add --table ${CONNTRACK_TABLE_NAMES.join("|")}`);
  if (output === "csv" && watch) wrong("-o csv prints one moment: leave --watch out, or use -o ndjson");
  if (netns !== undefined && allNetns) wrong("give either --netns NAME or --all-netns, not both");
  if (read !== undefined && (watch || netns !== undefined || allNetns || enableAcct))
    wrong("-r FILE is not live: --watch, --netns, --all-netns and --enable-acct do not apply");
}

async function showFile(
  path: string,
  text: string,
  options: ConnectionsOptions,
  setting: Setting,
  terminal: Terminal,
): Promise<ExitCode> {
  const entries = new ConntrackTable();
  const { odd, first } = parseConntrackText(text, entries);
  if (first !== null) {
    const problem = `${path}: line ${first.line}: ${first.reason}`;
    if (entries.count === 0) throw new CommandError(ExitCode.unreadable, problem);
    terminal.say(`${problem} (${formatCounted(odd, "line")} in all); the rest was read`);
  }
  const file = {
    netns: null,
    entries,
    facts: null,
    sockets: null,
    resyncs: 0,
    failures: 0,
    odd,
    problem: null,
  };
  const snapshot = buildConnectionsSnapshot([file], { ...setting, timeUs: null });
  await terminal.write(render(snapshot, options, terminal));
  return odd > 0 ? ExitCode.damaged : ExitCode.ok;
}

async function readWhole(path: string, terminal: Terminal): Promise<string> {
  if (path !== "-") {
    try {
      return readText(path, MAX_TEXT_BYTES, "latin1");
    } catch (error) {
      throw new CommandError(ExitCode.unreadable, `${path}: ${reasonOf(error)}`);
    }
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of terminal.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_TEXT_BYTES)
      throw new CommandError(ExitCode.unreadable, `${path}: is larger than ${MAX_TEXT_BYTES / 1024} KiB`);
  }
  return Buffer.concat(chunks).toString("latin1");
}

/** Opens every requested namespace once. Throws CommandError. */
function openPollers({ netns, allNetns, enableAcct }: ConnectionsOptions): ConntrackPoller[] {
  const targets: (string | null)[] = [netns ?? null];
  if (allNetns) {
    const seen = new Set([netnsId(null)]);
    for (const name of listNetns()) {
      const id = netnsId(name);
      if (id === null || seen.has(id)) continue;
      seen.add(id);
      targets.push(name);
    }
  }
  const trackers: ConntrackPoller[] = [];
  try {
    for (const target of targets) trackers.push(ConntrackPoller.open(target, enableAcct));
    return trackers;
  } catch (error) {
    for (const tracker of trackers) tracker.close();
    throw explain(error);
  }
}

function explain(error: unknown): unknown {
  if (error instanceof NetnsError && error.code !== "EPERM" && error.code !== "EACCES")
    return new CommandError(ExitCode.noInterface, error.message);
  if (error instanceof NetnsError)
    return new CommandError(
      ExitCode.permission,
      `${error.message} and CAP_NET_ADMIN; run it as root: sudo netwatch connections --netns NAME`,
    );
  if (!(error instanceof SystemError)) return error;
  if (error.code === "EPERM" || error.code === "EACCES")
    return new CommandError(
      ExitCode.permission,
      "reading connection tracking needs CAP_NET_ADMIN; run it as root: sudo netwatch connections",
    );
  return new CommandError(ExitCode.failure, `connection tracking: ${error.message}`);
}

/** One poll, or one per interval until the signal comes. */
async function poll(
  trackers: readonly ConntrackPoller[],
  options: ConnectionsOptions,
  setting: Setting,
  terminal: Terminal,
): Promise<void> {
  const { signal } = options;
  const intervalMs = options.interval * 1000;
  // The kernel counts only connections that begin while accounting is on: one poll now would show nothing new.
  if (options.enableAcct) await pause(intervalMs, signal);
  for (let first = true; ; first = false) {
    const startedMs = performance.now();
    const timeUs = Date.now() * 1000;
    for (const tracker of trackers) await tracker.poll(() => setImmediate());
    const snapshot = buildConnectionsSnapshot(trackers, { ...setting, timeUs });
    const last = !options.watch || signal.aborted;
    if (last || options.output !== "json") {
      if (!first && options.output === "table") await terminal.write(["\n"]);
      await terminal.write(render(snapshot, options, terminal));
    }
    if (last) return;
    await pause(intervalMs - (performance.now() - startedMs), signal);
    if (signal.aborted && options.output !== "json") return;
  }
}

/** Waits for the interval or the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(Math.max(0, ms), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function render(
  snapshot: ConnectionsSnapshot,
  { output, table }: ConnectionsOptions,
  terminal: Terminal,
): Iterable<string> {
  if (output !== "table")
    return renderForm(output, snapshot, table === undefined ? null : snapshot.tables[table]);
  return table === undefined
    ? renderConnections(snapshot, terminal)
    : renderTable(snapshot.tables[table], terminal);
}
