/** Translated connections: the original destination, the real server, and the translated source. */
import { ConntrackStatus, EntryMeta, Value, Word } from "../../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { protocolName } from "../../net.js";
import type { Cell, Column, Table } from "../snapshot/snapshot.js";
import { natLabel } from "./connections.js";
import { type EndNames, NO_PORT } from "./ends.js";
import { firstOf } from "./services.js";
import { Sums } from "./sums.js";

const COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "nat", title: "NAT", kind: "text", priority: 1 },
  { name: "transport", title: "Transport", kind: "text" },
  { name: "source", title: "Source", kind: "text", priority: 1 },
  { name: "seen_as", title: "Source seen as", kind: "text", priority: 1 },
  { name: "destination", title: "Destination", kind: "text", priority: 1, with: "destination_port" },
  { name: "destination_port", title: "Port", kind: "port" },
  { name: "server", title: "Answered by", kind: "text", priority: 1, with: "server_port" },
  { name: "server_port", title: "Port", kind: "port" },
  { name: "connections", title: "Connections", kind: "count", priority: 2 },
  { name: "packets", title: "Packets", kind: "packets" },
  { name: "bytes", title: "IP bytes", kind: "bytes" },
  { name: "source_address", title: "Source address", kind: "text" },
  { name: "seen_as_address", title: "Address seen", kind: "text" },
  { name: "destination_address", title: "Destination address", kind: "text" },
  { name: "server_address", title: "Server address", kind: "text" },
];

const enum Key {
  namespace = 0,
  /** Bits of ConntrackStatus. */
  nat = 1,
  /** Bits of EntryMeta. */
  protocol = 2,
  sourceLabel = 3,
  source = 4,
  destination = 5,
  destinationPort = 6,
  server = 7,
  serverPort = 8,
  seenAsLabel = 9,
  seenAs = 10,
  count = 11,
}

const NAT = ConntrackStatus.sourceNat | ConntrackStatus.destinationNat;
const PROTOCOL = EntryMeta.protocolMask | EntryMeta.ipv6;

/** A row for each translation; connections that differ in the source's port alone are one row. */
export function buildNat(namespaces: readonly ConntrackNamespace[], ends: EndNames): Table {
  const sums = new Sums(Key.count);
  for (const { netns, entries } of namespaces) {
    sums.key[Key.namespace] = firstOf(namespaces, netns);
    for (let entry = 0; entry < entries.count; entry++) {
      if ((entries.word(entry, Word.status) & NAT) === 0) continue;
      setKey(sums.key, entries.words, entry * Word.count, ends);
      sums.addCounters(sums.add(), entries.numbers, entry * Value.count);
    }
  }
  const parts = partsOf(sums, namespaces, ends);
  return sums.table("nat", "Translated connections", COLUMNS, {
    top: 10,
    counted: ["connections", "packets", "bytes"],
    cells: (row) => Object.fromEntries(parts.map(([name, cell]) => [name, cell(row)])),
    texts: parts.map(
      ([, cell]) =>
        (row) =>
          String(cell(row) ?? ""),
    ),
  });
}

function setKey(key: Int32Array, words: Int32Array, at: number, ends: EndNames): void {
  const meta = words[at + Word.meta]!;
  const ipv6 = (meta & EntryMeta.ipv6) !== 0;
  const port = (ports: Word, shift: number) =>
    (meta & EntryMeta.ports) === 0 ? NO_PORT : (words[at + ports]! >>> shift) & 0xffff;
  key[Key.nat] = words[at + Word.status]! & NAT;
  key[Key.protocol] = meta & PROTOCOL;
  const source = ends.addressId(words, at + Word.origSource, ipv6);
  key[Key.source] = source;
  key[Key.sourceLabel] = ends.labelId(source, port(Word.origPorts, 16));
  key[Key.destination] = ends.addressId(words, at + Word.origDestination, ipv6);
  key[Key.destinationPort] = port(Word.origPorts, 0);
  key[Key.server] = ends.addressId(words, at + Word.replySource, ipv6);
  key[Key.serverPort] = port(Word.replyPorts, 16);
  const seenAs = ends.addressId(words, at + Word.replyDestination, ipv6);
  key[Key.seenAs] = seenAs;
  key[Key.seenAsLabel] = ends.labelId(seenAs, port(Word.replyPorts, 0));
}

/** The cells of a row that are not counted, in the order in which rows are compared by them. */
function partsOf(
  sums: Sums,
  namespaces: readonly ConntrackNamespace[],
  ends: EndNames,
): readonly (readonly [name: string, cell: (row: number) => Cell])[] {
  const port = (key: Key) => (row: number) => {
    const number = sums.keyOf(row, key);
    return number === NO_PORT ? null : number;
  };
  const address = (key: Key) => (row: number) => ends.addressText(sums.keyOf(row, key));
  const known = (key: Key) => (row: number) => ends.labelText(sums.keyOf(row, key));
  const label = (key: Key, atPort: Key) => (row: number) =>
    ends.labelText(ends.labelId(sums.keyOf(row, key), sums.keyOf(row, atPort)));
  return [
    ["netns", (row) => namespaces[sums.keyOf(row, Key.namespace)]!.netns],
    ["nat", (row) => natLabel(sums.keyOf(row, Key.nat))],
    ["transport", (row) => transportOf(sums.keyOf(row, Key.protocol))],
    ["source", known(Key.sourceLabel)],
    ["source_address", address(Key.source)],
    ["destination", label(Key.destination, Key.destinationPort)],
    ["destination_port", port(Key.destinationPort)],
    ["destination_address", address(Key.destination)],
    ["server", label(Key.server, Key.serverPort)],
    ["server_port", port(Key.serverPort)],
    ["server_address", address(Key.server)],
    ["seen_as", known(Key.seenAsLabel)],
    ["seen_as_address", address(Key.seenAs)],
  ];
}

function transportOf(protocol: number): string {
  return protocolName(protocol & EntryMeta.protocolMask, (protocol & EntryMeta.ipv6) === 0 ? 4 : 6);
}
