/** Established TCP connections as the sockets of each namespace count them: what `ss -t state established` lists. */
import { SocketWord, TcpState } from "../../capture/sockets.js";
import type { TrackedNamespace } from "../../capture/tracker.js";
import type { Column, Row, Table } from "../snapshot.js";
import type { EndNames } from "./ends.js";
import { compareRows, tableOfRows } from "./services.js";

const COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "service", title: "Service", kind: "text" },
  { name: "role", title: "Role", kind: "text" },
  { name: "port", title: "Port", kind: "port" },
  { name: "peer", title: "Peer", kind: "text" },
  { name: "connections", title: "Connections", kind: "count" },
];

/**
 * A row a service, its role, the server's port and the peer. A socket whose local port something listens on is the
 * server's. A connection inside one namespace has two sockets there, and counts as both.
 */
export function buildEstablished(namespaces: readonly TrackedNamespace[], ends: EndNames): Table {
  const rows: Row[] = [];
  for (const namespace of namespaces) {
    if (namespace.sockets) rows.push(...countSockets(namespace, ends));
  }
  rows.sort(compareRows);
  return tableOfRows("established", "Established TCP sockets", COLUMNS, rows, ["connections"]);
}

function countSockets({ netns, sockets }: TrackedNamespace, ends: EndNames): Row[] {
  if (!sockets) return [];
  const listening = new Set<number>();
  for (let i = 0; i < sockets.count; i++)
    if (sockets.word(i, SocketWord.state) === TcpState.listen)
      listening.add(sockets.word(i, SocketWord.ports) >>> 16);
  const counts = new Map<string, { cells: Row; connections: number }>();
  for (let i = 0; i < sockets.count; i++) {
    if (sockets.word(i, SocketWord.state) !== TcpState.established) continue;
    const at = i * SocketWord.count;
    const ipv6 = sockets.words[at + SocketWord.version] === 6;
    const ports = sockets.words[at + SocketWord.ports]!;
    const [localPort, remotePort] = [ports >>> 16, ports & 0xffff];
    const serves = listening.has(localPort);
    const service = ends.label(ends.address(sockets.words, at + SocketWord.local, ipv6), localPort);
    const peer = ends.label(ends.address(sockets.words, at + SocketWord.remote, ipv6), remotePort);
    const port = serves ? localPort : remotePort;
    const role = serves ? "server" : "client";
    const key = `${role} ${port} ${service}\n${peer}`;
    const found = counts.get(key);
    if (found) found.connections++;
    else counts.set(key, { cells: { netns, service, role, port, peer }, connections: 1 });
  }
  return [...counts.values()].map(({ cells, connections }) => ({ ...cells, connections }));
}
