/** Translated connections: what was asked, who answered, and as whom the source was seen. */
import { Value, Word } from "../../capture/conntrack/conntrack-table.js";
import type { TrackedNamespace } from "../../capture/conntrack/tracker.js";
import type { Column, Table } from "../snapshot.js";
import { natLabel } from "./connections.js";
import { describeEnds, type EndNames } from "./ends.js";
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
      const { source_port: _, seen_as_port: __, ...described } = describeEnds(words, at, ends);
      const cells = { netns, nat, ...described };
      const sum = sums.add(Object.values(cells).join("\n"), () => cells);
      addCounters(sum, entries.numbers, entry * Value.count);
    }
  }
  return sums.table("nat", "Translated connections", COLUMNS);
}
