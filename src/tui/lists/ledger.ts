/** The gaps of the numbers, in one line. */
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { formatCount, visible } from "../../format.js";
import { captureLosses, captureNotes } from "../../view/completeness.js";
import { isKnown, missingOfRequests, tablesThatMiss } from "../../view/missing.js";
import type { Style } from "../chrome/cells.js";

/** The most important gap first: the end of the line may be cut. */
export function completenessText(snapshot: Snapshot): string {
  const { ledger } = snapshot;
  const losses = captureLosses(ledger).map(({ phrase }) => phrase);
  const some = tablesThatMiss(snapshot).map(({ title }) => title);
  const parts = [
    ...losses,
    ...(some.length > 0 ? [`missing in ${some.join(", ")}`] : []),
    ...(!missingOfRequests(snapshot).some(isKnown) ? [] : ["missing of requests of no known protocol"]),
    ...captureNotes(ledger).map(({ short }) => short),
  ];
  if (losses.length > 0) parts[0] = `INCOMPLETE: ${parts[0]}`;
  else parts.unshift(ledger.dropped === null ? "losses are not known" : "no packet lost");
  return `Ledger      ${visible(parts.join(", "))}`;
}

export function completenessStyle(snapshot: Snapshot): Style {
  if (captureLosses(snapshot.ledger).length > 0) return "bad";
  const misses = tablesThatMiss(snapshot).length + missingOfRequests(snapshot).filter(isKnown).length;
  return misses > 0 ? "warn" : "dim";
}

/** The kernel's drop count for the status line. */
export function dropsText({ ledger }: Snapshot): string {
  return ledger.dropped === null ? "drops unknown" : `${formatCount(ledger.dropped)} dropped`;
}
