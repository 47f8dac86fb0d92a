/** Established TCP connections as the sockets of each namespace count them: what `ss -t state established` lists. */

import type { TrackedNamespace } from "../../capture/conntrack/tracker.js";
import { type SocketTable, SocketWord, TcpState } from "../../capture/kernel/sockets.js";
import type { Column, Table } from "../snapshot.js";
import type { EndNames } from "./ends.js";
import { Sums } from "./sums.js";

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
  const sums = new Sums(["connections"]);
  for (const { netns, sockets } of namespaces) if (sockets) countSockets(sums, netns, sockets, ends);
  return sums.table("established", "Established TCP sockets", COLUMNS);
}

function countSockets(sums: Sums, netns: string | null, sockets: SocketTable, ends: EndNames): void {
  const listening = new Set<number>();
  for (let i = 0; i < sockets.count; i++)
    if (sockets.word(i, SocketWord.state) === TcpState.listen)
      listening.add(sockets.word(i, SocketWord.ports) >>> 16);
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
    sums.add(`${netns ?? ""}\n${service}\n${role} ${port}\n${peer}`, () => ({
      netns,
      service,
      role,
      port,
      peer,
    }));
  }
}
