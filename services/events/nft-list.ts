import { z } from "zod";
import { DIALS, type DropReason, reasonOf } from "../host/rules.js";

/** Packets from one source to one destination since the first note. */
export interface Note {
  readonly family: string;
  readonly reason: DropReason;
  readonly link: string;
  readonly source: string;
  readonly destination: string;
  readonly transport: string;
  readonly port: number;
  readonly packets: number;
}

/** New connections from one source to one destination since the first note. */
export interface DialNote {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly packets: number;
}

/** The content of the lab's tables at one moment. */
export interface Notes {
  readonly notes: readonly Note[];
  readonly dials: readonly DialNote[];
  /** Packets dropped for each reason, noted or not. */
  readonly dropped: ReadonlyMap<DropReason, number>;
}

const packets = z.object({ packets: z.int().nonnegative() });
const element = z.object({
  elem: z.object({ val: z.object({ concat: z.array(z.union([z.string(), z.number()])) }), counter: packets }),
});
const entry = z.object({
  set: z.object({ family: z.string(), name: z.string(), elem: z.array(z.unknown()).optional() }).optional(),
  rule: z
    .object({
      chain: z.string(),
      expr: z.array(z.looseObject({ counter: packets.optional(), drop: z.null().optional() })),
    })
    .optional(),
});
const listing = z.object({ nftables: z.array(entry) });
const noteKey = z.tuple([z.string(), z.ipv4(), z.ipv4(), z.string(), z.int()]);
const dialKey = z.tuple([z.ipv4(), z.ipv4(), z.int()]);

/** Reads what `nft -j list table` printed of each table (libnftables-json(5)). Throws if it is something else. */
export function readNotes(lists: readonly string[]): Notes {
  const notes: Note[] = [];
  const dials: DialNote[] = [];
  const dropped = new Map<DropReason, number>();
  for (const { set, rule } of lists.flatMap((text) => listing.parse(JSON.parse(text)).nftables)) {
    const reason = reasonOf(set?.name ?? rule?.chain ?? "");
    const isDials = set?.name === DIALS;
    for (const { elem } of isDials || reason ? z.array(element).parse(set?.elem ?? []) : []) {
      const { packets } = elem.counter;
      if (isDials) {
        const [source, destination, port] = dialKey.parse(elem.val.concat);
        dials.push({ source, destination, port, packets });
      } else if (reason !== undefined) {
        const [link, source, destination, transport, port] = noteKey.parse(elem.val.concat);
        notes.push({ family: set!.family, reason, link, source, destination, transport, port, packets });
      }
    }
    const drop = rule?.expr.some((statement) => statement.drop === null);
    if (reason === undefined || !drop) continue;
    const count = rule?.expr.find((statement) => statement.counter)?.counter?.packets ?? 0;
    dropped.set(reason, (dropped.get(reason) ?? 0) + count);
  }
  return { notes, dials, dropped };
}
