/** One sentence on how many conversations the wire and connection tracking saw. */
import type { Conntrack } from "../analyze/snapshot/snapshot.js";
import { formatCount, formatCounted } from "../format.js";

const CAUSES: Readonly<Record<string, string>> = {
  "wire-only same-bridge": "br_netfilter is off, so what the bridge switches is not tracked",
  "wire-only no-tracking": "no rule makes the kernel track here",
  "wire-only between-polls": "over before the table was read, or begun after",
  "wire-only other-namespace": "their namespace was not asked",
  "wire-only untracked": "a rule exempts them, or they never reached the IP layer",
  "conntrack-only other-namespace": "tracked in another namespace",
  "conntrack-only other-interface": "on another interface",
  "conntrack-only began-before": "idle since before the capture",
  "conntrack-only after-capture": "their packets came later",
  "conntrack-only capture-gap": "packets were lost or left out by a filter",
  "conntrack-only unexplained": "not explained",
};
const WORDS = { "wire-only": "on the wire only", "conntrack-only": "tracked only" } as const;

/** `Seen by both 80, on the wire only 20: br_netfilter is off, ... (20).` */
export function describeEvidence({ evidence, counted }: Conntrack): string {
  const of = (verdict: string) => evidence.filter((one) => one.verdict === verdict);
  const sum = (verdict: string) => of(verdict).reduce((total, { count }) => total + count, 0);
  const parts = [`Seen by both ${formatCount(sum("both"))}`];
  for (const verdict of ["wire-only", "conntrack-only"] as const) {
    if (sum(verdict) === 0) continue;
    const causes = of(verdict).map(({ cause, count }, _, all) => {
      const words = CAUSES[`${verdict} ${cause}`] ?? cause ?? "not explained";
      return all.length > 1 ? `${words} (${formatCount(count)})` : words;
    });
    parts.push(`${WORDS[verdict]} ${formatCount(sum(verdict))}: ${causes.join("; ")}`);
  }
  return `${parts.join(", ")}.${counted ? ` ${describeCounted(counted)}` : ""}`;
}

function describeCounted({
  connections,
  packets,
  tracked_packets,
}: NonNullable<Conntrack["counted"]>): string {
  const of = `Of ${formatCounted(connections, "connection")} seen whole`;
  return `${of}: ${formatCounted(packets, "packet")} on the wire, ${formatCount(tracked_packets)} counted by connection tracking.`;
}
