/** A host's network made up for tests: bridges, pairs into namespaces, and what is easily taken for another. */

import type { Link } from "../kernel/rtnetlink.js";
import type { HostNetwork, NamespaceNetwork } from "../live/interfaces.js";
import type { Namespace } from "./namespace-names.js";

const NO_COUNTERS = {
  receivedPackets: 0,
  receivedBytes: 0,
  receivedDropped: 0,
  sentPackets: 0,
  sentBytes: 0,
  sentDropped: 0,
};

export function link(index: number, name: string, rest: Partial<Link> = {}): Link {
  return {
    index,
    name,
    kind: "",
    up: true,
    carrier: true,
    promiscuous: false,
    mtu: 1500,
    master: null,
    isBridgePort: false,
    peer: null,
    peerNamespace: null,
    counters: NO_COUNTERS,
    ...rest,
  };
}

export function space(name: string, number: number | null, ...links: Link[]): NamespaceNetwork {
  const namespace: Namespace = { id: number ?? 0, kind: "named", name, path: "", containerId: null };
  return { namespace, number, links, addresses: [] };
}

export const veth = (peer: number, peerNamespace: number | null, master: number | null = null) =>
  ({ kind: "veth", peer, peerNamespace, master, isBridgePort: master !== null }) as const;

export const NETWORK: HostNetwork = {
  own: space(
    "host",
    null,
    link(1, "lo"),
    link(5, "br-z", { kind: "bridge" }),
    link(6, "br-a", { kind: "bridge" }),
    link(10, "v10", veth(2, 0, 5)),
    link(11, "v11", veth(2, 1, 5)),
    link(12, "v12", veth(13, null, 6)),
    link(13, "v13", veth(12, null)),
    link(14, "v14", veth(2, 9, 6)),
    link(15, "v15", veth(3, 0)),
    link(16, "eth0.5", { kind: "vlan", peer: 17 }),
    link(17, "eth0", { master: 18 }),
    link(18, "bond0", { kind: "bond" }),
  ),
  // The same index, and the same peer's index, in two namespaces: only the number tells them apart.
  others: [
    space("web", 0, link(2, "eth0", veth(10, 3)), link(3, "out", veth(15, 3))),
    space("db", 1, link(2, "eth0", veth(11, 3))),
    space("apart", null, link(2, "eth0", veth(10, 3))),
  ],
  unreadable: [],
  hidden: 0,
  limited: null,
};
