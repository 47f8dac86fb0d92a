/** Polls health checks in a thread of their own, never two rounds at once. */
import { networkInterfaces } from "node:os";
import { HealthTracker } from "../../analyze/health.js";
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import type { CheckResult, HealthTarget } from "../../capture/health/health.js";
import {
  type HealthCandidate,
  onlyLocal,
  readHealthCandidates,
  targetsOf,
} from "../../capture/health/health-targets.js";
import { ServiceError } from "../../capture/names/json-client.js";
import { NamesError } from "../../capture/names/names.js";
import type { Tenancy } from "../../capture/names/registry-names.js";
import type { PeerThread } from "../../capture/peers/peer-thread.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";

/** The service that knows the current ports of moving services. */
const REGISTRY_SERVICE = "service-registry";

/** The result of one target. */
export interface HealthCheck {
  readonly target: HealthTarget;
  readonly result: CheckResult;
  /** End of the check, microseconds since 1970. */
  readonly timeUs: number;
}

/** Default time between rounds. */
export const HEALTH_INTERVAL_MS = 10_000;

export class HealthPoll {
  /** Of the round that ended last, in the order of the targets. */
  checks: readonly HealthCheck[] = [];
  readonly #candidates: readonly HealthCandidate[];
  readonly #registry: URL | null;
  readonly #peers: PeerThread;
  readonly #course = new HealthTracker();
  #tenancies: readonly Tenancy[] = [];
  /** The error of the last finished round in one line; null: none. */
  problem: string | null = null;
  #running: Promise<HealthReport> | null = null;

  constructor(candidates: readonly HealthCandidate[], registry: URL | null, peers: PeerThread) {
    this.#candidates = candidates;
    this.#registry = registry;
    this.#peers = peers;
  }

  /** Starts a round, or returns the running one. */
  round(): Promise<HealthReport> {
    this.#running ??= this.#check().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #check(): Promise<HealthReport> {
    this.problem = null;
    await this.#askRegistry();
    const targets = targetsOf(this.#candidates, this.#tenancies);
    this.#course.follow(targets);
    this.checks = await this.#askTargets(targets);
    for (const { target, result, timeUs } of this.checks) this.#course.add(target, result, timeUs);
    return this.#course.report(Date.now() * 1000);
  }

  /** Empty: no target could be asked, and the results stay the same. */
  async #askTargets(targets: readonly HealthTarget[]): Promise<HealthCheck[]> {
    try {
      const checked = await this.#peers.health(targets);
      return checked.map((check, i) => ({ target: targets[i]!, ...check }));
    } catch (error) {
      this.problem = `health: ${describeError(error)}; no service was checked`;
      return [];
    }
  }

  /** While the registry does not answer its last answer is used. */
  async #askRegistry(): Promise<void> {
    if (this.#registry === null) return;
    try {
      this.#tenancies = await this.#peers.registry(this.#registry);
    } catch (error) {
      this.problem = `registry: ${describeError(error)}; moving services are asked at their last known port`;
    }
  }
}

function describeError(error: unknown): string {
  if (error instanceof ServiceError) return error.message;
  throw error;
}

/** Polls the services of a names file through `peers`, which the caller owns. Throws CommandError. */
export function openHealthPoll(namesFile: string, registry: URL | undefined, peers: PeerThread): HealthPoll {
  let candidates: HealthCandidate[];
  try {
    candidates = readHealthCandidates(namesFile);
  } catch (error) {
    const reason = error instanceof NamesError ? error.message : reasonOf(error);
    throw new CommandError(ExitCode.unreadable, `names file ${namesFile}: ${reason}`);
  }
  const chosen = reachable(candidates);
  const known = chosen.find(({ service, port }) => service === REGISTRY_SERVICE && port !== null);
  const found = known && chosen.some(({ moving }) => moving) ? urlOf(known) : null;
  return new HealthPoll(chosen, registry ?? found, peers);
}

/**
 * A file may list addresses of several set-ups. Where some lie in a network this machine is in, the others are of a set-up
 * that is not there.
 */
function reachable(candidates: readonly HealthCandidate[]): HealthCandidate[] {
  const networks = Object.values(networkInterfaces()).flatMap((of) =>
    (of ?? []).flatMap(({ cidr }) => (cidr === null ? [] : [cidr])),
  );
  const local = onlyLocal(candidates, networks);
  return local.length > 0 ? local : [...candidates];
}

function urlOf({ address, port }: HealthCandidate): URL {
  return new URL(`http://${address.includes(":") ? `[${address}]` : address}:${port}`);
}
