/** One health check: asks a server in its own language whether it serves, within a limit. */
import { checkHttp } from "./health-http.js";
import { checkPostgres } from "./health-postgres.js";
import { checkRedis } from "./health-redis.js";
import { checkTcp } from "./health-tcp.js";

export const CHECKS = ["http", "tcp", "redis", "postgres"] as const;
export type CheckKind = (typeof CHECKS)[number];

/** Whom to ask, and how. */
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
  /** Why it does not serve, in one line; null: it serves. Foreign text in it is not made safe. */
  readonly failure: string | null;
  /** From the call to the answer, or to giving up. Seconds. */
  readonly seconds: number;
  /** How much of that the thread that asked was at work itself, and so may have come late to the answer; null: not known. */
  readonly ownSeconds: number | null;
}

/** What a check is timed by, milliseconds since any moment. */
export interface CheckClock {
  /** Only goes on. */
  nowMs(): number;
  /** How long this thread has been at work, not waiting. */
  busyMs(): number;
}

/** Longest a check takes, connecting included. */
const CHECK_LIMIT_MS = 2000;

/** Runs a check on an open line; rejects with an Error of one line. */
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
    (error: unknown) => wordsOf(error as NodeJS.ErrnoException),
  );
  const failure = await Promise.race([asked, late]);
  clearTimeout(timer);
  controller.abort();
  const ms = Math.max(0, clock.nowMs() - began);
  const ownMs = Math.min(ms, Math.max(0, clock.busyMs() - busy));
  return { failure, seconds: ms / 1000, ownSeconds: ownMs / 1000 };
}

const WORDS: Readonly<Record<string, string>> = {
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

function wordsOf({ code, message }: NodeJS.ErrnoException): string {
  return (WORDS[code ?? ""] ?? message).slice(0, MAX_REASON);
}
