/** Reads a sidecar: the names and the connection tracking that a live run had at its end. */
import { createReadStream } from "node:fs";
import type { TrackingContext } from "../analyze/build.js";
import type { ConntrackFacts } from "../capture/conntrack/conntrack-facts.js";
import { addEntry } from "../capture/conntrack/conntrack-json.js";
import { ConntrackTable } from "../capture/conntrack/conntrack-table.js";
import type { TrackedNamespace } from "../capture/conntrack/tracker.js";
import { Names } from "../capture/names/names.js";
import { parseAddress, parseCidr } from "../net.js";
import { CommandError, ExitCode, reasonOf } from "./exit.js";
import { type ConntrackLine, type NamesLine, type SidecarLine, sidecarLine } from "./sidecar-lines.js";

export interface Sidecar {
  /** null: the run used none. */
  readonly names: Names | null;
  /** null: the run did not ask connection tracking. */
  readonly tracking: TrackingContext | null;
  /** It ends in the middle of a line, which is left out. */
  readonly cut: boolean;
}

/** A line of a million connections is shorter. */
const MAX_LINE = 512 * 1024 * 1024;

/** Reads all lines, checks each, and keeps the last of each kind. Throws CommandError that says what is wrong and where. */
export async function readSidecar(path: string): Promise<Sidecar> {
  const lines = new Lines(path);
  let names: NamesLine | null = null;
  let conntrack: ConntrackLine | null = null;
  let number = 0;
  try {
    for await (const text of lines.read()) {
      const line = parseLine(path, ++number, text);
      if ((line.kind === "netwatch-sidecar") !== (number === 1))
        throw wrong(path, number, "no sidecar begins so");
      if (line.kind === "names") names = line;
      else if (line.kind === "conntrack") conntrack = line;
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(ExitCode.unreadable, `sidecar ${path}: ${reasonOf(error)}`);
  }
  if (number === 0) throw new CommandError(ExitCode.unreadable, `sidecar ${path}: has no whole line`);
  return { names: names && toNames(names), tracking: conntrack && toTracking(conntrack), cut: lines.cut };
}

/** Lines of a file, one in memory at a time. */
class Lines {
  /** The end of the file was no end of a line. */
  cut = false;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async *read(): AsyncIterable<string> {
    let pieces: string[] = [];
    let length = 0;
    for await (const chunk of createReadStream(this.#path, { encoding: "utf8" })) {
      const parts = String(chunk).split("\n");
      for (const [i, part] of parts.entries()) {
        pieces.push(part);
        length += part.length;
        if (length > MAX_LINE) throw new Error(`a line is longer than ${MAX_LINE} characters`);
        if (i === parts.length - 1) break;
        yield pieces.join("");
        pieces = [];
        length = 0;
      }
    }
    this.cut = length > 0;
  }
}

function parseLine(path: string, number: number, text: string): SidecarLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(path, number, "not JSON");
  }
  const { success, data, error } = sidecarLine.safeParse(value);
  if (success) return data;
  const issue = error.issues[0]!;
  throw wrong(
    path,
    number,
    `${issue.path.join(".").slice(0, 80) || "value"}: ${issue.message.slice(0, 200)}`,
  );
}

function wrong(path: string, number: number, what: string): CommandError {
  return new CommandError(ExitCode.unreadable, `sidecar ${path}: line ${number}: ${what}`);
}

function toNames({ rest, holdings, groups }: NamesLine): Names {
  const names = new Names(rest);
  for (const { address, name, ports, from_us, to_us } of holdings)
    names.add(name, parseAddress(address)!, ports, from_us ?? undefined, to_us ?? undefined);
  for (const { block, name } of groups) names.addGroup(name, parseCidr(block)!);
  return names;
}

function toTracking({ capture, namespaces }: ConntrackLine): TrackingContext {
  const { netns, bridge, networks, gap } = capture;
  return {
    namespaces: namespaces.map(toNamespace),
    capture: {
      netns,
      bridge,
      networks: networks.map((block) => parseCidr(block)!),
      ownAddresses: new Set(capture.own_addresses),
      startUs: capture.start_us,
      endUs: capture.end_us,
      pollUs: capture.poll_us,
      gap,
    },
  };
}

function toNamespace(line: ConntrackLine["namespaces"][number]): TrackedNamespace {
  const { netns, facts, resyncs, failures, odd, problem } = line;
  const entries = new ConntrackTable();
  for (const entry of line.entries) addEntry(entries, entry);
  entries.omitted += line.omitted;
  return { netns, entries, facts: facts && toFacts(facts), sockets: null, resyncs, failures, odd, problem };
}

function toFacts(facts: NonNullable<ConntrackLine["namespaces"][number]["facts"]>): ConntrackFacts {
  const { count, limit, accounting, failures } = facts;
  return {
    count,
    limit,
    accounting,
    bridgeIpv4: facts.bridge_ipv4,
    bridgeIpv6: facts.bridge_ipv6,
    failures: failures && {
      insertFailed: failures.insert_failed,
      dropped: failures.dropped,
      earlyDropped: failures.early_dropped,
    },
    timeouts: new Map(Object.entries(facts.timeouts)),
  };
}
