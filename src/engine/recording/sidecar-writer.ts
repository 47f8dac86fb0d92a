/** Writes the sidecar of a live run: a line for names that changed, for each poll of connection tracking, for each round of health. */

import type { CaptureFacts } from "../../analyze/evidence.js";
import type { ConntrackContext } from "../../analyze/snapshot/build.js";
import { formatTime } from "../../analyze/time.js";
import type { ConntrackFacts } from "../../capture/conntrack/conntrack-facts.js";
import { entryToJson } from "../../capture/conntrack/conntrack-json.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { type CaptureFile, openCaptureFile } from "../../capture/file/capture-file.js";
import type { Names } from "../../capture/names/names.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { safeJson } from "../../format.js";
import { formatAddress } from "../../net.js";
import type { HealthCheck } from "../health/health-poll.js";
import { type ConntrackLine, type NamesLine, SIDECAR_VERSION, type SidecarLine } from "./sidecar-lines.js";

/**
 * Most tracked connections written per second, on average: beyond, some polls are written without entries, but never the last. They take some
 * 300 bytes each.
 */
const ENTRIES_PER_SECOND = 10_000;

export class SidecarWriter {
  readonly #path: string;
  readonly #file: CaptureFile;
  #names: Names | null = null;
  /** Entries are not written with a poll before this, microseconds since 1970. */
  #entriesFromUs = Number.NEGATIVE_INFINITY;

  /** Opens a new file that only its owner can read. Throws CommandError. */
  constructor(path: string, producer: string, nowUs: number) {
    this.#path = path;
    this.#file = this.#guard(() => openCaptureFile(path));
    this.#write({ kind: "netwatch-sidecar", version: SIDECAR_VERSION, time: formatTime(nowUs), producer });
  }

  /** Writes the names if they changed. Throws CommandError. */
  addNames(names: Names | null, nowUs: number): void {
    if (names === null || names === this.#names) return;
    this.#names = names;
    this.#write(namesLine(names, nowUs));
  }

  /** Writes a poll; the `last` one with its entries in any case. Throws CommandError. */
  addConntrack({ namespaces, capture }: ConntrackContext, last: boolean): void {
    const { pollUs } = capture;
    const whole = last || pollUs >= this.#entriesFromUs;
    if (whole) {
      const entries = namespaces.reduce((sum, of) => sum + of.entries.count, 0);
      this.#entriesFromUs = pollUs + (entries / ENTRIES_PER_SECOND) * 1e6;
    }
    this.#write({
      kind: "conntrack",
      time: formatTime(pollUs),
      capture: captureOf(capture),
      namespaces: namespaces.map((namespace) => namespaceOf(namespace, whole)),
    });
  }

  /** Writes one round. Throws CommandError. */
  addHealth(checks: readonly HealthCheck[], timeUs: number): void {
    this.#write({
      kind: "health",
      time: formatTime(timeUs),
      time_us: timeUs,
      checks: checks.map(({ target: { service, address, port, check }, result, timeUs: at }) => ({
        service,
        address,
        port,
        check,
        time_us: at,
        failure: result.failure,
        seconds: result.seconds,
        own_seconds: result.ownSeconds,
      })),
    });
  }

  /** Throws CommandError. */
  close(): void {
    this.#guard(() => this.#file.close());
  }

  #write(line: SidecarLine): void {
    const bytes = Buffer.from(`${safeJson(line)}\n`);
    this.#guard(() => this.#file.write(bytes));
  }

  #guard<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw new CommandError(ExitCode.unwritable, `${this.#path}: ${reasonOf(error)}`);
    }
  }
}

function namesLine(names: Names, nowUs: number): NamesLine {
  const { rest, holdings, groups, announced } = names.list();
  return {
    kind: "names",
    time: formatTime(nowUs),
    rest,
    holdings: holdings.map(({ address, name, ports, fromUs, toUs }) => ({
      address,
      name,
      ports: [...ports],
      from_us: Number.isFinite(fromUs) ? fromUs : null,
      to_us: Number.isFinite(toUs) ? toUs : null,
    })),
    groups: groups.map(({ cidr, name }) => ({
      block: `${formatAddress(cidr.network)}/${cidr.prefix}`,
      name,
    })),
    ...(announced.length === 0
      ? {}
      : { announced: announced.map(({ address, ports }) => ({ address, ports: [...ports] })) }),
  };
}

function captureOf(facts: CaptureFacts): ConntrackLine["capture"] {
  const { netns, bridge, networks, ownAddresses, startUs, endUs, pollUs, gap } = facts;
  return {
    netns,
    bridge,
    networks: networks.map(({ network, prefix }) => `${formatAddress(network)}/${prefix}`),
    own_addresses: [...ownAddresses],
    start_us: startUs,
    end_us: endUs,
    poll_us: pollUs,
    gap,
  };
}

function namespaceOf(namespace: ConntrackNamespace, whole: boolean): ConntrackLine["namespaces"][number] {
  const { netns, entries, isUnknown, facts, resyncs, failures, odd, problem } = namespace;
  return {
    netns,
    facts: facts && factsOf(facts),
    resyncs,
    failures,
    odd,
    problem,
    omitted: entries.omitted,
    ...(isUnknown ? { unknown: true } : {}),
    entries:
      whole && !isUnknown
        ? Array.from({ length: entries.count }, (_, entry) => entryToJson(entries, entry))
        : null,
  };
}

function factsOf(facts: ConntrackFacts): NonNullable<ConntrackLine["namespaces"][number]["facts"]> {
  const { count, limit, accounting, bridgeIpv4, bridgeIpv6, failures, timeouts } = facts;
  return {
    count,
    limit,
    accounting,
    bridge_ipv4: bridgeIpv4,
    bridge_ipv6: bridgeIpv6,
    failures: failures && {
      insert_failed: failures.insertFailed,
      dropped: failures.dropped,
      early_dropped: failures.earlyDropped,
    },
    timeouts: Object.fromEntries(timeouts),
  };
}
