/** The known gaps of a Snapshot as sentences for a report. */
import type { Snapshot } from "../analyze/snapshot/snapshot.js";
import { captureLosses, captureNotes } from "../view/completeness.js";
import { cutMiddle } from "../view/cut.js";
import { describeRequests, tablesThatMiss } from "../view/missing.js";

/** Characters of a name that a reason shows. */
const NAME_CHARACTERS = 48;

/** Why the numbers are too small, one phrase per reason; empty: the capture is complete. */
export function findGaps({ ledger }: Snapshot): string[] {
  return captureLosses(ledger, (name) => cutMiddle(name, NAME_CHARACTERS)).map(({ phrase }) => phrase);
}

/** The sentences on completeness of the first page. */
export function describeCompleteness(snapshot: Snapshot): string {
  const { ledger } = snapshot;
  const gaps = findGaps(snapshot);
  const sentences: string[] = [];
  if (gaps.length > 0) sentences.push(`Incomplete: ${gaps.join("; ")}. The true numbers are larger.`);
  else if (ledger.dropped === null)
    sentences.push("No damage; the capture does not say whether packets were lost while it was made.");
  else sentences.push("Complete: no packet lost, no damage.");
  for (const { long } of captureNotes(ledger)) sentences.push(long);
  const requests = describeRequests(snapshot);
  if (requests !== "") sentences.push(requests);
  const some = tablesThatMiss(snapshot).map(({ title }) => title);
  if (some.length > 0) sentences.push(`Something is missing in ${some.join(", ")}, as is said there.`);
  return sentences.join(" ");
}
