/** Counts of data that was not followed, by protocol and reason: the gaps of the operation tables. */
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

/** Each follows a number: "2 × gap in the capture". */
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

/** For connections of an unknown protocol. */
const TCP = "tcp";

export interface MissedCount {
  readonly application: string;
  readonly reason: string;
  readonly count: number;
}

/** Counts by protocol and reason. */
export class MissedCounts {
  /** By protocol. As many as there are protocols, and one. */
  readonly #counts = new Map<string, Float64Array>();

  /** null: no protocol was recognised. */
  add(application: string | null, missed: Missed, count = 1): void {
    const name = application ?? TCP;
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = new Float64Array(REASONS.length);
      this.#counts.set(name, counts);
    }
    counts[missed]! += count;
  }

  /** Counts above 0, in the order of `applications`; those of unknown protocols last. */
  list(applications: readonly string[] = [...this.#counts.keys()]): MissedCount[] {
    return this.all(applications).filter(({ count }) => count > 0);
  }

  /** Each of `applications`, and no known protocol, with every reason: a closed set, as counters want it. */
  all(applications: readonly string[]): MissedCount[] {
    return [...applications.filter((name) => name !== TCP), TCP].flatMap((application) =>
      REASONS.map((reason, i) => ({
        application,
        reason,
        count: this.#counts.get(application)?.[i] ?? 0,
      })),
    );
  }
}
