/** What the wire and connection tracking saw together: one connection is one row, however often it was translated on its way. */
import { ConntrackStatus, EntryMeta, Value, Word } from "../../capture/conntrack/conntrack-table.js";
import type { TrackedNamespace } from "../../capture/conntrack/tracker.js";
import { protocolName } from "../../net.js";
import type { EntryRef, Evidence, Judgement } from "../evidence.js";
import type { FlowTable } from "../flows.js";
import { Groups } from "../groups.js";
import type { Column, Conntrack, Row, Table } from "../snapshot.js";
import { createTable } from "../tables/table.js";
import { natLabel } from "./connections.js";
import { ENTRY_COLUMNS, type EndNames } from "./ends.js";

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

const SUMMED = ["legs", "packets", "bytes", "tracked_packets", "tracked_bytes"];

/** A conversation or several that one entry joins, an entry nobody saw, or a conversation nobody tracked. */
interface Item {
  readonly entry: number | null;
  readonly flow: number | null;
  legs: number;
  packets: number;
  bytes: number;
}

/** Most bytes on the wire first, then most tracked; equal ones as they were found. */
export function buildJoined(flows: FlowTable, evidence: Evidence, ends: EndNames): Table {
  const items = joinItems(flows, evidence);
  const tracked = (item: Item) =>
    item.entry === null ? 0 : (countersOf(evidence.entry(item.entry)).bytes ?? 0);
  items.sort((x, y) => y.bytes - x.bytes || tracked(y) - tracked(x));
  const rowAt = (i: number) => rowOf(items[i]!, flows, evidence, ends);
  const total: Record<string, number> = Object.fromEntries(SUMMED.map((name) => [name, 0]));
  for (const item of items) {
    const counters = item.entry === null ? null : countersOf(evidence.entry(item.entry));
    total.legs = total.legs! + item.legs;
    total.packets = total.packets! + item.packets;
    total.bytes = total.bytes! + item.bytes;
    total.tracked_packets = total.tracked_packets! + (counters?.packets ?? 0);
    total.tracked_bytes = total.tracked_bytes! + (counters?.bytes ?? 0);
  }
  const title = "Connections, on the wire and tracked";
  return createTable({
    name: "joined",
    title,
    columns: COLUMNS,
    length: items.length,
    rowAt,
    other: null,
    omitted: 0,
    total,
  });
}

function joinItems(flows: FlowTable, evidence: Evidence): Item[] {
  const items: Item[] = [];
  const legs = new Groups(flows.count);
  for (let flow = 0; flow < flows.count; flow++) {
    const entry = evidence.entryOf(flow);
    if (entry >= 0) legs.add(entry, flow);
    else items.push(addLeg({ entry: null, flow, legs: 0, packets: 0, bytes: 0 }, flows, flow));
  }
  for (let entry = 0; entry < evidence.entries; entry++) {
    const item: Item = { entry, flow: null, legs: 0, packets: 0, bytes: 0 };
    for (let flow = legs.first(entry); flow >= 0; flow = legs.next(flow)) addLeg(item, flows, flow);
    items.push(item);
  }
  return items;
}

function addLeg(item: Item, flows: FlowTable, flow: number): Item {
  item.legs++;
  item.packets += flows.packets(flow, false) + flows.packets(flow, true);
  item.bytes += flows.bytes(flow, false) + flows.bytes(flow, true);
  return item;
}

function rowOf(item: Item, flows: FlowTable, evidence: Evidence, ends: EndNames): Row {
  const wire = { legs: item.legs, packets: item.packets, bytes: item.bytes };
  if (item.entry === null) {
    const judgement = evidence.judge(item.flow!);
    return {
      verdict: judgement?.verdict ?? null,
      cause: judgement?.cause ?? null,
      ...untracked(flows, item.flow!, ends),
      ...wire,
    };
  }
  const cause = evidence.unseenCause(item.entry);
  const ref = evidence.entry(item.entry);
  const { packets, bytes } = countersOf(ref);
  return {
    verdict: cause === null ? "both" : "conntrack-only",
    cause,
    ...describeEntry(ref, ends),
    ...wire,
    tracked_packets: packets,
    tracked_bytes: bytes,
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
  const read = entries.read(entry);
  const label = (address: string, port: number | null) => ends.label(address, port);
  return {
    netns,
    transport: protocolName(read.protocol, read.version),
    state: entries.stateName(entry),
    source: label(read.orig.source, read.orig.sourcePort),
    source_port: read.orig.sourcePort,
    destination: label(read.orig.destination, read.orig.destinationPort),
    destination_port: read.orig.destinationPort,
    nat: natLabel(entries.word(entry, Word.status)),
    server: label(read.reply.source, read.reply.sourcePort),
    server_port: read.reply.sourcePort,
    seen_as: label(read.reply.destination, read.reply.destinationPort),
    seen_as_port: read.reply.destinationPort,
  };
}

/** Both directions; null: accounting was off. */
function countersOf({ namespace, entry }: EntryRef): { packets: number | null; bytes: number | null } {
  const number = (value: Value) => namespace.entries.number(entry, value);
  const packets = number(Value.origPackets) + number(Value.replyPackets);
  const bytes = number(Value.origBytes) + number(Value.replyBytes);
  return Number.isNaN(packets) ? { packets: null, bytes: null } : { packets, bytes };
}

/** The columns that a conversation has beside its own where there is evidence. */
export const EVIDENCE_COLUMNS: readonly Column[] = [
  { name: "verdict", title: "Seen by", kind: "text" },
  { name: "cause", title: "Likely cause", kind: "text" },
  { name: "nat", title: "NAT", kind: "text" },
  { name: "nat_source", title: "Source before NAT", kind: "text" },
  { name: "nat_destination", title: "Destination asked", kind: "text" },
  { name: "nat_server", title: "Answered by", kind: "text" },
  { name: "nat_seen_as", title: "Source seen as", kind: "text" },
];

/** Those cells of a conversation; null for what cannot be told or does not apply. Ends are `address:port`. */
export function evidenceCells(judgement: Judgement | null): Row {
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
  return {
    verdict: judgement?.verdict ?? null,
    cause: judgement?.cause ?? null,
    nat: natLabel(status),
    nat_source: end(Word.origSource, Word.origPorts, 16),
    nat_destination: end(Word.origDestination, Word.origPorts, 0),
    nat_server: end(Word.replySource, Word.replyPorts, 16),
    nat_seen_as: end(Word.replyDestination, Word.replyPorts, 0),
  };
}

const NAT = ConntrackStatus.sourceNat | ConntrackStatus.destinationNat;

/** How many conversations, or entries nobody saw, got each verdict; those with most first. */
export function countVerdicts(flows: FlowTable, evidence: Evidence): Conntrack["evidence"] {
  const counts = new Map<string, Conntrack["evidence"][number]>();
  const count = (verdict: Judgement["verdict"], cause: Judgement["cause"], bytes: number) => {
    const key = `${verdict} ${cause}`;
    const sum = counts.get(key) ?? { verdict, cause, count: 0, bytes: 0 };
    counts.set(key, { ...sum, count: sum.count + 1, bytes: sum.bytes + bytes });
  };
  for (let flow = 0; flow < flows.count; flow++) {
    const judgement = evidence.judge(flow);
    if (judgement)
      count(judgement.verdict, judgement.cause, flows.bytes(flow, false) + flows.bytes(flow, true));
  }
  for (let entry = 0; entry < evidence.entries; entry++) {
    const cause = evidence.unseenCause(entry);
    if (cause !== null) count("conntrack-only", cause, 0);
  }
  return [...counts.values()].sort(
    (x, y) => y.count - x.count || (`${x.verdict} ${x.cause}` < `${y.verdict} ${y.cause}` ? -1 : 1),
  );
}

/** What is said of each namespace in the Snapshot. */
export function summarizeNamespaces(namespaces: readonly TrackedNamespace[]): Conntrack["namespaces"] {
  return namespaces.map(({ netns, entries, facts, resyncs, failures, odd, problem }) => ({
    netns,
    entries: entries.count + entries.omitted,
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
