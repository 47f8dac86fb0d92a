/** Established TCP connections as the sockets of each namespace count them: what `ss -t state established` lists. */

import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { type SocketTable, SocketWord, TcpState } from "../../capture/kernel/sockets.js";
import type { Column, Table } from "../snapshot/snapshot.js";
import type { EndNames } from "./ends.js";
import { firstOf } from "./services.js";
import { Sums } from "./sums.js";

const COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "service", title: "Service", kind: "text", priority: 1 },
  { name: "role", title: "Role", kind: "text", priority: 1 },
  { name: "port", title: "Port", kind: "port", priority: 1 },
  { name: "peer", title: "Peer", kind: "text", priority: 1 },
  { name: "connections", title: "Connections", kind: "count", priority: 2 },
];

/**
 * A row a service, its role, the server's port and the peer. A socket whose local port something listens on is the
 * server's. A connection inside one namespace has two sockets there, and counts as both.
 */
export function buildEstablished(namespaces: readonly ConntrackNamespace[], ends: EndNames): Table {
  const sums = new Sums(Key.count);
  for (const { netns, sockets } of namespaces) {
    sums.key[Key.namespace] = firstOf(namespaces, netns);
    if (sockets) countSockets(sums, sockets, ends);
  }
  const netnsOf = (row: number) => namespaces[sums.keyOf(row, Key.namespace)]!.netns;
  const label = (row: number, key: Key) => ends.labelText(sums.keyOf(row, key));
  const roleOf = (row: number) => (sums.keyOf(row, Key.serves) === 1 ? "server" : "client");
  return sums.table("established", "Established TCP sockets", COLUMNS, {
    top: 10,
    counted: ["connections"],
    cells: (row) => ({
      netns: netnsOf(row),
      service: label(row, Key.service),
      role: roleOf(row),
      port: sums.keyOf(row, Key.port),
      peer: label(row, Key.peer),
    }),
    texts: [
      (row) => netnsOf(row) ?? "",
      (row) => label(row, Key.service),
      (row) => `${roleOf(row)} ${sums.keyOf(row, Key.port)}`,
      (row) => label(row, Key.peer),
    ],
  });
}

const enum Key {
  namespace = 0,
  service = 1,
  serves = 2,
  port = 3,
  peer = 4,
  count = 5,
}

function countSockets(sums: Sums, sockets: SocketTable, ends: EndNames): void {
  const listening = new Set<number>();
  for (let i = 0; i < sockets.count; i++)
    if (sockets.word(i, SocketWord.state) === TcpState.listen)
      listening.add(sockets.word(i, SocketWord.ports) >>> 16);
  const { key } = sums;
  for (let i = 0; i < sockets.count; i++) {
    if (sockets.word(i, SocketWord.state) !== TcpState.established) continue;
    const at = i * SocketWord.count;
    const ipv6 = sockets.words[at + SocketWord.version] === 6;
    const ports = sockets.words[at + SocketWord.ports]!;
    const [localPort, remotePort] = [ports >>> 16, ports & 0xffff];
    const serves = listening.has(localPort);
    const local = ends.addressId(sockets.words, at + SocketWord.local, ipv6);
    const remote = ends.addressId(sockets.words, at + SocketWord.remote, ipv6);
    key[Key.service] = ends.labelId(local, localPort);
    key[Key.serves] = serves ? 1 : 0;
    key[Key.port] = serves ? localPort : remotePort;
    key[Key.peer] = ends.labelId(remote, remotePort);
    sums.add();
  }
}
