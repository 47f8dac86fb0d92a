/** Translated connections: what was asked, who answered, and as whom the source was seen. */
import { EntryMeta, Value, Word } from "../../capture/conntrack-table.js";
import type { TrackedNamespace } from "../../capture/tracker.js";
import { protocolName } from "../../net.js";
import type { Column, Row, Table } from "../snapshot.js";
import { natLabel } from "./connections.js";
import type { EndNames } from "./ends.js";
import { addCounters, Sums } from "./sums.js";

const COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "nat", title: "NAT", kind: "text" },
  { name: "transport", title: "Transport", kind: "text" },
  { name: "source", title: "Source", kind: "text" },
  { name: "seen_as", title: "Source seen as", kind: "text" },
  { name: "destination", title: "Destination", kind: "text" },
  { name: "destination_port", title: "Port", kind: "port" },
  { name: "server", title: "Answered by", kind: "text" },
  { name: "server_port", title: "Port", kind: "port" },
  { name: "connections", title: "Connections", kind: "count" },
  { name: "packets", title: "Packets", kind: "packets" },
  { name: "bytes", title: "IP bytes", kind: "bytes" },
  { name: "source_address", title: "Source address", kind: "text" },
  { name: "seen_as_address", title: "Address seen", kind: "text" },
  { name: "destination_address", title: "Destination address", kind: "text" },
  { name: "server_address", title: "Server address", kind: "text" },
];

/** A row for each translation; connections that differ in the source's port alone are one row. */
export function buildNat(namespaces: readonly TrackedNamespace[], ends: EndNames): Table {
  const sums = new Sums(["connections", "packets", "bytes"]);
  for (const { netns, entries } of namespaces) {
    const { words } = entries;
    for (let entry = 0; entry < entries.count; entry++) {
      const at = entry * Word.count;
      const nat = natLabel(words[at + Word.status]!);
      if (nat === null) continue;
      const cells = { netns, nat, ...translation(words, at, ends) };
      const sum = sums.add(Object.values(cells).join("\n"), () => cells);
      addCounters(sum, entries.numbers, entry * Value.count);
    }
  }
  return sums.table("nat", "Translated connections", COLUMNS);
}

function translation(words: Int32Array, at: number, ends: EndNames): Row {
  const meta = words[at + Word.meta]!;
  const ipv6 = (meta & EntryMeta.ipv6) !== 0;
  const [orig, reply] = [words[at + Word.origPorts]!, words[at + Word.replyPorts]!];
  const port = (number: number) => ((meta & EntryMeta.ports) === 0 ? null : number & 0xffff);
  const end = (word: Word, ofPort: number) => {
    const address = ends.address(words, at + word, ipv6);
    return { address, name: ends.label(address, port(ofPort)) };
  };
  const source = end(Word.origSource, orig >>> 16);
  const seenAs = end(Word.replyDestination, reply);
  const destination = end(Word.origDestination, orig);
  const server = end(Word.replySource, reply >>> 16);
  return {
    transport: protocolName(meta & EntryMeta.protocolMask, ipv6 ? 6 : 4),
    source: source.name,
    seen_as: seenAs.name,
    destination: destination.name,
    destination_port: port(orig),
    server: server.name,
    server_port: port(reply >>> 16),
    source_address: source.address,
    seen_as_address: seenAs.address,
    destination_address: destination.address,
    server_address: server.address,
  };
}
