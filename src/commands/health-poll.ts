/** Health checks again and again: the targets one after another, never a round while one is under way. */
import { networkInterfaces } from "node:os";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { HealthCourse } from "../analyze/health.js";
import type { HealthReport } from "../analyze/snapshot.js";
import { type CheckResult, checkHealth, type HealthTarget } from "../capture/health/health.js";
import { type Candidate, onlyLocal, readCandidates, targetsOf } from "../capture/health/health-targets.js";
import { stagger } from "../capture/health/stagger.js";
import { ServiceError } from "../capture/names/json-client.js";
import { NamesError } from "../capture/names/names.js";
import { readRegistry, type Tenancy } from "../capture/names/registry-names.js";
import { CommandError, ExitCode, reasonOf } from "./exit.js";

/** The service that knows where the moving ones are. */
const REGISTRY_SERVICE = "service-registry";

/** One answer, or none, of one target. */
export interface HealthCheck {
  readonly target: HealthTarget;
  readonly result: CheckResult;
  /** When it was over, microseconds since 1970. */
  readonly timeUs: number;
}

/** From one round to the next, where nobody says otherwise. */
export const HEALTH_INTERVAL_MS = 10_000;

/** The next target is asked no later than this after one that is slow. */
const STAGGER_MS = 20;

export class HealthPoll {
  /** Of the round that ended last, in the order of the targets. */
  checks: readonly HealthCheck[] = [];
  readonly #candidates: readonly Candidate[];
  readonly #registry: URL | null;
  readonly #course = new HealthCourse();
  #tenancies: readonly Tenancy[] = [];
  /** Why the registry could not be asked the last time; null: it could. */
  registryFailure: string | null = null;
  #running: Promise<HealthReport> | null = null;

  constructor(candidates: readonly Candidate[], registry: URL | null) {
    this.#candidates = candidates;
    this.#registry = registry;
  }

  /** One round; while one is under way, that one. */
  round(): Promise<HealthReport> {
    this.#running ??= this.#check().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #check(): Promise<HealthReport> {
    await this.#askRegistry();
    const targets = targetsOf(this.#candidates, this.#tenancies);
    this.#course.follow(targets);
    const clockMs = () => performance.now();
    const check = async (target: HealthTarget) => {
      const result = await checkHealth(target, clockMs);
      return { target, result, timeUs: Date.now() * 1000 };
    };
    this.checks = await stagger(targets, check, () => setTimeout(STAGGER_MS));
    for (const { target, result, timeUs } of this.checks) this.#course.add(target, result, timeUs);
    return this.#course.report(Date.now() * 1000);
  }

  /** Where the registry is silent, what it said before still holds. */
  async #askRegistry(): Promise<void> {
    if (this.#registry === null) return;
    try {
      this.#tenancies = await readRegistry(this.#registry);
      this.registryFailure = null;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.registryFailure = error.message;
    }
  }
}

/** A poll of the services of a names file. Throws CommandError. */
export function openHealthPoll(namesFile: string, registry: URL | undefined): HealthPoll {
  let candidates: Candidate[];
  try {
    candidates = readCandidates(namesFile);
  } catch (error) {
    const reason = error instanceof NamesError ? error.message : reasonOf(error);
    throw new CommandError(ExitCode.unreadable, `names file ${namesFile}: ${reason}`);
  }
  const chosen = reachable(candidates);
  const known = chosen.find(({ service, port }) => service === REGISTRY_SERVICE && port !== null);
  const found = known && chosen.some(({ moving }) => moving) ? urlOf(known) : null;
  return new HealthPoll(chosen, registry ?? found);
}

/**
 * A file may list addresses of several set-ups. Where some lie in a network this machine is in, the others are of a set-up
 * that is not there.
 */
function reachable(candidates: readonly Candidate[]): Candidate[] {
  const networks = Object.values(networkInterfaces()).flatMap((of) =>
    (of ?? []).flatMap(({ cidr }) => (cidr === null ? [] : [cidr])),
  );
  const local = onlyLocal(candidates, networks);
  return local.length > 0 ? local : [...candidates];
}

function urlOf({ address, port }: Candidate): URL {
  return new URL(`http://${address.includes(":") ? `[${address}]` : address}:${port}`);
}
