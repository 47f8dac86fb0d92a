/** How often each outcome came: what tables and findings make of them. */
import type { Cell } from "../snapshot/snapshot.js";
import type { Outcome, OutcomeColumn } from "./application.js";

/** Answers by their outcome, a number that the protocol gives a meaning. */
export type OutcomeCounts = ReadonlyMap<number, number>;

/** How many answers had an outcome that `is` wants. */
export function countOutcomes(outcomes: OutcomeCounts, is: (outcome: number) => boolean): number {
  let count = 0;
  for (const [outcome, n] of outcomes) if (is(outcome)) count += n;
  return count;
}

/** The outcome that most answers had, among those that `is` wants; of equal ones the least; null: none had. */
export function commonestOutcome(outcomes: OutcomeCounts, is: (outcome: number) => boolean): number | null {
  let best: number | null = null;
  for (const [outcome, n] of outcomes) {
    if (!is(outcome)) continue;
    const most = best === null ? -1 : outcomes.get(best)!;
    if (n > most || (n === most && outcome < best!)) best = outcome;
  }
  return best;
}

/** The outcome that most of the answers had that count as errors; null: none does. */
export function commonestError(outcomes: OutcomeCounts, { isError, word }: Outcome): string | null {
  const outcome = commonestOutcome(outcomes, isError);
  return outcome === null ? null : word(outcome);
}

/** The column that says it. */
export function commonestErrorColumn(outcome: Outcome, title = "Commonest error"): OutcomeColumn {
  const value = (outcomes: OutcomeCounts): Cell => commonestError(outcomes, outcome);
  return { name: "error", title, kind: "text", value };
}
