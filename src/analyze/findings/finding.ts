/** Findings of one kind: the worst are said one by one, the rest is counted. */
import { formatCount, formatCounted } from "../../format.js";
import type { Finding } from "../snapshot/snapshot.js";

/** Said one by one of each kind. */
export const MAX_OF_A_KIND = 3;

/** A possible finding and its weight. */
export interface FindingCandidate {
  readonly severity: Finding["severity"];
  /** Larger is worse; only compared within a kind. */
  readonly weight: number;
  readonly text: string;
}

/** The worst candidates as findings, and the number of further ones. `noun`: the subject of a candidate. */
export function sayWorst(code: string, noun: string, candidates: readonly FindingCandidate[]): Finding[] {
  const order = [...candidates].sort(
    (x, y) => y.weight - x.weight || (x.text < y.text ? -1 : x.text > y.text ? 1 : 0),
  );
  const said = order.slice(0, MAX_OF_A_KIND);
  const left = order.length - said.length;
  const more = left === 0 ? "" : ` (and ${formatCounted(left, `more ${noun}`)})`;
  return said.map(({ severity, text }, i) => ({
    code,
    severity,
    text: i === said.length - 1 && more !== "" ? `${text.slice(0, -1)}${more}.` : text,
  }));
}

/** `40 times`, `2.5 times`. */
export function formatTimes(ratio: number): string {
  return `${ratio >= 9.95 ? formatCount(ratio) : ratio.toFixed(1)} times`;
}
