/** How services answer: operations that fail, go unanswered, or are slow for some. */
import { formatClock, formatCount, formatCounted, formatDuration, formatRatio } from "../../format.js";
import type { Application } from "../app/application.js";
import { Durations } from "../app/durations.js";
import { commonestError } from "../app/outcomes.js";
import type { Finding } from "../snapshot/snapshot.js";
import { later, type OperationSum } from "../sums/operations.js";
import { formatTime } from "../time.js";
import { type FindingCandidate, formatTimes, sayWorst } from "./finding.js";

/** Thresholds, in one place; docs/findings.md lists them. */
export const REQUEST_THRESHOLDS = {
  /** Failed answers of an operation, and the part of its answers that they are. */
  errors: 5,
  errorRatio: 0.05,
  errorWarning: 0.5,
  /** Requests without an answer, and the part of all. */
  unanswered: 10,
  unansweredRatio: 0.1,
  /** Answers of an operation; their p95, and how often their p50 it is. */
  answers: 100,
  slowSeconds: 0.25,
  slowTimes: 20,
} as const;
const LIMIT = REQUEST_THRESHOLDS;

/** An operation of one service, summed over all clients. */
interface Asked {
  readonly application: Application;
  readonly service: string;
  readonly operation: string;
  readonly sums: OperationSum[];
}

export function findRequests(operations: ReadonlyMap<Application, readonly OperationSum[]>): Finding[] {
  const asked = joinClients(operations);
  return [
    ...sayWorst("request-errors", "operation", asked.flatMap(errorsOf)),
    ...sayWorst("unanswered-requests", "operation", asked.flatMap(unansweredOf)),
    ...sayWorst("slow-requests", "operation", asked.flatMap(slownessOf)),
  ];
}

function joinClients(operations: ReadonlyMap<Application, readonly OperationSum[]>): readonly Asked[] {
  const asked = new Map<string, Asked>();
  for (const [application, sums] of operations)
    for (const sum of sums) {
      const { destination: service, operation } = sum;
      const key = `${application.name}\n${service}\n${operation}`;
      const known = asked.get(key);
      if (known === undefined) asked.set(key, { application, service, operation, sums: [sum] });
      else known.sums.push(sum);
    }
  return [...asked.values()];
}

function total({ sums }: Asked, of: "requests" | "answered" | "errors" | "lost"): number {
  return sums.reduce((all, sum) => all + sum[of], 0);
}

function errorsOf(asked: Asked): FindingCandidate[] {
  const [errors, answered] = [total(asked, "errors"), total(asked, "answered")];
  const ratio = errors / answered;
  if (errors < LIMIT.errors || ratio < LIMIT.errorRatio) return [];
  const { application, service, operation, sums } = asked;
  const failingSinceUs = sums.some(({ isServing }) => isServing)
    ? null
    : sums.reduce<number | null>((last, sum) => later(last, sum.failingSinceUs), null);
  const since =
    failingSinceUs === null ? "" : ` since ${formatClock(formatTime(Math.round(failingSinceUs)))}`;
  return [
    {
      severity: failingSinceUs !== null || ratio >= LIMIT.errorWarning ? "warning" : "notice",
      weight: errors,
      text: `${service} answers ${errorText(application, sums)} on ${operation}${since}: ${formatCount(errors)} of ${formatCounted(answered, "answer")} (${formatRatio(ratio)}).`,
    },
  ];
}

/** `5xx, mostly 503`; `Redis errors, mostly WRONGTYPE`. */
function errorText({ title, requests }: Application, sums: readonly OperationSum[]): string {
  const outcomes = new Map<number, number>();
  for (const sum of sums)
    for (const [outcome, n] of sum.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + n);
  const outcome = requests?.outcome;
  const most = outcome === undefined ? null : commonestError(outcomes, outcome);
  const mostly = most === null ? "" : `, mostly ${most}`;
  return `${outcome?.errors?.(outcomes) ?? `${title} errors`}${mostly}`;
}

function unansweredOf(asked: Asked): FindingCandidate[] {
  const requests = total(asked, "requests");
  const unanswered = requests - total(asked, "answered") - total(asked, "lost");
  const ratio = unanswered / requests;
  if (unanswered < LIMIT.unanswered || ratio < LIMIT.unansweredRatio) return [];
  const text = `${asked.service} left ${formatCount(unanswered)} of ${formatCounted(requests, "request")} ${asked.operation} (${formatRatio(ratio)}) without an answer.`;
  return [{ severity: ratio >= LIMIT.errorWarning ? "warning" : "notice", weight: unanswered, text }];
}

function slownessOf(asked: Asked): FindingCandidate[] {
  if (total(asked, "answered") < LIMIT.answers) return [];
  const durations = new Durations();
  for (const sum of asked.sums) durations.merge(sum.durations);
  const [p50, p95] = [durations.quantileUs(0.5), durations.quantileUs(0.95)];
  if (p50 === null || p95 === null || p95 / 1e6 < LIMIT.slowSeconds || p95 < p50 * LIMIT.slowTimes) return [];
  const times = p50 > 0 ? `, ${formatTimes(p95 / p50)} the` : " against a";
  const text = `One in 20 answers of ${asked.service} to ${asked.operation} takes ${formatDuration(p95 / 1e6)} or longer${times} median of ${formatDuration(p50 / 1e6)} (${formatCounted(durations.count, "answer")}).`;
  return [{ severity: "notice", weight: p95, text }];
}
