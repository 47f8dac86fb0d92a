import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { visible } from "../../format.js";
import { expectGolden } from "../terminal.test.fixture.js";
import { renderDoctor } from "./doctor.js";
import { type Facts, type InterfaceFacts, parseNftChains } from "./doctor-facts.js";
import { diagnose, quoteArgument, type State } from "./doctor-findings.js";

const bridge = (name: string, rest: Partial<InterfaceFacts> = {}): InterfaceFacts => ({
  name,
  isBridge: true,
  up: true,
  promiscuous: false,
  master: null,
  ...rest,
});

/** A machine that lacks nothing. */
const HEALTHY: Facts = {
  privilege: { root: true, netRaw: true, netAdmin: true },
  landlock: true,
  ring: null,
  libpcap: "libpcap.so.0.8",
  packages: { koffi: true, cap: true },
  charts: "chartjs-node-canvas",
  interfaces: { bridges: [bridge("br-app", { promiscuous: true })], wanted: null, chosen: null },
  brNetfilter: { loaded: true, iptables: true },
  forward: { chains: [], dockerUser: false, error: null },
  conntrack: { count: 1200, limit: 262_144, accounting: true },
  namespaces: { read: 17, unreadable: 0, hidden: 1, reason: "" },
  engines: [
    {
      socket: "/run/docker.sock",
      containers: 7,
      networks: 5,
      bridges: ["docker0", "br-7d86d31b1478"],
      error: null,
    },
  ],
  clock: { synchronized: true, source: "tsc" },
};

/** A machine that lacks everything. */
const BARE: Facts = {
  privilege: { root: false, netRaw: false, netAdmin: false },
  landlock: false,
  ring: "koffi",
  libpcap: null,
  packages: { koffi: false, cap: false },
  charts: null,
  interfaces: { bridges: [], wanted: null, chosen: null },
  brNetfilter: { loaded: false, iptables: false },
  forward: { chains: [], dockerUser: false, error: "Operation not permitted (you must be root)" },
  conntrack: null,
  namespaces: { read: 0, unreadable: 17, hidden: 90, reason: "koffi is missing" },
  engines: [
    {
      socket: "/run/docker.sock",
      containers: 0,
      networks: 0,
      bridges: [],
      error: { code: "EACCES", message: "permission denied" },
    },
    {
      socket: "/run/podman/podman.sock",
      containers: 0,
      networks: 0,
      bridges: [],
      error: { code: "ETIMEDOUT", message: "no answer within 2 s" },
    },
  ],
  clock: { synchronized: null, source: null },
};

/** Docker on a machine whose bridge traffic passes iptables. */
const DOCKER: Facts = {
  ...HEALTHY,
  packages: { koffi: true, cap: false },
  charts: "resvg",
  interfaces: {
    bridges: [bridge("br-7d86d31b1478"), bridge("br-app"), bridge("docker0")],
    wanted: null,
    chosen: null,
  },
  forward: {
    chains: [{ family: "ip", table: "filter", chain: "FORWARD" }],
    dockerUser: true,
    error: null,
  },
  conntrack: { count: 250_000, limit: 262_144, accounting: false },
};

test("a healthy machine: every line is ok, and there is nothing to do", () => {
  assert.deepEqual(
    diagnose(HEALTHY).filter(({ state, cure }) => state !== "ok" || cure !== null),
    [],
  );
});

test("golden: what a person reads", () => {
  for (const [name, facts] of [
    ["healthy", HEALTHY],
    ["bare", BARE],
    ["docker", DOCKER],
  ] as const)
    expectGolden(
      `doctor.${name}.txt`,
      [...renderDoctor(diagnose(facts), { width: 80, color: false })].join(""),
    );
});

const CASES: readonly (readonly [
  what: string,
  Partial<Facts>,
  topic: string,
  State,
  RegExp,
  cure: RegExp | null,
])[] = [
  [
    "capabilities without root",
    { privilege: { root: false, netRaw: true, netAdmin: true } },
    "privilege",
    "ok",
    /not root, with/,
    null,
  ],
  [
    "half of them",
    { privilege: { root: false, netRaw: true, netAdmin: false } },
    "privilege",
    "limited",
    /CAP_NET_ADMIN/,
    /^sudo netwatch capture -i br-app$/,
  ],
  [
    "none",
    { privilege: { root: false, netRaw: false, netAdmin: false } },
    "privilege",
    "missing",
    /CAP_NET_RAW/,
    /^sudo netwatch capture -i br-app$/,
  ],
  [
    "root in a container",
    { privilege: { root: true, netRaw: false, netAdmin: false } },
    "privilege",
    "missing",
    /--cap-add NET_RAW/,
    null,
  ],
  ["no Landlock", { landlock: false }, "landlock", "limited", /may write wherever its user may/, null],
  [
    "no ring without privilege",
    { ring: "EPERM", privilege: BARE.privilege },
    "ring",
    "missing",
    /CAP_NET_RAW/,
    /^sudo netwatch/,
  ],
  ["no ring, though root", { ring: "EPERM" }, "ring", "missing", /forbidden to this root/, null],
  ["an old kernel", { ring: "EINVAL" }, "ring", "missing", /EINVAL/, null],
  [
    "no packet sockets",
    { ring: "EAFNOSUPPORT" },
    "ring",
    "missing",
    /no packet sockets/,
    /modprobe af_packet/,
  ],
  ["no libpcap", { libpcap: null }, "filter", "limited", /libpcap/, /apt-get install -y libpcap0.8/],
  ["no cap", { packages: { koffi: true, cap: false } }, "cap", "ok", /not needed/, null],
  ["no charts", { charts: null }, "charts", "limited", /PNG/, /npm install/],
  [
    "a bridge not promiscuous",
    { interfaces: { bridges: [bridge("br-app")], wanted: null, chosen: null } },
    "interface",
    "ok",
    /only a part/,
    null,
  ],
  [
    "a bridge that is down",
    { interfaces: { bridges: [bridge("$(x)", { up: false })], wanted: null, chosen: null } },
    "interface",
    "missing",
    /is down/,
    /^sudo ip link set dev '\$\(x\)' up$/,
  ],
  [
    "no bridge",
    { interfaces: { bridges: [], wanted: null, chosen: null } },
    "interface",
    "limited",
    /no bridge/,
    /netwatch interfaces/,
  ],
  [
    "an interface that is not there",
    { interfaces: { bridges: [], wanted: "\x1b[31mx", chosen: null } },
    "interface",
    "missing",
    /no interface \\x1b\[31mx here/,
    /netwatch interfaces/,
  ],
  [
    "a port",
    { interfaces: { bridges: [], wanted: "v1", chosen: bridge("v1", { isBridge: false, master: "-wpwn" }) } },
    "interface",
    "limited",
    /a port of -wpwn/,
    /^sudo netwatch capture --interface=-wpwn$/,
  ],
  [
    "br_netfilter off",
    { brNetfilter: { loaded: true, iptables: false } },
    "br_netfilter",
    "limited",
    /^off: conntrack does not see/,
    /bridge-nf-call-iptables=1/,
  ],
  [
    "br_netfilter not loaded",
    { brNetfilter: { loaded: false, iptables: false } },
    "br_netfilter",
    "limited",
    /not loaded/,
    /modprobe br_netfilter &&/,
  ],
  [
    "br_netfilter off and a policy of drop",
    { ...DOCKER, brNetfilter: { loaded: false, iptables: false } },
    "br_netfilter",
    "limited",
    /would then cut the bridge/,
    /modprobe/,
  ],
  [
    "a policy of drop, harmless",
    { ...DOCKER, brNetfilter: { loaded: false, iptables: false } },
    "forward",
    "ok",
    /ip filter FORWARD: policy drop/,
    null,
  ],
  [
    "a policy of drop, on bridged packets: the bridge that is not Docker's is cut",
    DOCKER,
    "forward",
    "limited",
    /within one .* Docker has such rules for each of its own networks$/,
    /^sudo iptables -I DOCKER-USER -i br-app -o br-app -j ACCEPT$/,
  ],
  [
    "a policy of drop, and Docker's bridges alone",
    { ...DOCKER, interfaces: { ...DOCKER.interfaces, bridges: [bridge("docker0")] } },
    "forward",
    "ok",
    /Docker has such rules/,
    null,
  ],
  [
    "a policy of drop without Docker",
    { ...DOCKER, forward: { ...DOCKER.forward, dockerUser: false }, engines: [] },
    "forward",
    "limited",
    /pass only by rules that accept them$/,
    /^sudo iptables -I FORWARD -i br-7d86d31b1478 /,
  ],
  [
    "no nft",
    { forward: { chains: [], dockerUser: false, error: "ENOENT" } },
    "forward",
    "limited",
    /nft is not installed/,
    /apt-get install -y nftables/,
  ],
  [
    "an empty table",
    { conntrack: { count: 0, limit: 262_144, accounting: true } },
    "conntrack",
    "limited",
    /empty/,
    /^sudo nft '.*ct state new/,
  ],
  [
    "a full table",
    { conntrack: { count: 90, limit: 100, accounting: true } },
    "conntrack",
    "limited",
    /90 entries of 100 \(90.0 %\)/,
    /nf_conntrack_max=200/,
  ],
  [
    "one entry",
    { conntrack: { count: 1, limit: 100, accounting: true } },
    "conntrack",
    "ok",
    /^1 entry of 100/,
    null,
  ],
  ["no conntrack", { conntrack: null }, "conntrack", "missing", /not there/, /modprobe nf_conntrack/],
  [
    "no accounting",
    { conntrack: { count: 1, limit: 100, accounting: false } },
    "accounting",
    "limited",
    /^off/,
    /nf_conntrack_acct=1/,
  ],
  [
    "hidden processes",
    { namespaces: { read: 3, unreadable: 0, hidden: 40, reason: "" } },
    "namespaces",
    "limited",
    /without privilege/,
    /sudo netwatch doctor/,
  ],
  [
    "unreadable namespaces",
    { namespaces: { read: 3, unreadable: 2, hidden: 0, reason: "EPERM" } },
    "namespaces",
    "limited",
    /2 that cannot be read \(EPERM\)/,
    /sudo/,
  ],
  [
    "no engine",
    {
      engines: [
        {
          socket: "/run/docker.sock",
          containers: 0,
          networks: 0,
          bridges: [],
          error: { code: "ENOENT", message: "" },
        },
      ],
    },
    "docker",
    "ok",
    /no engine/,
    null,
  ],
  [
    "an engine that is down",
    {
      engines: [
        {
          socket: "/run/podman/podman.sock",
          containers: 0,
          networks: 0,
          bridges: [],
          error: { code: "ECONNREFUSED", message: "" },
        },
      ],
    },
    "podman",
    "limited",
    /nobody listens/,
    /systemctl start podman.socket/,
  ],
  [
    "an engine that lies",
    {
      engines: [
        {
          socket: "/run/docker.sock",
          containers: 0,
          networks: 0,
          bridges: [],
          error: { code: "ANSWER", message: "unexpected\x1b]0;x" },
        },
      ],
    },
    "docker",
    "limited",
    /unexpected\\x1b/,
    /systemctl restart docker/,
  ],
  [
    "a clock adrift",
    { clock: { synchronized: false, source: "tsc" } },
    "clock",
    "limited",
    /not synchronized/,
    /set-ntp true/,
  ],
];

for (const [what, change, topic, state, why, cure] of CASES)
  test(`doctor: ${what}`, () => {
    const line = diagnose({ ...HEALTHY, ...change }).find((one) => one.topic === topic);
    assert.ok(line, `no line ${topic}`);
    assert.equal(line.state, state, line.why);
    assert.match(visible(line.why), why);
    if (cure === null) assert.equal(line.cure, null);
    else assert.match(line.cure ?? "", cure);
  });

test("a name in a command is one word to the shell, whatever is in it", () => {
  const names = [
    "br-app",
    "$(touch x)",
    "a b",
    "it's",
    "\x1b[31mred",
    "a`id`",
    ";id",
    '"}x',
    "\\",
    "\\x1b",
    "\\\x1b'",
    "\u009b0",
    "\u202eab",
    "\u{e0041}z",
    "*",
  ];
  for (const name of names) {
    const word = quoteArgument(name);
    const heard = execFileSync("bash", ["--norc", "-c", `printf %s ${word}`], {
      encoding: "utf8",
      env: { LC_ALL: "C.UTF-8" },
    });
    assert.equal(heard, name, word);
    assert.doesNotMatch(word, /[\u0000-\u001f\u202e]/);
  }
});

test("chains that drop what is forwarded, in nft's own words", () => {
  const chain = (rest: object) => ({
    chain: { family: "ip", table: "filter", name: "FORWARD", handle: 2, ...rest },
  });
  const answer = {
    nftables: [
      { metainfo: { version: "1.0.6", json_schema_version: 1 } },
      chain({ type: "filter", hook: "forward", prio: 0, policy: "drop" }),
      chain({ type: "filter", hook: "forward", prio: 0, policy: "accept" }),
      chain({ type: "filter", hook: "input", prio: 0, policy: "drop" }),
      chain({ name: "DOCKER-USER" }),
      null,
    ],
  };
  const chains = [{ family: "ip", table: "filter", chain: "FORWARD" }];
  assert.deepEqual(parseNftChains(JSON.stringify(answer)), { chains, dockerUser: true });
  assert.deepEqual(parseNftChains("{}"), { chains: [], dockerUser: false });
  assert.throws(() => parseNftChains("nft: error"));
});
