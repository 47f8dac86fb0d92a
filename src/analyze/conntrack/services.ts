/** Tracked connections by service and state, and by protocol and state. */
import {
  ConntrackStatus,
  type ConntrackTable,
  EntryMeta,
  Value,
  Word,
} from "../../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { protocolName } from "../../net.js";
import type { Column, Table } from "../snapshot/snapshot.js";
import { type EndNames, NO_PORT } from "./ends.js";
import { Sums } from "./sums.js";

const SERVICE_COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "source", title: "Source", kind: "text", priority: 1 },
  { name: "destination", title: "Destination", kind: "text", priority: 1, with: "port" },
  { name: "transport", title: "Transport", kind: "text", short: "Proto", priority: 1 },
  { name: "port", title: "Port", kind: "port" },
  { name: "state", title: "State", kind: "text", priority: 1 },
  { name: "connections", title: "Connections", kind: "count", priority: 2 },
  { name: "assured", title: "Assured", kind: "count" },
  { name: "packets", title: "Packets", kind: "packets" },
  { name: "bytes", title: "Bytes", kind: "bytes", priority: 2 },
];

const STATE_COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "transport", title: "Transport", kind: "text", short: "Proto", priority: 1 },
  { name: "state", title: "State", kind: "text", priority: 1 },
  { name: "connections", title: "Connections", kind: "count", priority: 2 },
];

/** What decides the text of an entry's state. */
const STATE_STATUS =
  ConntrackStatus.seenReply |
  ConntrackStatus.assured |
  ConntrackStatus.offload |
  ConntrackStatus.hardwareOffload;
const STATE_META = EntryMeta.protocolMask | EntryMeta.stateMask | EntryMeta.ipv6;
const META_VALUES = 0x2_0000;

/** Numbers for the texts of states; each text is made once. */
class StateNames {
  readonly #ids = new Map<number, number>();
  readonly #idOfName = new Map<string, number>();
  readonly #names: string[] = [];

  idOf(entries: ConntrackTable, entry: number): number {
    const meta = entries.word(entry, Word.meta) & STATE_META;
    const key = meta + (entries.word(entry, Word.status) & STATE_STATUS) * META_VALUES;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#add(entries.stateName(entry));
      this.#ids.set(key, id);
    }
    return id;
  }

  text(id: number): string {
    return this.#names[id]!;
  }

  #add(name: string): number {
    const id = this.#idOfName.get(name) ?? this.#names.push(name) - 1;
    this.#idOfName.set(name, id);
    return id;
  }
}

const enum ServiceKey {
  namespace = 0,
  source = 1,
  destination = 2,
  /** Bits of EntryMeta. */
  protocol = 3,
  port = 4,
  state = 5,
  count = 6,
}

const PROTOCOL = EntryMeta.protocolMask | EntryMeta.ipv6;

/** Connections by client and server: after DNAT the destination is the server that answers, not the original address. */
export function buildConntrackServices(namespaces: readonly ConntrackNamespace[], ends: EndNames): Table {
  const sums = new Sums(ServiceKey.count);
  const states = new StateNames();
  for (const { netns, entries } of namespaces) {
    sums.key[ServiceKey.namespace] = firstOf(namespaces, netns);
    for (let entry = 0; entry < entries.count; entry++) countService(sums, states, entries, entry, ends);
  }
  const netnsOf = (row: number) => namespaces[sums.keyOf(row, ServiceKey.namespace)]!.netns;
  const label = (row: number, key: ServiceKey) => ends.labelText(sums.keyOf(row, key));
  const portOf = (row: number) => portCell(sums.keyOf(row, ServiceKey.port));
  const stateOf = (row: number) => states.text(sums.keyOf(row, ServiceKey.state));
  const protocolOf = (row: number) => {
    const meta = sums.keyOf(row, ServiceKey.protocol);
    return { protocol: meta & EntryMeta.protocolMask, ipv6: (meta & EntryMeta.ipv6) !== 0 };
  };
  return sums.table("services", "Tracked connections by service", SERVICE_COLUMNS, {
    top: 15,
    counted: ["connections", "assured", "packets", "bytes"],
    cells(row) {
      const { protocol, ipv6 } = protocolOf(row);
      return {
        netns: netnsOf(row),
        source: label(row, ServiceKey.source),
        destination: label(row, ServiceKey.destination),
        transport: protocolName(protocol, ipv6 ? 6 : 4),
        port: portOf(row),
        state: stateOf(row),
      };
    },
    texts: [
      (row) => netnsOf(row) ?? "",
      (row) => label(row, ServiceKey.source),
      (row) => label(row, ServiceKey.destination),
      (row) => {
        const { protocol, ipv6 } = protocolOf(row);
        return `${protocol} ${ipv6} ${portOf(row)} ${stateOf(row)}`;
      },
    ],
  });
}

function countService(
  sums: Sums,
  states: StateNames,
  entries: ConntrackTable,
  entry: number,
  ends: EndNames,
): void {
  const { words } = entries;
  const at = entry * Word.count;
  const meta = words[at + Word.meta]!;
  const ipv6 = (meta & EntryMeta.ipv6) !== 0;
  const hasPorts = (meta & EntryMeta.ports) !== 0;
  const port = hasPorts ? words[at + Word.replyPorts]! >>> 16 : NO_PORT;
  const sourcePort = hasPorts ? words[at + Word.origPorts]! >>> 16 : NO_PORT;
  const { key } = sums;
  key[ServiceKey.source] = ends.labelId(ends.addressId(words, at + Word.origSource, ipv6), sourcePort);
  key[ServiceKey.destination] = ends.labelId(ends.addressId(words, at + Word.replySource, ipv6), port);
  key[ServiceKey.protocol] = meta & PROTOCOL;
  key[ServiceKey.port] = port;
  key[ServiceKey.state] = states.idOf(entries, entry);
  const row = sums.add();
  if ((words[at + Word.status]! & ConntrackStatus.assured) !== 0) sums.addAssured(row);
  sums.addCounters(row, entries.numbers, entry * Value.count);
}

const enum StateKey {
  namespace = 0,
  protocol = 1,
  state = 2,
  count = 3,
}

export function buildStates(namespaces: readonly ConntrackNamespace[]): Table {
  const sums = new Sums(StateKey.count);
  const states = new StateNames();
  /** Whether the first entry of each row is of IPv6. */
  const versions: (4 | 6)[] = [];
  for (const { netns, entries } of namespaces) {
    sums.key[StateKey.namespace] = firstOf(namespaces, netns);
    for (let entry = 0; entry < entries.count; entry++) {
      const meta = entries.word(entry, Word.meta);
      // TCP and UDP are one row for both families; ICMP and ICMPv6 have numbers of their own.
      sums.key[StateKey.protocol] = meta & EntryMeta.protocolMask;
      sums.key[StateKey.state] = states.idOf(entries, entry);
      versions[sums.add()] ??= (meta & EntryMeta.ipv6) === 0 ? 4 : 6;
    }
  }
  const netnsOf = (row: number) => namespaces[sums.keyOf(row, StateKey.namespace)]!.netns;
  const stateOf = (row: number) => states.text(sums.keyOf(row, StateKey.state));
  return sums.table("states", "Tracked connections by state", STATE_COLUMNS, {
    top: 10,
    counted: ["connections"],
    cells: (row) => ({
      netns: netnsOf(row),
      transport: protocolName(sums.keyOf(row, StateKey.protocol), versions[row]!),
      state: stateOf(row),
    }),
    texts: [(row) => netnsOf(row) ?? "", (row) => `${sums.keyOf(row, StateKey.protocol)} ${stateOf(row)}`],
  });
}

/** The number of the first namespace of this name: what stands for it in keys. */
export function firstOf(namespaces: readonly ConntrackNamespace[], netns: string | null): number {
  return namespaces.findIndex((namespace) => namespace.netns === netns);
}

function portCell(port: number): number | null {
  return port === NO_PORT ? null : port;
}
