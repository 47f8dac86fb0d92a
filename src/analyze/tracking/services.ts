/** Tracked connections by service and state, and by protocol and state. */
import { ConntrackStatus, EntryMeta, Value, Word } from "../../capture/conntrack-table.js";
import type { TrackedNamespace } from "../../capture/tracker.js";
import { protocolName } from "../../net.js";
import type { Cell, Column, Row, Table } from "../snapshot.js";
import { createTable } from "../tables/table.js";
import type { EndNames } from "./ends.js";

const SERVICE_COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "source", title: "Source", kind: "text" },
  { name: "destination", title: "Destination", kind: "text" },
  { name: "transport", title: "Transport", kind: "text" },
  { name: "port", title: "Port", kind: "port" },
  { name: "state", title: "State", kind: "text" },
  { name: "connections", title: "Connections", kind: "count" },
  { name: "assured", title: "Assured", kind: "count" },
  { name: "packets", title: "Packets", kind: "packets" },
  { name: "bytes", title: "Bytes", kind: "bytes" },
];

const STATE_COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "transport", title: "Transport", kind: "text" },
  { name: "state", title: "State", kind: "text" },
  { name: "connections", title: "Connections", kind: "count" },
];

/** Rows that are summed by a key. */
interface Sum {
  readonly cells: Readonly<Record<string, Cell>>;
  connections: number;
  assured: number;
  /** Of the entries that have counters; null: none has. */
  packets: number | null;
  bytes: number | null;
}

/** Most connections first; equal ones by their texts, in the order of the columns. */
export function compareRows(x: Row, y: Row): number {
  const difference = Number(y.connections) - Number(x.connections);
  if (difference !== 0) return difference;
  for (const [name, a] of Object.entries(x)) {
    const b = y[name] ?? null;
    if (a === b) continue;
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a) < String(b) ? -1 : 1;
  }
  return 0;
}

/** A table of rows that are there already; the columns named in `summed` are added up, null counting nothing. */
export function tableOfRows(
  name: string,
  title: string,
  columns: readonly Column[],
  rows: readonly Row[],
  summed: readonly string[],
): Table {
  const total: Record<string, number> = {};
  for (const column of summed) total[column] = rows.reduce((sum, row) => sum + Number(row[column] ?? 0), 0);
  return createTable({
    name,
    title,
    columns,
    length: rows.length,
    rowAt: (i) => rows[i]!,
    other: null,
    omitted: 0,
    total,
  });
}

/** Who asks whom: after DNAT the destination is the server that answers, not the address that was asked. */
export function buildTrackedServices(namespaces: readonly TrackedNamespace[], ends: EndNames): Table {
  const rows: Row[] = [];
  for (const { netns, entries } of namespaces) {
    const sums = new Map<string, Sum>();
    const { words } = entries;
    for (let entry = 0; entry < entries.count; entry++) {
      const at = entry * Word.count;
      const meta = words[at + Word.meta]!;
      const ipv6 = (meta & EntryMeta.ipv6) !== 0;
      const hasPorts = (meta & EntryMeta.ports) !== 0;
      const port = hasPorts ? words[at + Word.replyPorts]! >>> 16 : null;
      const sourcePort = hasPorts ? words[at + Word.origPorts]! >>> 16 : null;
      const source = ends.label(ends.address(words, at + Word.origSource, ipv6), sourcePort);
      const destination = ends.label(ends.address(words, at + Word.replySource, ipv6), port);
      const state = entries.stateName(entry);
      const protocol = meta & (EntryMeta.protocolMask | EntryMeta.ipv6);
      const key = `${protocol} ${port} ${state} ${source}\n${destination}`;
      let sum = sums.get(key);
      if (!sum) {
        const transport = protocolName(protocol & EntryMeta.protocolMask, ipv6 ? 6 : 4);
        const cells = { netns, source, destination, transport, port, state };
        sum = { cells, connections: 0, assured: 0, packets: null, bytes: null };
        sums.set(key, sum);
      }
      sum.connections++;
      if ((words[at + Word.status]! & ConntrackStatus.assured) !== 0) sum.assured++;
      addCounters(sum, entries.numbers, entry * Value.count);
    }
    for (const { cells, ...counts } of sums.values()) rows.push({ ...cells, ...counts });
  }
  rows.sort(compareRows);
  const summed = ["connections", "assured", "packets", "bytes"];
  return tableOfRows("services", "Tracked connections by service", SERVICE_COLUMNS, rows, summed);
}

/** Adds both directions of an entry that has counters. */
export function addCounters(
  sum: { packets: number | null; bytes: number | null },
  numbers: Float64Array,
  at: number,
): void {
  const packets = numbers[at + Value.origPackets]!;
  if (Number.isNaN(packets)) return;
  sum.packets = (sum.packets ?? 0) + packets + numbers[at + Value.replyPackets]!;
  sum.bytes = (sum.bytes ?? 0) + numbers[at + Value.origBytes]! + numbers[at + Value.replyBytes]!;
}

export function buildStates(namespaces: readonly TrackedNamespace[]): Table {
  const rows: Row[] = [];
  for (const { netns, entries } of namespaces) {
    const counts = new Map<string, { transport: string; state: string; connections: number }>();
    for (let entry = 0; entry < entries.count; entry++) {
      const meta = entries.word(entry, Word.meta);
      const state = entries.stateName(entry);
      const key = `${meta & (EntryMeta.protocolMask | EntryMeta.ipv6)} ${state}`;
      const found = counts.get(key);
      if (found) found.connections++;
      else {
        const version = (meta & EntryMeta.ipv6) === 0 ? 4 : 6;
        const transport = protocolName(meta & EntryMeta.protocolMask, version);
        counts.set(key, { transport, state, connections: 1 });
      }
    }
    const merged = new Map<string, Row>();
    for (const { transport, state, connections } of counts.values()) {
      const key = `${transport} ${state}`;
      const before = Number(merged.get(key)?.connections ?? 0);
      merged.set(key, { netns, transport, state, connections: before + connections });
    }
    rows.push(...merged.values());
  }
  rows.sort(compareRows);
  return tableOfRows("states", "Tracked connections by state", STATE_COLUMNS, rows, ["connections"]);
}
