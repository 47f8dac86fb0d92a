/** One health check: asks a server over its own protocol whether it serves, within a time limit. */
import { checkHttp } from "./health-http.js";
import { checkPostgres } from "./health-postgres.js";
import { checkRedis } from "./health-redis.js";
import { checkTcp } from "./health-tcp.js";

export const CHECKS = ["http", "tcp", "redis", "postgres"] as const;
export type CheckKind = (typeof CHECKS)[number];

/** The server to check, and how. */
export interface HealthTarget {
  readonly service: string;
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
  readonly check: CheckKind;
  /** What HTTP asks for; "" for the others. */
  readonly path: string;
}

/** What one check found. */
export interface CheckResult {
  /** Why it does not serve, in one line; null: it serves. Untrusted text: escape it before display. */
  readonly failure: string | null;
  /** Seconds from the call to the answer or the time-out. */
  readonly seconds: number;
  /** Seconds of that in which this thread was busy, and so may have read the answer late; null: unknown. */
  readonly ownSeconds: number | null;
}

/** The clocks of a check, in milliseconds from any origin. */
export interface CheckClock {
  /** Monotonic. */
  nowMs(): number;
  /** How long this thread has been busy, not waiting. */
  busyMs(): number;
}

/** Longest a check takes, connecting included. */
const CHECK_LIMIT_MS = 2000;

/** Runs a check over an open connection; rejects with an Error of one line. */
export type Check = (target: HealthTarget, signal: AbortSignal) => Promise<void>;

const BY_KIND: Readonly<Record<CheckKind, Check>> = {
  http: checkHttp,
  tcp: checkTcp,
  redis: checkRedis,
  postgres: checkPostgres,
};

/** Checks one target. Never throws and never takes longer than the limit. */
export async function checkHealth(
  target: HealthTarget,
  clock: CheckClock,
  limitMs = CHECK_LIMIT_MS,
): Promise<CheckResult> {
  const began = clock.nowMs();
  const busy = clock.busyMs();
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${limitMs / 1000} s`), limitMs);
  });
  const asked = BY_KIND[target.check](target, controller.signal).then(
    () => null,
    (error: unknown) => describeError(error as NodeJS.ErrnoException),
  );
  const failure = await Promise.race([asked, late]);
  clearTimeout(timer);
  controller.abort();
  const ms = Math.max(0, clock.nowMs() - began);
  const ownMs = Math.min(ms, Math.max(0, clock.busyMs() - busy));
  return { failure, seconds: ms / 1000, ownSeconds: ownMs / 1000 };
}

const MESSAGES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens",
  ECONNRESET: "connection broken off",
  EPIPE: "connection broken off",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "no answer",
  EACCES: "forbidden by a rule",
  EPERM: "forbidden by a rule",
};
const MAX_REASON = 120;

function describeError({ code, message }: NodeJS.ErrnoException): string {
  return (MESSAGES[code ?? ""] ?? message).slice(0, MAX_REASON);
}
