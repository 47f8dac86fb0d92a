/** Builds the state at a moment from the lines of a sidecar: names, connection tracking and health. */

import { HealthTracker } from "../../analyze/health.js";
import type { ConntrackContext } from "../../analyze/snapshot/build.js";
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import type { ConntrackFacts } from "../../capture/conntrack/conntrack-facts.js";
import { addEntry, type EntryJson } from "../../capture/conntrack/conntrack-json.js";
import { ConntrackTable } from "../../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { Names } from "../../capture/names/names.js";
import type {
  ConntrackLine,
  HealthLine,
  NamesLine,
  SidecarLine,
} from "../../engine/recording/sidecar-lines.js";
import { parseAddress, parseCidr } from "../../net.js";

/** Last written entries of a namespace, and the time they were read. */
interface Entries {
  readonly entries: readonly EntryJson[];
  readonly omitted: number;
  readonly pollUs: number;
}

const UNWRITTEN = "its entries are not written: what is tracked is not known";

export class SidecarState {
  #names: NamesLine | null = null;
  #conntrack: ConntrackLine | null = null;
  /** The namespaces in the last line of connection tracking. */
  readonly #entries = new Map<string | null, Entries>();
  readonly #course = new HealthTracker();
  #tracking: ConntrackContext | null = null;
  /** As of the last round; null: none. */
  health: HealthReport | null = null;

  take(line: SidecarLine): void {
    if (line.kind === "names") this.#names = line;
    else if (line.kind === "conntrack") this.#takePoll(line);
    else if (line.kind === "health") this.#takeRound(line);
  }

  /** null: none were written. */
  get names(): Names | null {
    return this.#names && toNames(this.#names);
  }

  /** null: it was not asked. */
  get conntrack(): ConntrackContext | null {
    if (this.#conntrack !== null) this.#tracking ??= this.#toTracking(this.#conntrack);
    return this.#tracking;
  }

  #takePoll(line: ConntrackLine): void {
    this.#conntrack = line;
    this.#tracking = null;
    const pollUs = line.capture.poll_us;
    const listed = new Set(line.namespaces.map(({ netns }) => netns));
    for (const netns of this.#entries.keys()) if (!listed.has(netns)) this.#entries.delete(netns);
    for (const { netns, entries, omitted, unknown } of line.namespaces)
      if (unknown) this.#entries.delete(netns);
      else if (entries !== null) this.#entries.set(netns, { entries, omitted, pollUs });
  }

  #takeRound({ checks, time_us }: HealthLine): void {
    const results = checks.map(
      ({ service, address, port, check, failure, seconds, own_seconds, time_us }) => ({
        target: { service, address, port, check, path: "" },
        result: { failure, seconds, ownSeconds: own_seconds ?? null },
        timeUs: time_us,
      }),
    );
    this.#course.follow(results.map(({ target }) => target));
    for (const { target, result, timeUs } of results) this.#course.add(target, result, timeUs);
    this.health = this.#course.report(time_us);
  }

  #toTracking({ capture, namespaces }: ConntrackLine): ConntrackContext {
    const { netns, bridge, networks, gap } = capture;
    return {
      namespaces: namespaces.map((line) => toNamespace(line, this.#entries.get(line.netns) ?? null)),
      capture: {
        netns,
        bridge,
        networks: networks.map((block) => parseCidr(block)!),
        ownAddresses: new Set(capture.own_addresses),
        startUs: capture.start_us,
        endUs: capture.end_us,
        pollUs: this.#entries.get(netns)?.pollUs ?? capture.poll_us,
        gap,
      },
    };
  }
}

function toNames({ rest, holdings, groups, announced }: NamesLine): Names {
  const names = new Names(rest);
  for (const { address, name, ports, from_us, to_us } of holdings)
    names.add(name, parseAddress(address)!, ports, from_us ?? undefined, to_us ?? undefined);
  for (const { block, name } of groups) names.addGroup(name, parseCidr(block)!);
  for (const { address, ports } of announced ?? [])
    for (const port of ports) names.announce(parseAddress(address)!, port);
  return names;
}

function toNamespace(line: ConntrackLine["namespaces"][number], last: Entries | null): ConntrackNamespace {
  const { netns, facts, resyncs, failures, odd, problem } = line;
  const entries = new ConntrackTable();
  for (const entry of last?.entries ?? []) addEntry(entries, entry);
  entries.omitted += last?.omitted ?? 0;
  const about = { netns, entries, facts: facts && toFacts(facts), sockets: null, resyncs, failures, odd };
  // In a file with a size limit a namespace may be written without its entries.
  return last === null ? { ...about, isUnknown: true, problem: problem ?? UNWRITTEN } : { ...about, problem };
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
