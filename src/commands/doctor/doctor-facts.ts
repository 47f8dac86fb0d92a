/** Collects the facts for `netwatch doctor`. Only reads; changes nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { landlockVersion } from "../../capture/kernel/landlock.js";
import { Flag, libc, SystemError } from "../../capture/kernel/libc.js";
import {
  describeInterfaces,
  type HostNetwork,
  type Interface,
  readHostNetwork,
} from "../../capture/live/interfaces.js";
import { engineSockets, readEngine } from "../../capture/names/docker.js";
import { ServiceError } from "../../capture/names/json-client.js";
import { type ChartPainter, openPainter } from "../../report/charts/chart-png.js";
import { runTool } from "../lab-bench/tool.js";

export interface InterfaceFacts {
  readonly name: string;
  readonly isBridge: boolean;
  readonly up: boolean;
  readonly promiscuous: boolean;
  /** The bridge that it is a port of. */
  readonly master: string | null;
}

export interface ConntrackFacts {
  readonly count: number;
  readonly limit: number;
  readonly accounting: boolean;
}

/** A chain at the forward hook whose policy is drop. */
export interface ForwardChain {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
}

export interface ForwardFacts {
  readonly chains: readonly ForwardChain[];
  /** Docker's chain for the operator's own rules is there: it runs first, and Docker does not change it. */
  readonly dockerUser: boolean;
  readonly error: string | null;
}

export interface EngineFacts {
  readonly socket: string;
  readonly containers: number;
  readonly networks: number;
  /** Bridges of this host, one per network that has one. */
  readonly bridges: readonly string[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface Facts {
  readonly privilege: { readonly root: boolean; readonly netRaw: boolean; readonly netAdmin: boolean };
  /** The kernel can confine a live run's writes (Landlock). */
  readonly landlock: boolean;
  /** Why no ring can be opened: a system error code, or `koffi`; null: it can. */
  readonly ring: string | null;
  /** The library's file, or null. */
  readonly libpcap: string | null;
  readonly packages: { readonly koffi: boolean; readonly cap: boolean };
  /** What draws charts as PNG; null: nothing that loads does. */
  readonly charts: ChartPainter["engine"] | null;
  readonly interfaces: {
    readonly bridges: readonly InterfaceFacts[];
    /** The interface named on the command line, and the result. */
    readonly wanted: string | null;
    readonly chosen: InterfaceFacts | null;
  };
  readonly brNetfilter: { readonly loaded: boolean; readonly iptables: boolean };
  readonly forward: ForwardFacts;
  /** null: the kernel's module is not loaded. */
  readonly conntrack: ConntrackFacts | null;
  readonly namespaces: {
    readonly read: number;
    readonly unreadable: number;
    readonly hidden: number;
    readonly reason: string;
  };
  readonly engines: readonly EngineFacts[];
  readonly clock: { readonly synchronized: boolean | null; readonly source: string | null };
}

/** Collects all facts. Takes as long as the slowest engine or firewall tool, at most two seconds. */
export async function gatherFacts(
  wanted: string | null,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Facts> {
  const network = readHostNetwork();
  const described = describeInterfaces(network).map(interfaceFacts);
  const [engines, forward, cap, charts] = await Promise.all([
    Promise.all(engineSockets(env.DOCKER_HOST).map(engineFacts)),
    forwardFacts(),
    canLoad("cap"),
    openPainter().then(
      ({ engine }) => engine,
      () => null,
    ),
  ]);
  return {
    privilege: privilegeFacts(),
    landlock: landlockVersion() > 0,
    ring: ringFacts(),
    libpcap: findLibpcap(),
    packages: { koffi: network.limited === null, cap },
    charts,
    interfaces: {
      bridges: described.filter(({ isBridge }) => isBridge),
      wanted,
      chosen: described.find(({ name }) => name === wanted) ?? null,
    },
    brNetfilter: {
      loaded: existsSync("/proc/sys/net/bridge"),
      iptables: readNumber("/proc/sys/net/bridge/bridge-nf-call-iptables") === 1,
    },
    forward,
    conntrack: conntrackFacts(),
    namespaces: namespaceFacts(network),
    engines,
    clock: clockFacts(),
  };
}

function interfaceFacts({ link, master }: Interface): InterfaceFacts {
  const { name, kind, up, promiscuous, isBridgePort } = link;
  return { name, isBridge: kind === "bridge", up, promiscuous, master: isBridgePort ? master : null };
}

function namespaceFacts({ others, unreadable, hidden, limited }: HostNetwork): Facts["namespaces"] {
  const reason = limited === null ? (unreadable[0]?.reason ?? "") : "koffi is missing";
  return { read: others.length, unreadable: unreadable.length, hidden, reason };
}

// linux/capability.h
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;

function privilegeFacts(): Facts["privilege"] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status"))?.[1] ?? "0";
  const has = (capability: bigint) => ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
  return { root: process.geteuid?.() === 0, netRaw: has(CAP_NET_RAW), netAdmin: has(CAP_NET_ADMIN) };
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
// linux/if_packet.h
const SOL_PACKET = 263;
const PACKET_VERSION = 10;
const TPACKET_V3 = 2;

/** A packet socket for no protocol: it gets no packets. */
function ringFacts(): string | null {
  try {
    const { socket, setsockopt, close } = libc();
    const fd = socket(AF_PACKET, SOCK_RAW | Flag.closeOnExec, 0);
    try {
      setsockopt(fd, SOL_PACKET, PACKET_VERSION, new Uint8Array(Int32Array.of(TPACKET_V3).buffer));
      return null;
    } finally {
      close(fd);
    }
  } catch (error) {
    return error instanceof SystemError ? error.code : "koffi";
  }
}

/** Where Debian, Fedora, Alpine and /usr/local keep libraries. */
function findLibpcap(): string | null {
  for (const root of ["/usr/lib", "/lib", "/usr/lib64", "/lib64", "/usr/local/lib"]) {
    const entries = entriesOf(root);
    const folders = [
      root,
      ...entries.filter((name) => name.includes("-linux-")).map((name) => join(root, name)),
    ];
    for (const folder of folders) {
      const file = entriesOf(folder).find((name) => /^libpcap\.so\.\d/.test(name));
      if (file !== undefined) return file;
    }
  }
  return null;
}

function conntrackFacts(): ConntrackFacts | null {
  const folder = "/proc/sys/net/netfilter";
  const count = readNumber(`${folder}/nf_conntrack_count`);
  if (count === null) return null;
  return {
    count,
    limit: readNumber(`${folder}/nf_conntrack_max`) ?? readNumber("/proc/sys/net/nf_conntrack_max") ?? 0,
    accounting: readNumber(`${folder}/nf_conntrack_acct`) === 1,
  };
}

async function engineFacts(socket: string): Promise<EngineFacts> {
  try {
    const { containers, networks } = await readEngine(socket);
    const bridges = networks.flatMap(({ bridge }) => bridge ?? []);
    return { socket, containers: containers.length, networks: networks.length, bridges, error: null };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code, message } = error;
    return { socket, containers: 0, networks: 0, bridges: [], error: { code: code ?? "ANSWER", message } };
  }
}

/** Chains by nft; iptables-legacy has tables of its own, asked only if such tables are in use, since asking creates them. */
async function forwardFacts(): Promise<ForwardFacts> {
  try {
    const { chains, dockerUser } = parseNftChains(await runTool("nft", ["-j", "list", "chains"]));
    for (const [names, tool, family] of [
      ["/proc/net/ip_tables_names", "iptables-legacy", "ip"],
      ["/proc/net/ip6_tables_names", "ip6tables-legacy", "ip6"],
    ] as const) {
      if (!/^filter$/m.test(readText(names))) continue;
      const policy = await runTool(tool, ["-S", "FORWARD"]);
      if (/^-P FORWARD DROP$/m.test(policy))
        chains.push({ family, table: "filter (legacy)", chain: "FORWARD" });
    }
    return { chains, dockerUser, error: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      chains: [],
      dockerUser: false,
      error: code === "ENOENT" ? "ENOENT" : message.split("\n")[0]!.slice(0, 120),
    };
  }
}

/** The chains of `nft -j list chains` at the forward hook with policy drop. Throws if the text is no JSON. */
export function parseNftChains(
  json: string,
): Omit<ForwardFacts, "error" | "chains"> & { chains: ForwardChain[] } {
  const { nftables } = JSON.parse(json) as { nftables?: unknown };
  const chains: ForwardChain[] = [];
  let dockerUser = false;
  for (const entry of Array.isArray(nftables) ? nftables : []) {
    const chain = (entry as { chain?: Record<string, unknown> } | null)?.chain;
    dockerUser ||= chain?.name === "DOCKER-USER" && chain.family === "ip";
    if (chain?.hook !== "forward" || chain.policy !== "drop") continue;
    chains.push({ family: String(chain.family), table: String(chain.table), chain: String(chain.name) });
  }
  return { chains, dockerUser };
}

const STA_UNSYNC = 0x40;

/** The kernel's clock state (adjtimex(2)). */
function clockFacts(): Facts["clock"] {
  const source = readText("/sys/devices/system/clocksource/clocksource0/current_clocksource").trim() || null;
  try {
    return { synchronized: (libc().clockStatus() & STA_UNSYNC) === 0, source };
  } catch {
    return { synchronized: null, source };
  }
}

/** Whether a native package really loads, not only exists. */
async function canLoad(name: string): Promise<boolean> {
  try {
    await import(name);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readNumber(path: string): number | null {
  const text = readText(path).trim();
  return /^\d+$/.test(text) ? Number(text) : null;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
