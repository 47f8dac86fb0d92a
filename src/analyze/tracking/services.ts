/** Tracked connections by service and state, and by protocol and state. */
import {
  ConntrackStatus,
  type ConntrackTable,
  EntryMeta,
  Value,
  Word,
} from "../../capture/conntrack/conntrack-table.js";
import type { TrackedNamespace } from "../../capture/conntrack/tracker.js";
import { protocolName } from "../../net.js";
import type { Column, Table } from "../snapshot.js";
import type { EndNames } from "./ends.js";
import { addCounters, Sums } from "./sums.js";

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

/** What decides the text of an entry's state. */
const STATE_STATUS =
  ConntrackStatus.seenReply |
  ConntrackStatus.assured |
  ConntrackStatus.offload |
  ConntrackStatus.hardwareOffload;
const STATE_META = EntryMeta.protocolMask | EntryMeta.stateMask | EntryMeta.ipv6;
const META_VALUES = 0x2_0000;

/** Texts of states, each made once. */
class StateNames {
  readonly #names = new Map<number, string>();

  of(entries: ConntrackTable, entry: number): string {
    const meta = entries.word(entry, Word.meta) & STATE_META;
    const key = meta + (entries.word(entry, Word.status) & STATE_STATUS) * META_VALUES;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = entries.stateName(entry);
      this.#names.set(key, name);
    }
    return name;
  }
}

/** Who asks whom: after DNAT the destination is the server that answers, not the address that was asked. */
export function buildTrackedServices(namespaces: readonly TrackedNamespace[], ends: EndNames): Table {
  const sums = new Sums(["connections", "assured", "packets", "bytes"]);
  const states = new StateNames();
  for (const { netns, entries } of namespaces) {
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
      const state = states.of(entries, entry);
      const protocol = meta & EntryMeta.protocolMask;
      const key = `${netns ?? ""}\n${source}\n${destination}\n${protocol} ${ipv6} ${port} ${state}`;
      const sum = sums.add(key, () => {
        const transport = protocolName(protocol, ipv6 ? 6 : 4);
        return { netns, source, destination, transport, port, state };
      });
      if ((words[at + Word.status]! & ConntrackStatus.assured) !== 0) sum.assured++;
      addCounters(sum, entries.numbers, entry * Value.count);
    }
  }
  return sums.table("services", "Tracked connections by service", SERVICE_COLUMNS);
}

export function buildStates(namespaces: readonly TrackedNamespace[]): Table {
  const sums = new Sums(["connections"]);
  const states = new StateNames();
  for (const { netns, entries } of namespaces) {
    for (let entry = 0; entry < entries.count; entry++) {
      const meta = entries.word(entry, Word.meta);
      const state = states.of(entries, entry);
      const protocol = meta & EntryMeta.protocolMask;
      const version = (meta & EntryMeta.ipv6) === 0 ? 4 : 6;
      // TCP and UDP are one row for both families; ICMP and ICMPv6 have numbers of their own.
      sums.add(`${netns ?? ""}\n${protocol} ${state}`, () => ({
        netns,
        transport: protocolName(protocol, version),
        state,
      }));
    }
  }
  return sums.table("states", "Tracked connections by state", STATE_COLUMNS);
}
