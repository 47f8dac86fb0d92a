/** The files of /proc with the kernel's limits and counters of connection tracking. */

const SYSCTL = "/proc/sys/net/netfilter/nf_conntrack_";

/** Names of the sysctls, without their common prefix. */
export const TIMEOUTS = [
  ...[
    "syn_sent",
    "syn_recv",
    "established",
    "fin_wait",
    "close_wait",
    "last_ack",
    "time_wait",
    "close",
    "unacknowledged",
    "max_retrans",
  ].map((state) => `tcp_timeout_${state}`),
  ...["udp_timeout", "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout", "generic_timeout"],
];

/** Key of each file. */
export type ConntrackFile = string;

/** The switch that counts packets and bytes of connections. */
export const ACCOUNTING_PATH = `${SYSCTL}acct`;

/** All of them, opened by one privileged call. */
export const CONNTRACK_FILES: readonly { readonly name: ConntrackFile; readonly path: string }[] = [
  ...["count", "max", ...TIMEOUTS].map((name) => ({ name, path: SYSCTL + name })),
  { name: "acct", path: ACCOUNTING_PATH },
  { name: "bridge-ipv4", path: "/proc/sys/net/bridge/bridge-nf-call-iptables" },
  { name: "bridge-ipv6", path: "/proc/sys/net/bridge/bridge-nf-call-ip6tables" },
  { name: "statistics", path: "/proc/net/stat/nf_conntrack" },
];
