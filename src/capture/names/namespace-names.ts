/** The network namespaces of this host and their names: from `ip netns`, or from the container or process inside. */
import { readdirSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";

/** Further namespaces are only counted. */
const MAX_NAMESPACES = 4096;
const MAX_PROCESSES = 65_536;

/** Name of the machine's own namespace, that of process 1. */
export const HOST = "host";

/** `own`: the one netwatch runs in. `named`: in /run/netns. `container`, `process`: named after what runs inside. */
export type NamespaceKind = "own" | "named" | "container" | "process";

export interface Namespace {
  /** Its inode in nsfs: unique while the namespace exists (ioctl_ns(2)). */
  readonly id: number;
  readonly kind: NamespaceKind;
  /** Untrusted text. A container's shortened id until its engine gives a name. */
  readonly name: string;
  /** Opens it. */
  readonly path: string;
  readonly containerId: string | null;
}

export interface Namespaces {
  readonly own: Namespace;
  /** The others, by name. */
  readonly others: readonly Namespace[];
  /** Processes whose namespace is not visible (without privilege: all except one's own). */
  readonly hidden: number;
  /** Namespaces beyond the limit. */
  readonly omitted: number;
}

/** Folders to search; only tests use others than the default. */
export interface NamespacePlaces {
  readonly named: string;
  readonly processes: string;
}

const PLACES: NamespacePlaces = { named: "/run/netns", processes: "/proc" };

/** Finds every namespace that has a name or a process. Costs a system call per process. Throws if there is no /proc. */
export function listNamespaces(places: NamespacePlaces = PLACES): Namespaces {
  const ownPath = join(places.processes, "self/ns/net");
  const { ino, dev } = statSync(ownPath);
  const found = new Map<number, Namespace>();
  for (const namespace of listNamed(places.named, dev))
    if (!found.has(namespace.id)) found.set(namespace.id, namespace);
  const own: Namespace = {
    id: ino,
    kind: "own",
    name: found.get(ino)?.name ?? HOST,
    path: ownPath,
    containerId: null,
  };
  found.delete(ino);
  const { inhabitants, hidden } = listInhabitants(places.processes, ino);
  for (const inhabitant of inhabitants) {
    const known = found.get(inhabitant.id);
    // An engine's own bind mount (`netns-1f0c...`, `cni-...`) says less than the container inside.
    if (!known) found.set(inhabitant.id, inhabitant);
    else if (inhabitant.containerId !== null) found.set(inhabitant.id, { ...inhabitant, path: known.path });
  }
  const others = [...found.values()].sort((a, b) =>
    a.name === b.name ? a.id - b.id : a.name < b.name ? -1 : 1,
  );
  return {
    own,
    others: others.slice(0, MAX_NAMESPACES),
    hidden,
    omitted: Math.max(0, others.length - MAX_NAMESPACES),
  };
}

/** The bind mounts of ip-netns(8). A deleted namespace leaves an ordinary file, not one of nsfs. */
function listNamed(folder: string, nsfs: number): Namespace[] {
  return entriesOf(folder).flatMap((name) => {
    const path = join(folder, name);
    const stats = statOf(path);
    return stats?.dev === nsfs ? [{ id: stats.ino, kind: "named", name, path, containerId: null }] : [];
  });
}

/** The namespaces of processes, each with its first process, or its first process in a container. */
function listInhabitants(folder: string, own: number): { inhabitants: Namespace[]; hidden: number } {
  const ownContainer = containerOf(join(folder, "self"));
  // Process 1, or the kernel's first process if process 1 is not visible.
  const machine = ["1", "2"]
    .map((pid) => namespaceOf(join(folder, pid)))
    .find((id) => typeof id === "number");
  const found = new Map<number, Namespace>();
  let hidden = 0;
  const pids = entriesOf(folder).filter((entry) => /^\d+$/.test(entry));
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    const process = join(folder, pid);
    const id = namespaceOf(process);
    if (id === "hidden") hidden++;
    if (typeof id !== "number" || id === own) continue;
    const known = found.get(id);
    if (known?.kind === "container") continue;
    const containerId = containerOf(process);
    const isContainer = containerId !== null && containerId !== ownContainer;
    if (known && !isContainer) continue;
    const path = join(process, "ns/net");
    if (isContainer)
      found.set(id, { id, kind: "container", name: containerId.slice(0, 12), path, containerId });
    else {
      const name = id === machine ? HOST : nameOfProcess(process, pid);
      found.set(id, { id, kind: "process", name, path, containerId: null });
    }
  }
  return { inhabitants: [...found.values()], hidden };
}

/** The number in `net:[4026531840]`; `gone` if the process has ended. */
function namespaceOf(process: string): number | "gone" | "hidden" {
  try {
    const digits = /^net:\[(\d+)\]$/.exec(readlinkSync(join(process, "ns/net")))?.[1];
    return digits === undefined ? "gone" : Number(digits);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" || code === "EPERM" ? "hidden" : "gone";
  }
}

/** Docker, podman, containerd and CRI-O all put the container's id, 64 hex digits, into the name of its cgroup. */
function containerOf(process: string): string | null {
  const cgroup = textOf(join(process, "cgroup"));
  return /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?=[/\n]|$)/.exec(cgroup)?.[1] ?? null;
}

function nameOfProcess(process: string, pid: string): string {
  return `${textOf(join(process, "comm")).trim() || "process"}[${pid}]`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, 4096);
  } catch {
    return ""; // the process has ended, or is not visible
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
