/** Every tracked connection, one row each: both directions joined, translated addresses next to the original ones. */
import {
  ConntrackStatus,
  type ConntrackTable,
  EntryMeta,
  Value,
  Word,
} from "../../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { HeadOrder } from "../flow/head-order.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import { createTable } from "../tables/table.js";
import { describeEnds, ENTRY_COLUMNS, type EndNames } from "./ends.js";

const COLUMNS: readonly Column[] = [
  ...ENTRY_COLUMNS,
  { name: "packets", title: "Packets", kind: "packets" },
  { name: "bytes", title: "IP bytes", kind: "bytes", priority: 2 },
  { name: "reply_packets", title: "Reply packets", kind: "packets" },
  { name: "reply_bytes", title: "Reply IP bytes", kind: "bytes" },
  { name: "timeout", title: "Time left", kind: "seconds", priority: 2 },
  { name: "mark", title: "Mark", kind: "count" },
  { name: "zone", title: "Zone", kind: "count" },
  { name: "source_address", title: "Source address", kind: "text" },
  { name: "destination_address", title: "Destination address", kind: "text" },
  { name: "server_address", title: "Server address", kind: "text" },
  { name: "seen_as_address", title: "Address seen", kind: "text" },
];

/** `DNAT`, `SNAT`, both, or null. */
export function natLabel(status: number): string | null {
  const source = (status & ConntrackStatus.sourceNat) !== 0;
  if ((status & ConntrackStatus.destinationNat) !== 0) return source ? "DNAT+SNAT" : "DNAT";
  return source ? "SNAT" : null;
}

/** Most bytes first where they are counted, then as the kernel listed them: its order is that of a hash. */
export function buildConntrackConnections(namespaces: readonly ConntrackNamespace[], ends: EndNames): Table {
  const length = namespaces.reduce((sum, { entries }) => sum + entries.count, 0);
  const total = { packets: 0, bytes: 0, reply_packets: 0, reply_bytes: 0 };
  for (const { entries } of namespaces) {
    for (let entry = 0; entry < entries.count; entry++) {
      total.packets += entries.number(entry, Value.origPackets) || 0;
      total.bytes += entries.number(entry, Value.origBytes) || 0;
      total.reply_packets += entries.number(entry, Value.replyPackets) || 0;
      total.reply_bytes += entries.number(entry, Value.replyBytes) || 0;
    }
  }
  let order: HeadOrder | null = null;
  const refs = new EntryRefs(namespaces);
  return createTable({
    name: "connections",
    title: "Tracked connections",
    subject: "tracking",
    top: 0,
    columns: COLUMNS,
    length,
    rowAt(i) {
      order ??= orderEntries(refs, length);
      const n = order.at(i);
      return rowOf(refs.namespaceOf(n), refs.entryOf(n), ends);
    },
    other: null,
    omitted: 0,
    total,
  });
}

/** The entries of all namespaces, numbered through. */
class EntryRefs {
  readonly #namespaces: readonly ConntrackNamespace[];
  /** The number of each namespace's first entry. */
  readonly #first: number[] = [];

  constructor(namespaces: readonly ConntrackNamespace[]) {
    this.#namespaces = namespaces;
    let first = 0;
    for (const { entries } of namespaces) {
      this.#first.push(first);
      first += entries.count;
    }
  }

  indexOf(n: number): number {
    let index = this.#first.length - 1;
    while (this.#first[index]! > n) index--;
    return index;
  }

  namespaceOf(n: number): ConntrackNamespace {
    return this.#namespaces[this.indexOf(n)]!;
  }

  entryOf(n: number): number {
    return n - this.#first[this.indexOf(n)]!;
  }
}

function orderEntries(refs: EntryRefs, count: number): HeadOrder {
  const sizes = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const { entries } = refs.namespaceOf(n);
    const entry = refs.entryOf(n);
    sizes[n] = (entries.number(entry, Value.origBytes) || 0) + (entries.number(entry, Value.replyBytes) || 0);
  }
  return new HeadOrder(count, (x, y) => {
    if (sizes[x] !== sizes[y]) return sizes[y]! - sizes[x]!;
    if (refs.indexOf(x) !== refs.indexOf(y)) return 0;
    return compareWords(refs.namespaceOf(x).entries, refs.entryOf(x), refs.entryOf(y));
  });
}

/** By protocol, then by addresses and ports. */
function compareWords({ words }: ConntrackTable, i: number, j: number): number {
  const [x, y] = [i * Word.count, j * Word.count];
  const protocol = EntryMeta.protocolMask | EntryMeta.ipv6;
  const difference = (words[x + Word.meta]! & protocol) - (words[y + Word.meta]! & protocol);
  if (difference !== 0) return difference;
  for (let word = 0; word <= Word.origPorts; word++) {
    const part = (words[x + word]! >>> 0) - (words[y + word]! >>> 0);
    if (part !== 0) return part;
  }
  return 0;
}

function rowOf({ netns, entries }: ConntrackNamespace, entry: number, ends: EndNames): Row {
  const { words } = entries;
  const at = entry * Word.count;
  const counter = (value: Value) => {
    const number = entries.number(entry, value);
    return Number.isNaN(number) ? null : number;
  };
  const timed = (words[at + Word.meta]! & EntryMeta.timeout) !== 0;
  return {
    netns,
    state: entries.stateName(entry),
    nat: natLabel(words[at + Word.status]!),
    ...describeEnds(words, at, ends),
    packets: counter(Value.origPackets),
    bytes: counter(Value.origBytes),
    reply_packets: counter(Value.replyPackets),
    reply_bytes: counter(Value.replyBytes),
    timeout: timed ? words[at + Word.timeout]! >>> 0 : null,
    mark: words[at + Word.mark]! >>> 0,
    zone: words[at + Word.zones]! >>> 16,
  };
}
