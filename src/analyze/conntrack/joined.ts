/** Joins captured and tracked connections: one row per connection, also after NAT. */
import { ConntrackStatus, EntryMeta, Value, Word } from "../../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { protocolName } from "../../net.js";
import type { Cause, EntryRef, Evidence, Judgement, Verdict } from "../evidence.js";
import type { FlowTable } from "../flow/flows.js";
import { HeadOrder } from "../flow/head-order.js";
import type { Cell, Column, Conntrack, Row, Table } from "../snapshot/snapshot.js";
import { createTable } from "../tables/table.js";
import { natLabel } from "./connections.js";
import { ENTRY_COLUMNS, type EndNames, NO_PORT } from "./ends.js";

const COLUMNS: readonly Column[] = [
  { name: "verdict", title: "Seen by", kind: "text" },
  { name: "cause", title: "Likely cause", kind: "text" },
  ...ENTRY_COLUMNS,
  { name: "legs", title: "Conversations", kind: "count" },
  { name: "packets", title: "Packets", kind: "packets" },
  { name: "bytes", title: "Bytes", kind: "bytes" },
  { name: "tracked_packets", title: "Tracked packets", kind: "packets" },
  { name: "tracked_bytes", title: "Tracked IP bytes", kind: "bytes" },
];

const NONE = -1;

/** Conversations joined by an entry, entries without packets, and untracked conversations; numbered as found. */
class Items {
  count = 0;
  /** Or -1. */
  readonly entry: Int32Array;
  /** Of an item without an entry. */
  readonly flow: Int32Array;
  readonly legs: Int32Array;
  readonly packets: Float64Array;
  readonly bytes: Float64Array;
  /** Both directions, as connection tracking counted them; NaN: it did not. */
  readonly trackedPackets: Float64Array;
  readonly trackedBytes: Float64Array;

  constructor(most: number) {
    this.entry = new Int32Array(most).fill(NONE);
    this.flow = new Int32Array(most).fill(NONE);
    this.legs = new Int32Array(most);
    this.packets = new Float64Array(most);
    this.bytes = new Float64Array(most);
    this.trackedPackets = new Float64Array(most).fill(Number.NaN);
    this.trackedBytes = new Float64Array(most).fill(Number.NaN);
  }

  addLeg(item: number, flows: FlowTable, flow: number): void {
    this.legs[item] = this.legs[item]! + 1;
    this.packets[item] = this.packets[item]! + flows.packets(flow, false) + flows.packets(flow, true);
    this.bytes[item] = this.bytes[item]! + flows.bytes(flow, false) + flows.bytes(flow, true);
  }
}

/** Most bytes on the wire first, then most tracked; equal ones as they were found. */
export function buildJoined(flows: FlowTable, evidence: Evidence, ends: EndNames): Table {
  const items = joinItems(flows, evidence);
  const { count, bytes, trackedBytes } = items;
  const order = new HeadOrder(
    count,
    (x, y) => bytes[y]! - bytes[x]! || (trackedBytes[y] || 0) - (trackedBytes[x] || 0),
  );
  const sum = (column: Int32Array | Float64Array) => {
    let total = 0;
    for (let item = 0; item < count; item++) total += column[item] || 0;
    return total;
  };
  const title = "Connections, on the wire and tracked";
  return createTable({
    name: "joined",
    title,
    subject: "tracking",
    top: 0,
    columns: COLUMNS,
    length: count,
    rowAt: (i) => rowOf(items, order.at(i), flows, evidence, ends),
    other: null,
    omitted: 0,
    total: {
      legs: sum(items.legs),
      packets: sum(items.packets),
      bytes: sum(bytes),
      tracked_packets: sum(items.trackedPackets),
      tracked_bytes: sum(trackedBytes),
    },
  });
}

function joinItems(flows: FlowTable, evidence: Evidence): Items {
  const items = new Items(flows.count + evidence.entries);
  const itemOfEntry = new Int32Array(evidence.entries).fill(NONE);
  for (let flow = 0; flow < flows.count; flow++) {
    if (evidence.entryOf(flow) >= 0) continue;
    const item = items.count++;
    items.flow[item] = flow;
    items.addLeg(item, flows, flow);
  }
  for (let entry = 0; entry < evidence.entries; entry++) {
    const item = items.count++;
    itemOfEntry[entry] = item;
    items.entry[item] = entry;
    items.trackedPackets[item] =
      evidence.number(entry, Value.origPackets) + evidence.number(entry, Value.replyPackets);
    items.trackedBytes[item] =
      evidence.number(entry, Value.origBytes) + evidence.number(entry, Value.replyBytes);
  }
  for (let flow = 0; flow < flows.count; flow++) {
    const entry = evidence.entryOf(flow);
    if (entry >= 0) items.addLeg(itemOfEntry[entry]!, flows, flow);
  }
  return items;
}

function rowOf(items: Items, item: number, flows: FlowTable, evidence: Evidence, ends: EndNames): Row {
  const wire = { legs: items.legs[item]!, packets: items.packets[item]!, bytes: items.bytes[item]! };
  const entry = items.entry[item]!;
  if (entry === NONE) {
    const flow = items.flow[item]!;
    const judgement = evidence.judge(flow);
    return {
      verdict: judgement?.verdict ?? null,
      cause: judgement?.cause ?? null,
      ...untracked(flows, flow, ends),
      ...wire,
    };
  }
  const cause = evidence.unseenCause(entry);
  const counted = !Number.isNaN(items.trackedPackets[item]!);
  return {
    verdict: cause === null ? "both" : "conntrack-only",
    cause,
    ...describeEntry(evidence.entry(entry), ends),
    ...wire,
    tracked_packets: counted ? items.trackedPackets[item]! : null,
    tracked_bytes: counted ? items.trackedBytes[item]! : null,
  };
}

function untracked(flows: FlowTable, flow: number, ends: EndNames): Row {
  const origIsB = flows.isBegunByB(flow);
  const { protocol, version, sourcePort, destinationPort } = flows.read(flow);
  return {
    netns: null,
    transport: protocolName(protocol, version),
    state: null,
    source: ends.label(flows.addressText(flow, origIsB), sourcePort),
    source_port: sourcePort,
    destination: ends.label(flows.addressText(flow, !origIsB), destinationPort),
    destination_port: destinationPort,
    nat: null,
    server: null,
    server_port: null,
    seen_as: null,
    seen_as_port: null,
    tracked_packets: null,
    tracked_bytes: null,
  };
}

function describeEntry({ namespace, entry }: EntryRef, ends: EndNames): Row {
  const { entries, netns } = namespace;
  const { words } = entries;
  const at = entry * Word.count;
  const meta = words[at + Word.meta]!;
  const ipv6 = (meta & EntryMeta.ipv6) !== 0;
  const hasPorts = (meta & EntryMeta.ports) !== 0;
  const port = (ports: Word, shift: number) => (hasPorts ? (words[at + ports]! >>> shift) & 0xffff : NO_PORT);
  const label = (address: Word, ofPort: number) =>
    ends.labelText(ends.labelId(ends.addressId(words, at + address, ipv6), ofPort));
  const cell = (ofPort: number) => (ofPort === NO_PORT ? null : ofPort);
  const [sourcePort, destinationPort] = [port(Word.origPorts, 16), port(Word.origPorts, 0)];
  const [serverPort, seenAsPort] = [port(Word.replyPorts, 16), port(Word.replyPorts, 0)];
  return {
    netns,
    transport: protocolName(meta & EntryMeta.protocolMask, ipv6 ? 6 : 4),
    state: entries.stateName(entry),
    source: label(Word.origSource, sourcePort),
    source_port: cell(sourcePort),
    destination: label(Word.origDestination, destinationPort),
    destination_port: cell(destinationPort),
    nat: natLabel(words[at + Word.status]!),
    server: label(Word.replySource, serverPort),
    server_port: cell(serverPort),
    seen_as: label(Word.replyDestination, seenAsPort),
    seen_as_port: cell(seenAsPort),
  };
}

/** The columns that a conversation has beside its own where there is evidence. */
export const EVIDENCE_COLUMNS: readonly Column[] = [
  { name: "verdict", title: "Seen by", kind: "text", priority: 3 },
  { name: "cause", title: "Likely cause", kind: "text" },
  { name: "nat", title: "NAT", kind: "text", priority: 4 },
  { name: "nat_source", title: "Source before NAT", kind: "text" },
  { name: "nat_destination", title: "Destination asked", kind: "text" },
  { name: "nat_server", title: "Answered by", kind: "text" },
  { name: "nat_seen_as", title: "Source seen as", kind: "text" },
];

/**
 * Puts those cells into a conversation's row and gives it; null for what cannot be told or does not apply. Ends are
 * `address:port`. The row is not spread into another: that costs more than all the rest of it.
 */
export function addEvidence(row: Record<string, Cell>, judgement: Judgement | null): Row {
  const tracked = judgement?.tracked ?? null;
  const status = tracked?.namespace.entries.word(tracked.entry, Word.status) ?? 0;
  const end = (address: Word, ports: Word, shift: number): string | null => {
    if (!tracked || (status & NAT) === 0) return null;
    const { entries } = tracked.namespace;
    const text = entries.addressText(tracked.entry, address);
    if ((entries.word(tracked.entry, Word.meta) & EntryMeta.ports) === 0) return text;
    const port = (entries.word(tracked.entry, ports) >>> shift) & 0xffff;
    return text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`;
  };
  row.verdict = judgement?.verdict ?? null;
  row.cause = judgement?.cause ?? null;
  row.nat = natLabel(status);
  row.nat_source = end(Word.origSource, Word.origPorts, 16);
  row.nat_destination = end(Word.origDestination, Word.origPorts, 0);
  row.nat_server = end(Word.replySource, Word.replyPorts, 16);
  row.nat_seen_as = end(Word.replyDestination, Word.replyPorts, 0);
  return row;
}

const NAT = ConntrackStatus.sourceNat | ConntrackStatus.destinationNat;

/** Number of conversations, or entries without packets, per verdict; the largest first. */
export function countVerdicts(flows: FlowTable, evidence: Evidence): Conntrack["evidence"] {
  const counts = new Map<string, { verdict: Verdict; cause: Cause | null; count: number; bytes: number }>();
  const count = (verdict: Verdict, cause: Cause | null, bytes: number) => {
    const key = cause === null ? verdict : `${verdict} ${cause}`;
    const sum = counts.get(key) ?? { verdict, cause, count: 0, bytes: 0 };
    if (sum.count === 0) counts.set(key, sum);
    sum.count++;
    sum.bytes += bytes;
  };
  for (let flow = 0; flow < flows.count; flow++) {
    const bytes = flows.bytes(flow, false) + flows.bytes(flow, true);
    if (evidence.entryOf(flow) >= 0) count("both", null, bytes);
    else {
      const judgement = evidence.judge(flow);
      if (judgement) count(judgement.verdict, judgement.cause, bytes);
    }
  }
  for (let entry = 0; entry < evidence.entries; entry++) {
    const cause = evidence.unseenCause(entry);
    if (cause !== null) count("conntrack-only", cause, 0);
  }
  return [...counts.values()].sort(
    (x, y) => y.count - x.count || (`${x.verdict} ${x.cause}` < `${y.verdict} ${y.cause}` ? -1 : 1),
  );
}

/** The Snapshot's summary of each namespace. */
export function summarizeNamespaces(namespaces: readonly ConntrackNamespace[]): Conntrack["namespaces"] {
  return namespaces.map(({ netns, entries, isUnknown, facts, resyncs, failures, odd, problem }) => ({
    netns,
    entries: isUnknown ? null : entries.count + entries.omitted,
    limit: facts?.limit ?? null,
    accounting: facts?.accounting ?? null,
    bridge_ipv4: facts?.bridgeIpv4 ?? null,
    bridge_ipv6: facts?.bridgeIpv6 ?? null,
    resyncs,
    failures,
    malformed: odd,
    problem,
  }));
}
