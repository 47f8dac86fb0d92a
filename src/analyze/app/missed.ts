/** What was not followed of each protocol, by reason: what the tables of operations miss. */
import { APPLICATIONS, type ApplicationName } from "./application.js";

/** Why something was not followed; the number of its text in REASONS. */
export const enum Missed {
  gap = 0,
  unreadable = 1,
  tooLarge = 2,
  givenUp = 3,
  answer = 4,
  requestRoom = 5,
  messageRoom = 6,
  connectionRoom = 7,
  operationRoom = 8,
  outcomeRoom = 9,
  statementRoom = 10,
  pairRoom = 11,
}

/** Each stands behind a number: "2 × gap in the capture". */
const REASONS = [
  "gap in the capture",
  "unreadable message",
  "message too large",
  "connection given up",
  "answer without its request",
  "request without room",
  "message without room",
  "connection without room",
  "operation without room",
  "outcome without room",
  "prepared statement without room",
  "pair of services without room",
] as const;

/** Where no protocol is known yet. */
const TCP = "tcp";

export interface MissedCount {
  readonly application: string;
  readonly reason: string;
  readonly count: number;
}

/** Counts by protocol and reason. */
export class MissedCounts {
  readonly #counts = new Float64Array((APPLICATIONS.length + 1) * REASONS.length);

  /** null: no protocol was recognised. */
  add(application: ApplicationName | null, missed: Missed, count = 1): void {
    const place =
      (application === null ? APPLICATIONS.length : APPLICATIONS.indexOf(application)) * REASONS.length;
    this.#counts[place + missed]! += count;
  }

  /** What is not 0, by protocol. */
  list(): MissedCount[] {
    return this.all().filter(({ count }) => count > 0);
  }

  /** Every protocol with every reason: a closed set, as counters want it. */
  all(): MissedCount[] {
    return [...APPLICATIONS, TCP].flatMap((application, i) =>
      REASONS.map((reason, j) => ({ application, reason, count: this.#counts[i * REASONS.length + j]! })),
    );
  }
}
