import { instancesOf, type Plan } from "../topology.js";

export const TABLE = "netwatch_lab";
/** Longest-lived entry of the per-source connection meter. */
const METER_TIMEOUT = "2m";
/** Lifetime of a packet's note: much longer than the time between two looks. */
const NOTE_TIMEOUT = "1m";
const MAX_NOTES = 4096;

/** Why a packet is dropped. Each has its own chain, which notes the sender before it drops. */
export const DROP_REASONS = [
  "loopback-guard",
  "containment",
  "restricted-service",
  "gateway-rate",
  "egress",
  "source-identity",
  "not-allowed",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** The senders of new connections to a service that moves, at any port. */
export const DIALS = "dials";

const dropChain = (reason: DropReason): string => `drop_${reason.replaceAll("-", "_")}`;
const noteSet = (reason: DropReason): string => `noted_${reason.replaceAll("-", "_")}`;

/** The reason whose chain or set has this name in the kernel. */
export function reasonOf(name: string): DropReason | undefined {
  return DROP_REASONS.find((reason) => name === dropChain(reason) || name === noteSet(reason));
}

/** The lab's whole rule set as nft text: loaded in one transaction, replacing the tables of the last run. */
export function renderRules(plan: Plan): string {
  return [
    ...["inet", "bridge"].flatMap((family) => [
      `add table ${family} ${TABLE}`,
      `delete table ${family} ${TABLE}`,
    ]),
    inetTable(plan),
    bridgeTable(plan),
    "",
  ].join("\n");
}

function inetTable(plan: Plan): string {
  const lab = names([...bridgeNames(plan), ...plan.outside.map((outside) => outside.link)]);
  const bridges = names(bridgeNames(plan));
  const networks = set(plan.bridges.map((bridge) => bridge.network));
  const client = plan.outside.find((outside) => outside.name === "client");
  const internet = plan.outside.find((outside) => outside.name === "internet");
  const target = instancesOf(plan, plan.forward.service)[0]!;
  const dnat = `tcp dport ${plan.forward.port} dnat ip to ${target.address}:${plan.forward.servicePort}`;
  const own = set([
    "127.0.0.1",
    ...plan.bridges.map((bridge) => bridge.address),
    ...plan.outside.map((outside) => outside.hostAddress),
  ]);
  const to = names(internet ? [internet.link] : []);
  return table("inet", [
    ...(plan.policies ? meters(plan) : []),
    ...dropChains(["loopback-guard", "containment", "not-allowed"]),
    ...(plan.policies ? dropChains(["restricted-service", "gateway-rate", "egress"]) : []),
    chain("loopback_guard", "type filter hook prerouting priority raw; policy accept;", [
      rule(
        `iifname ${lab} ip daddr 127.0.0.0/8 ${dropFor("loopback-guard")}`,
        "route_localnet must not open the host's loopback",
      ),
    ]),
    chain("forward_port", "type nat hook prerouting priority dstnat; policy accept;", [
      rule(`iifname ${lab} fib daddr type local ${dnat}`, "from the lab's own links only"),
    ]),
    chain("forward_port_local", "type nat hook output priority -100; policy accept;", [
      rule(`ip daddr ${own} ${dnat}`, "so that localhost works"),
    ]),
    chain("source_nat", "type nat hook postrouting priority srcnat; policy accept;", [
      rule(
        `ip saddr 127.0.0.0/8 oifname ${bridges} masquerade`,
        "localhost becomes an address nginx can answer",
      ),
      rule(
        `ip saddr ${networks} ip daddr ${target.address} ct status dnat masquerade`,
        "hairpin: the answer must come back here",
      ),
      rule(`ip saddr ${networks} oifname ${to} masquerade`, "services speak to the internet as the host"),
    ]),
    chain("lab_forward", "type filter hook forward priority filter; policy accept;", [
      rule(`iifname ${lab} oifname != ${lab} ${dropFor("containment")}`, "nothing of the lab leaves the lab"),
      rule(`iifname != ${lab} oifname ${lab} ${dropFor("containment")}`, "nothing from elsewhere enters"),
      ...(plan.policies ? policies(plan) : []),
      rule(`iifname ${lab} ct state established,related counter accept`, "answers to what was let through"),
      ...(client
        ? [
            rule(
              `iifname "${client.link}" ct status dnat counter accept`,
              "outside clients only by the forwarded port",
            ),
          ]
        : []),
      rule(`iifname ${bridges} oifname ${bridges} counter accept`, "between and within the bridges"),
      ...(plan.policies ? egress(plan, bridges, to) : []),
      ...(plan.policies
        ? []
        : [rule(`iifname ${bridges} oifname ${to} counter accept`, "out to the internet host")]),
      rule(`iifname ${lab} ${dropFor("not-allowed")}`, "what no rule above let through"),
    ]),
  ]);
}

/**
 * Bridged frames never reach the inet hooks unless br_netfilter is on, so the policies are here as well. Every frame that
 * goes to an instance passes the last hook of the bridge, whatever its sender: only this hook sees every dial.
 */
function bridgeTable(plan: Plan): string {
  const dials = chain(
    "seen_dials",
    "type filter hook postrouting priority filter; policy accept;",
    dialRules(plan),
  );
  const dialSet = noteSetOf(DIALS, "ip saddr . ip daddr . tcp dport");
  if (!plan.policies) return table("bridge", [dialSet, dials]);
  const places = plan.instances.map((instance) => `"${instance.link}" . ${instance.address}`);
  const ports = names(plan.instances.map((instance) => instance.link));
  return table("bridge", [
    ...meters(plan),
    dialSet,
    ...dropChains(["restricted-service", "gateway-rate", "source-identity"]),
    chain("source_identity", "type filter hook prerouting priority filter; policy accept;", [
      rule(
        `iifname ${ports} iifname . ip saddr != { ${places.join(", ")} } ${dropFor("source-identity")}`,
        "a namespace speaks only as itself",
      ),
    ]),
    chain("lab_forward", "type filter hook forward priority filter; policy accept;", policies(plan)),
    dials,
  ]);
}

/** Notes each new connection to a service that moves; decides nothing. */
function dialRules(plan: Plan): string[] {
  const services = [...new Set(plan.instances.filter(({ moving }) => moving).map(({ service }) => service))];
  return services.map((service) => {
    const ports = [...new Set(instancesOf(plan, service).flatMap((instance) => instance.ports))];
    const to = `ip daddr ${set(addressesOf(plan, service))} tcp dport ${set(ports)}`;
    const note = `update @${DIALS} { ip saddr . ip daddr . tcp dport counter }`;
    return rule(`${to} tcp flags & (fin|syn|rst|ack) == syn ${note}`, `who dials ${service}`);
  });
}

/** Counts matching packets and jumps to the reason's chain. */
function dropFor(reason: DropReason): string {
  return `counter goto ${dropChain(reason)}`;
}

/**
 * A full set ends its rule, so the note and the drop are two rules: a packet that cannot be noted is still dropped and
 * counted.
 */
function dropChains(reasons: readonly DropReason[]): string[] {
  const key = "iifname . ip saddr . ip daddr . meta l4proto . th dport";
  return reasons.flatMap((reason) => [
    noteSetOf(noteSet(reason), key),
    chain(dropChain(reason), undefined, [
      rule(`meta l4proto { tcp, udp } update @${noteSet(reason)} { ${key} counter }`, "who it was"),
      rule("counter drop", reason),
    ]),
  ]);
}

function noteSetOf(name: string, key: string): string {
  return [
    `  set ${name} {`,
    `    typeof ${key}`,
    `    size ${MAX_NOTES}`,
    "    flags dynamic,timeout",
    `    timeout ${NOTE_TIMEOUT}`,
    "  }",
  ].join("\n");
}

/** The same lines in both families; each ends with a drop for the protected service. */
function policies(plan: Plan): string[] {
  const lines: string[] = [];
  for (const service of plan.policyRules.restricted) {
    const addresses = addressesOf(plan, service);
    const callers = Object.keys(plan.calls).filter((caller) => plan.calls[caller]!.includes(service));
    const from = callers.flatMap((caller) => addressesOf(plan, caller));
    const ports = [...new Set(instancesOf(plan, service).flatMap((instance) => instance.ports))];
    lines.push(
      rule(
        `ip saddr ${set(from)} ip daddr ${set(addresses)} tcp dport ${set(ports)} counter accept`,
        `${service} from ${callers.join(", ")}`,
      ),
      rule(`ip daddr ${set(addresses)} ${dropFor("restricted-service")}`, `${service} from other sources`),
    );
  }
  const { service } = plan.policyRules.gateway;
  const ports = [...new Set(instancesOf(plan, service).flatMap((instance) => instance.ports))];
  lines.push(
    rule(
      `ip daddr ${set(addressesOf(plan, service))} tcp dport ${set(ports)} tcp flags & (fin|syn|rst|ack) == syn update @gateway_rate { ip saddr limit rate over ${plan.policyRules.gateway.connectionsPerMinute}/minute burst ${plan.policyRules.gateway.burst} packets } ${dropFor("gateway-rate")}`,
      "new connections to the gateway, per source",
    ),
  );
  return lines;
}

function egress(plan: Plan, bridges: string, to: string): string[] {
  const { tcp, udp } = plan.policyRules.egress;
  const out = `iifname ${bridges} oifname ${to}`;
  return [
    rule(`${out} tcp dport ${set(tcp)} counter accept`, "egress"),
    rule(`${out} udp dport ${set(udp)} counter accept`, "egress"),
    rule(`${out} limit rate 5/second burst 10 packets log prefix "netwatch-lab egress: "`, "egress log"),
    rule(`${out} ${dropFor("egress")}`, "egress, everything else"),
  ];
}

function meters(plan: Plan): string[] {
  const size = plan.instances.length + plan.outside.length + plan.bridges.length + 64;
  return [
    [
      "  set gateway_rate {",
      "    type ipv4_addr",
      `    size ${size}`,
      "    flags dynamic,timeout",
      `    timeout ${METER_TIMEOUT}`,
      "  }",
    ].join("\n"),
  ];
}

function bridgeNames(plan: Plan): string[] {
  return plan.bridges.map((bridge) => bridge.name);
}

function addressesOf(plan: Plan, service: string): string[] {
  return instancesOf(plan, service).map((instance) => instance.address);
}

function table(family: string, parts: string[]): string {
  return [`table ${family} ${TABLE} {`, ...parts, "}"].join("\n");
}

/** `base`: its hook; absent: other chains jump to it. */
function chain(name: string, base: string | undefined, rules: string[]): string {
  return [`  chain ${name} {`, ...(base === undefined ? [] : [`    ${base}`]), ...rules, "  }"].join("\n");
}

function rule(body: string, comment: string): string {
  return `    ${body} comment "${comment}"`;
}

function set(values: readonly (string | number)[]): string {
  return `{ ${values.join(", ")} }`;
}

function names(values: readonly string[]): string {
  return set(values.map((value) => `"${value}"`));
}
