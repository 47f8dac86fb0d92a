/** Sentences on the completeness of a capture. missing.ts has the gaps of each table. */
import type { Ledger } from "../analyze/snapshot/snapshot.js";
import { agree, formatBytes, formatCount, formatCounted } from "../format.js";

/** Something in no table because it was not captured. */
export interface Loss {
  /** Singular: it follows `2 ×`. */
  readonly reason: string;
  readonly count: number;
  /** The same with its numbers and names. */
  readonly phrase: string;
}

/** Why every number is too small; empty: nothing is known to be missing. `nameOf`: how names are cut. */
export function captureLosses(ledger: Ledger, nameOf: (name: string) => string = (name) => name): Loss[] {
  const losses: Loss[] = [];
  const dropped = ledger.dropped ?? 0;
  if (dropped > 0)
    losses.push({
      reason: "packet lost while capturing",
      count: dropped,
      phrase: `${formatCounted(dropped, "packet")} lost while capturing`,
    });
  const damaged = ledger.files.filter(({ damage }) => damage !== null);
  const [first] = damaged;
  if (first?.damage)
    losses.push({
      reason: "damaged file",
      count: damaged.length,
      phrase:
        damaged.length > 1
          ? formatCounted(damaged.length, "damaged file")
          : `${nameOf(first.name)} damaged at byte ${formatCount(first.damage.offset)}`,
    });
  for (const { name, ended, outages = 0 } of ledger.interfaces ?? []) {
    const say = (reason: string, count: number, trouble: string) =>
      losses.push({ reason, count, phrase: `${nameOf(name)}: ${trouble}` });
    // Why the source ended or paused.
    if (ended !== null) say("interface that ended", 1, ended);
    else if (outages > 0)
      say(
        "outage of an interface",
        outages,
        `away ${formatCounted(outages, "time")}, packets meanwhile are missing`,
      );
  }
  if (losses.length === 0 && !ledger.complete && (ledger.inspection?.missed ?? []).length === 0)
    losses.push({ reason: "loss without a name", count: 1, phrase: "the capture is known to be incomplete" });
  return losses;
}

/** A remark on complete numbers. */
export interface Note {
  /** A few words. */
  readonly short: string;
  /** A sentence. */
  readonly long: string;
}

export function captureNotes(ledger: Ledger): Note[] {
  const notes: Note[] = [];
  const { evicted, truncated, timeless } = ledger;
  if (evicted !== null && evicted.conversations > 0) {
    const [what, bytes] = [formatCounted(evicted.conversations, "conversation"), formatBytes(evicted.bytes)];
    notes.push({
      short: `${what} only summed (${bytes})`,
      long: `${what} (${bytes}) ${agree(evicted.conversations, "are")} only summed as “other”, again each time for one that continues; packets and bytes stay exact.`,
    });
  }
  if (truncated > 0) {
    const short = `${formatCounted(truncated, "packet")} captured in part`;
    notes.push({ short, long: `${short}; bytes are counted as they were on the wire.` });
  }
  const malformed = ledger.malformed.reduce((sum, { packets }) => sum + packets, 0);
  if (malformed > 0) {
    const what = formatCounted(malformed, "packet");
    notes.push({ short: `${what} malformed`, long: `${what} with a damaged IP header.` });
  }
  if (timeless !== null && timeless > 0) {
    const short = `${formatCounted(timeless, "packet")} without a time`;
    notes.push({ short, long: `${short}.` });
  }
  const tunnels = (ledger.tunnels ?? []).reduce((sum, { packets }) => sum + packets, 0);
  if (tunnels > 0)
    notes.push({ short: `${formatCounted(tunnels, "packet")} in tunnels`, long: describeTunnels(ledger) });
  const entered = describeEntered(ledger);
  if (entered !== "") notes.push({ short: "tunnels entered", long: entered });
  if (ledger.rounded)
    notes.push({ short: "byte counts rounded", long: "Byte counts passed 2^53 and are rounded." });
  const unknown = describeUnknown(ledger);
  if (unknown !== "") notes.push({ short: unknownText(ledger), long: unknown });
  return notes;
}

/** `Not known: how many packets have no time.` Empty where the ledger knows all that it should. */
export function describeUnknown(ledger: Ledger): string {
  const what = unknownText(ledger);
  return what === "" ? "" : `${what[0]!.toUpperCase()}${what.slice(1)}.`;
}

function unknownText({ timeless, evicted, inspection }: Ledger): string {
  const unknown = [
    ...(timeless === null ? ["how many packets have no time"] : []),
    ...(evicted === null ? ["how many conversations are only summed as “other”"] : []),
    ...(inspection === null ? ["what the tables of TCP and of requests miss"] : []),
  ];
  return unknown.length === 0 ? "" : `not known: ${unknown.join(", ")}`;
}

/** `vxlan`, or why it was not entered: `vxlan: unknown protocol inside`. */
export function tunnelText({
  kind,
  reason,
}: {
  readonly kind: string;
  readonly reason?: string | undefined;
}): string {
  return reason === undefined ? kind : `${kind}: ${reason}`;
}

/** `3 packets count by the addresses inside their tunnels (2 vxlan, 1 gre).` Empty where none does. */
export function describeEntered({ decapsulated = [] }: Ledger): string {
  const packets = decapsulated.reduce((sum, of) => sum + of.packets, 0);
  if (packets === 0) return "";
  const kinds = decapsulated.map((of) => `${formatCount(of.packets)} ${of.kind}`).join(", ");
  const where =
    packets === 1
      ? "counts by the addresses inside its tunnel"
      : "count by the addresses inside their tunnels";
  return `${formatCounted(packets, "packet")} ${where} (${kinds}).`;
}

/** `3 packets are in tunnels (2 vxlan, 1 gre): the addresses inside are not in the tables.` Empty where there are none. */
export function describeTunnels({ tunnels = [] }: Ledger): string {
  const packets = tunnels.reduce((sum, of) => sum + of.packets, 0);
  if (packets === 0) return "";
  const kinds = tunnels
    .map(({ packets: count, ...of }) => `${formatCount(count)} ${tunnelText(of)}`)
    .join(", ");
  const where = packets === 1 ? "a tunnel" : "tunnels";
  return `${formatCounted(packets, "packet")} ${agree(packets, "are")} in ${where} (${kinds}): the addresses inside are not in the tables.`;
}
