/** Turns facts into findings about what this machine can show. Pure. */
import { formatCount, formatCounted, formatRatio, visible } from "../../format.js";
import { toPath } from "../../path-bytes.js";
import type { ConntrackFacts, EngineFacts, Facts, ForwardChain, InterfaceFacts } from "./doctor-facts.js";

/** `limited`: it works, and something is not shown. `missing`: it does not work. */
export type State = "ok" | "limited" | "missing";

export interface Diagnosis {
  /** Stable, for programs. */
  readonly topic: string;
  readonly state: State;
  readonly why: string;
  /** The command that cures it, safe to show and to be pasted into a shell; null: nothing to do. */
  readonly cure: string | null;
}

/** Every line of `netwatch doctor`, in order. */
export function diagnose(facts: Facts): Diagnosis[] {
  const device = facts.interfaces.chosen ?? facts.interfaces.bridges[0] ?? null;
  const lines = [
    ["privilege", privilege(facts, device)],
    ["landlock", landlock(facts)],
    ["ring", ring(facts, device)],
    ["filter", filter(facts)],
    ["koffi", koffi(facts)],
    ["cap", cap(facts)],
    ["charts", charts(facts)],
    ["interface", bridge(facts)],
    ["br_netfilter", brNetfilter(facts)],
    ["forward", forward(facts)],
    ...conntrack(facts.conntrack),
    ["namespaces", namespaces(facts)],
    ...facts.engines.map((engine) => [nameOf(engine), engineLine(engine)] as const),
    ["clock", clock(facts)],
  ] as const;
  return lines.map(([topic, [state, why, cure]]) => ({ topic, state, why, cure: cure ?? null }));
}

type Line = readonly [state: State, why: string, cure?: string];

const CONTAINER_HINT = "in a container add --cap-add NET_RAW --cap-add NET_ADMIN";

function privilege({ privilege: { root, netRaw, netAdmin } }: Facts, device: InterfaceFacts | null): Line {
  const who = root ? "root" : "not root";
  const command = `sudo netwatch capture ${optionOf(device)}`;
  if (netRaw && netAdmin) return ["ok", `${who}, with CAP_NET_RAW and CAP_NET_ADMIN`];
  if (netRaw)
    return [
      "limited",
      `${who}, without CAP_NET_ADMIN: packets, but neither conntrack nor promiscuous mode`,
      command,
    ];
  const why = root
    ? `root without CAP_NET_RAW: ${CONTAINER_HINT}`
    : `${who}: CAP_NET_RAW is needed to capture`;
  return ["missing", why, root ? undefined : command] as Line;
}

function landlock(facts: Facts): Line {
  return facts.landlock
    ? ["ok", "Landlock confines what a live run writes to the folders of its outputs"]
    : [
        "limited",
        "without Landlock (Linux 5.13; not used in containers) a live run may write wherever its user may",
      ];
}

function optionOf(device: InterfaceFacts | null): string {
  if (device === null) return "-D";
  return device.name.startsWith("-")
    ? `--interface=${quoteArgument(device.name)}`
    : `-i ${quoteArgument(device.name)}`;
}

function ring({ ring: error, privilege }: Facts, device: InterfaceFacts | null): Line {
  switch (error) {
    case null:
      return ["ok", "the kernel gives a TPACKET_V3 ring: its own time, lengths and drop counts"];
    case "koffi":
      return ["missing", "without koffi the kernel's ring cannot be opened", "npm install koffi"];
    case "EPERM":
    case "EACCES":
      if (privilege.root) return ["missing", `packet sockets are forbidden to this root: ${CONTAINER_HINT}`];
      return ["missing", "a packet socket needs CAP_NET_RAW", `sudo netwatch capture ${optionOf(device)}`];
    case "EAFNOSUPPORT":
      return ["missing", "this kernel has no packet sockets (CONFIG_PACKET)", "sudo modprobe af_packet"];
    default:
      return ["missing", `a packet socket with TPACKET_V3 cannot be had: ${error}`];
  }
}

function filter({ libpcap }: Facts): Line {
  return libpcap
    ? ["ok", `capture filters are compiled by ${libpcap}`]
    : [
        "limited",
        "capture filters need libpcap, which is not installed",
        "sudo apt-get install -y libpcap0.8",
      ];
}

function koffi({ packages: { koffi } }: Facts): Line {
  return koffi
    ? ["ok", "installed: ring, conntrack and namespaces can be used"]
    : ["missing", "not installed: no ring, no conntrack, no namespaces", "npm install koffi"];
}

function cap({ packages: { cap, koffi } }: Facts): Line {
  if (cap) return ["ok", "installed: --engine cap can be used"];
  if (koffi) return ["ok", "not installed, and not needed: the ring does its work"];
  return ["missing", "not installed, and neither is koffi: nothing can be captured", "npm install cap"];
}

function charts({ charts }: Facts): Line {
  return charts === null
    ? [
        "limited",
        "no charts as PNG: @resvg/resvg-js does not load; the PDF has them",
        "npm install @resvg/resvg-js",
      ]
    : ["ok", `charts as PNG are drawn by ${charts}; the PDF draws its own`];
}

function bridge({ interfaces: { bridges, wanted, chosen } }: Facts): Line {
  if (wanted !== null && chosen === null)
    return ["missing", `no interface ${wanted} here`, "netwatch interfaces"];
  if (chosen !== null) return deviceLine(chosen);
  if (bridges.length === 0)
    return ["limited", "no bridge here: capture on one interface, or in a namespace", "netwatch interfaces"];
  const up = bridges.filter(({ up }) => up);
  if (up.length === 0) return deviceLine(bridges[0]!);
  const names = up.slice(0, 5).map(({ name }) => name);
  const more = up.length > 5 ? ` and ${up.length - 5} more` : "";
  return ["ok", `${formatCounted(up.length, "bridge")}: ${names.join(", ")}${more}; ${promiscuity(up[0]!)}`];
}

function deviceLine(device: InterfaceFacts): Line {
  const { name, up, master } = device;
  if (!up) return ["missing", `${name} is down`, `sudo ip link set dev ${quoteArgument(name)} up`];
  if (master !== null)
    return [
      "limited",
      `${name} is a port of ${master} and shows only its own part; there each packet is seen once`,
      `sudo netwatch capture ${optionOf({ ...device, name: master })}`,
    ];
  return ["ok", `${name} is up; ${promiscuity(device)}`];
}

function promiscuity({ promiscuous, isBridge }: InterfaceFacts): string {
  if (promiscuous) return "promiscuous now";
  const only = isBridge ? "a bridge that is not shows only a part of what its ports say to each other" : "";
  return `made promiscuous while netwatch captures${only ? ` (${only})` : ""}`;
}

const BR_NETFILTER_ON = "sudo modprobe br_netfilter && sudo sysctl -w net.bridge.bridge-nf-call-iptables=1";

function brNetfilter({ brNetfilter: { loaded, iptables }, interfaces, forward }: Facts): Line {
  if (interfaces.bridges.length === 0) return ["ok", "no bridge here, so nothing depends on it"];
  if (loaded && iptables) {
    const dropping = forward.chains.length > 0 ? ", whose policy is drop (see below)" : "";
    return [
      "ok",
      `on: packets between two ports of a bridge pass conntrack, and iptables' FORWARD chain${dropping}`,
    ];
  }
  const effect =
    "conntrack does not see connections between two ports of one bridge; they are known from packets alone";
  const dropping =
    forward.chains.length > 0 ? ", and a FORWARD policy of drop would then cut the bridge" : "";
  return [
    "limited",
    `${loaded ? "off" : "not loaded"}: ${effect}. The cure also sends them through iptables${dropping}`,
    BR_NETFILTER_ON,
  ];
}

/** Docker's rules accept traffic within its own networks; the policy decides for any other bridge. */
function forward({ forward, interfaces, brNetfilter, engines }: Facts): Line {
  const { chains, dockerUser, error } = forward;
  if (error === "ENOENT")
    return [
      "limited",
      "nft is not installed, so the firewall is not read",
      "sudo apt-get install -y nftables",
    ];
  if (error !== null) return ["limited", `the firewall cannot be read: ${error}`, "sudo netwatch doctor"];
  if (chains.length === 0) return ["ok", "nothing drops forwarded packets by policy"];
  const names = chains.map(chainText).join(", ");
  const own = new Set(engines.flatMap(({ bridges }) => bridges));
  const foreign = interfaces.bridges.filter(({ name, up }) => up && !own.has(name));
  const cut = brNetfilter.iptables ? "between bridges and within one" : "between bridges";
  const accepted = own.size > 0 ? "; Docker has such rules for each of its own networks" : "";
  const why = `${names}: policy drop (Docker sets it), so packets ${cut} pass only by rules that accept them${accepted}`;
  if (!brNetfilter.iptables || foreign.length === 0) return ["ok", why];
  const name = quoteArgument(foreign[0]!.name);
  const chain = dockerUser ? "DOCKER-USER" : "FORWARD";
  return ["limited", why, `sudo iptables -I ${chain} -i ${name} -o ${name} -j ACCEPT`];
}

function chainText({ family, table, chain }: ForwardChain): string {
  return `${family} ${table} ${chain}`;
}

/** The smallest rule that makes the kernel track connections. */
const TRACK =
  "sudo nft 'table inet netwatch_track { chain track { type filter hook prerouting priority 0; ct state new accept; }; }'";
const FULL_SOON = 0.75;

function conntrack(facts: ConntrackFacts | null): (readonly [string, Line])[] {
  if (facts === null)
    return [
      ["conntrack", ["missing", "the kernel's connection table is not there", "sudo modprobe nf_conntrack"]],
    ];
  const { count, limit, accounting } = facts;
  const use = limit > 0 ? count / limit : 0;
  const numbers = `${formatCounted(count, "entry")} of ${formatCount(limit)} (${formatRatio(use)})`;
  const table: Line =
    count === 0
      ? ["limited", "the connection table is empty: the kernel tracks only where a rule asks for it", TRACK]
      : use >= FULL_SOON
        ? [
            "limited",
            `${numbers}: beyond the limit new connections are dropped`,
            `sudo sysctl -w net.netfilter.nf_conntrack_max=${limit * 2}`,
          ]
        : ["ok", numbers];
  const counters: Line = accounting
    ? ["ok", "on: connections carry packets and bytes"]
    : [
        "limited",
        "off: connections carry no packets and bytes; on, it counts those that begin after",
        "sudo sysctl -w net.netfilter.nf_conntrack_acct=1",
      ];
  return [
    ["conntrack", table],
    ["accounting", counters],
  ];
}

function namespaces({ namespaces: { read, unreadable, hidden, reason } }: Facts): Line {
  const known = `${formatCounted(read, "namespace")} besides this one`;
  if (unreadable > 0)
    return [
      "limited",
      `${known}, and ${unreadable} that cannot be read (${reason})`,
      reason.startsWith("koffi") ? "npm install koffi" : "sudo netwatch doctor",
    ];
  // In a container process 1 may be invisible even to root; many invisible processes mean missing privilege.
  if (hidden > 8)
    return ["limited", `${known}; containers are not known without privilege`, "sudo netwatch doctor"];
  return ["ok", known];
}

function nameOf({ socket }: EngineFacts): string {
  return socket.includes("podman") ? "podman" : "docker";
}

function engineLine({ socket, error, containers, networks }: EngineFacts): Line {
  switch (error?.code) {
    case undefined:
      return [
        "ok",
        `${formatCounted(containers, "container")}, ${formatCounted(networks, "network")} at ${socket}`,
      ];
    case "ENOENT":
      return ["ok", `no engine at ${socket}, so none of its containers to name`];
    case "EACCES":
    case "EPERM":
      return ["limited", `${socket}: permission denied; containers go by their ids`, "sudo netwatch doctor"];
    case "ECONNREFUSED":
      return [
        "limited",
        `${socket}: nobody listens; containers go by their ids`,
        `sudo systemctl start ${unitOf(socket)}`,
      ];
    default:
      return [
        "limited",
        `${socket}: ${error!.message}; containers go by their ids`,
        `sudo systemctl restart ${unitOf(socket)}`,
      ];
  }
}

function unitOf(socket: string): string {
  return socket.includes("podman") ? "podman.socket" : "docker";
}

function clock({ clock: { synchronized, source } }: Facts): Line {
  const by = source === null ? "" : `, kept by ${source}`;
  if (synchronized === null)
    return ["limited", `whether the clock is right cannot be told${by}`, "timedatectl status"];
  return synchronized
    ? ["ok", `synchronized${by}`]
    : [
        "limited",
        `not synchronized${by}: times cannot be compared with other machines'`,
        "sudo timedatectl set-ntp true",
      ];
}

/** The text as one word of a POSIX shell, safe to show as it is (with bash's `$'...'` where it holds what cannot be shown). */
export function quoteArgument(text: string): string {
  if (/^[A-Za-z0-9_.@%+=:,/-]+$/.test(text)) return text;
  const isShown = (character: string) => visible(character) === character;
  const characters = Array.from(text);
  if (characters.every(isShown)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = characters.map((character) => {
    if (character === "\\" || character === "'") return `\\${character}`;
    return isShown(character) ? character : Array.from(Buffer.from(toPath(character)), hexOf).join("");
  });
  return `$'${escaped.join("")}'`;
}

function hexOf(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
