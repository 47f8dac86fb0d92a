/** The links and addresses of every namespace, and the owner of each link's other end. */
import { SystemError } from "../kernel/libc.js";
import { NetnsError, withNetns } from "../kernel/netns.js";
import { RouteSocket } from "../kernel/route-socket.js";
import type { Link, LinkAddress } from "../kernel/rtnetlink.js";
import { listNamespaces, type Namespace, type Namespaces } from "../names/namespace-names.js";
import { readNodeAddresses, readSysfsLinks } from "./sysfs-links.js";

/** One namespace's part of the network. */
export interface NamespaceNetwork {
  readonly namespace: Namespace;
  /** The number that netwatch's own namespace has for it; null: no link connects the two. */
  readonly number: number | null;
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
}

export interface HostNetwork {
  readonly own: NamespaceNetwork;
  readonly others: readonly NamespaceNetwork[];
  /** Namespaces that could not be read, and why. */
  readonly unreadable: readonly { readonly namespace: Namespace; readonly reason: string }[];
  /** Number of processes whose namespace is not visible. */
  readonly hidden: number;
  /** Why only this namespace's links are known; null: no problem. */
  readonly limited: string | null;
}

/**
 * Reads all namespaces, as far as privilege and koffi allow. Costs about 0.2 ms per namespace. Namespaces of
 * the `previous` result that are no longer listed (privilege was given up since) are read as long as their link exists;
 * one that can no longer be read keeps its previous state.
 */
export function readHostNetwork(
  namespaces: Namespaces = listNamespaces(),
  previous: HostNetwork | null = null,
): HostNetwork {
  let socket: RouteSocket;
  try {
    socket = new RouteSocket();
  } catch (error) {
    return readOwnBySysfs(namespaces, (error as Error).message.split("\n")[0]!);
  }
  try {
    const { own, hidden } = namespaces;
    // Dumps this namespace's links first: this gives a number to every namespace that a link leads to.
    const ownNetwork = { namespace: own, number: null, links: socket.links(), addresses: socket.addresses() };
    const others: NamespaceNetwork[] = [];
    const unreadable: { namespace: Namespace; reason: string }[] = [];
    const known = numbersOf(previous, ownNetwork.links);
    const listed = new Set(namespaces.others.map(({ id }) => id));
    const unlisted = [...known.values()]
      .map(({ namespace }) => namespace)
      .filter(({ id }) => !listed.has(id));
    for (const namespace of [...namespaces.others, ...unlisted]) {
      const network = readOther(socket, namespace, known.get(namespace.id)?.number ?? null);
      if (typeof network !== "string") others.push(network);
      else if (network !== "ENOENT") {
        unreadable.push({ namespace, reason: network });
        const last = previous?.others.find((other) => other.namespace.id === namespace.id);
        if (last) others.push(last);
      }
    }
    return { own: ownNetwork, others, unreadable, hidden, limited: null };
  } finally {
    socket.close();
  }
}

/** By this namespace's number for it, which needs only CAP_NET_ADMIN, else from inside it; or the error code. */
function readOther(
  socket: RouteSocket,
  namespace: Namespace,
  known: number | null,
): NamespaceNetwork | string {
  try {
    const number = known ?? socket.numberOf(namespace.path);
    if (number !== null)
      return { namespace, number, links: socket.links(number), addresses: socket.addresses(number) };
    return withNetns(namespace.path, () => {
      const inside = new RouteSocket();
      try {
        return { namespace, number, links: inside.links(), addresses: inside.addresses() };
      } finally {
        inside.close();
      }
    });
  } catch (error) {
    if (error instanceof SystemError || error instanceof NetnsError) return error.code;
    throw error;
  }
}

/**
 * The namespaces of the previous result by id with their numbers, if still valid: a number is reused when its
 * namespace ends, a link's index never. A veth pair ends with either of its ends.
 */
function numbersOf(
  previous: HostNetwork | null,
  links: readonly Link[],
): Map<number, { readonly namespace: Namespace; readonly number: number }> {
  const found = new Map<number, { namespace: Namespace; number: number }>();
  if (previous === null) return found;
  const leadTo = new Map(links.map(({ index, peerNamespace }) => [index, peerNamespace]));
  for (const { namespace, number } of previous.others) {
    const leads = previous.own.links.some(
      ({ index, peerNamespace }) => peerNamespace === number && leadTo.get(index) === number,
    );
    if (number !== null && leads) found.set(namespace.id, { namespace, number });
  }
  return found;
}

function readOwnBySysfs({ own, others, hidden }: Namespaces, limited: string): HostNetwork {
  const links = readSysfsLinks();
  return {
    own: { namespace: own, number: null, links, addresses: readNodeAddresses(links) },
    others: [],
    unreadable: others.map((namespace) => ({ namespace, reason: "koffi" })),
    hidden,
    limited,
  };
}

/** A link of this namespace with its surroundings. */
export interface Interface {
  readonly link: Link;
  /** `10.0.0.1/16` */
  readonly addresses: readonly string[];
  /** The bridge (or other master) that it is a port of. */
  readonly master: string | null;
  /** How many ports it has, when it is a master. */
  readonly ports: number;
  /** The owner of a pair's other end, and that end's name there. */
  readonly owner: { readonly namespace: Namespace; readonly link: Link } | null;
  /** The interface to capture on to see each packet here once: its bridge, or itself. */
  readonly capturePoint: string;
}

/** This namespace's links: each bridge followed by its ports, by name; then the others in the kernel's order. */
export function describeInterfaces({ own, others }: HostNetwork): Interface[] {
  const byIndex = new Map(own.links.map((link) => [link.index, link]));
  const byNumber = new Map(others.map((network) => [network.number, network]));
  const described = own.links.map((link): Interface => {
    const master = link.master === null ? undefined : byIndex.get(link.master);
    return {
      link,
      addresses: own.addresses
        .filter((address) => address.link === link.index)
        .map(({ text, prefix }) => `${text}/${prefix}`),
      master: master?.name ?? null,
      ports: own.links.filter((port) => port.master === link.index).length,
      owner: ownerOf(link, own, byNumber),
      capturePoint: master?.name ?? link.name,
    };
  });
  return inOrder(described);
}

function ownerOf(
  link: Link,
  own: NamespaceNetwork,
  byNumber: ReadonlyMap<number | null, NamespaceNetwork>,
): Interface["owner"] {
  if (link.kind !== "veth" || link.peer === null) return null;
  const there = link.peerNamespace === null ? own : byNumber.get(link.peerNamespace);
  const peer = there?.links.find(({ index, peer }) => index === link.peer && peer === link.index);
  return there && peer ? { namespace: there.namespace, link: peer } : null;
}

function inOrder(interfaces: readonly Interface[]): Interface[] {
  const rank = ({ link, ports }: Interface) => (link.kind === "bridge" ? 0 : ports > 0 ? 1 : 2);
  const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const heads = interfaces
    .filter(({ master }) => master === null)
    .sort(
      (a, b) =>
        rank(a) - rank(b) || (rank(a) < 2 ? text(a.link.name, b.link.name) : a.link.index - b.link.index),
    );
  const nameOf = ({ owner, link }: Interface) => owner?.namespace.name ?? link.name;
  const shown = new Set<Interface>();
  const ordered: Interface[] = [];
  const add = (head: Interface) => {
    if (shown.has(head)) return;
    shown.add(head);
    ordered.push(head);
    const ports = interfaces.filter(({ link }) => link.master === head.link.index);
    ports.sort((a, b) => text(nameOf(a), nameOf(b)) || a.link.index - b.link.index);
    for (const port of ports) add(port);
  };
  for (const head of [...heads, ...interfaces]) add(head);
  return ordered;
}
