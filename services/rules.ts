import { instancesOf, type Plan } from "./topology.js";

export const TABLE = "netwatch_lab";
/** Longest-lived entry of the per-source connection meter. */
const METER_TIMEOUT = "2m";

/** The lab's whole rule set as nft text: loaded in one transaction, replacing the tables of the last run. */
export function renderRules(plan: Plan): string {
  return [
    ...["inet", "bridge"].flatMap((family) => [
      `add table ${family} ${TABLE}`,
      `delete table ${family} ${TABLE}`,
    ]),
    inetTable(plan),
    ...(plan.policies ? [bridgeTable(plan)] : []),
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
    chain("loopback_guard", "type filter hook prerouting priority raw; policy accept;", [
      rule(
        `iifname ${lab} ip daddr 127.0.0.0/8 counter drop`,
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
      rule(`iifname ${lab} oifname != ${lab} counter drop`, "nothing of the lab leaves the lab"),
      rule(`iifname != ${lab} oifname ${lab} counter drop`, "nothing from elsewhere enters"),
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
      rule(`iifname ${lab} counter drop`, "what no rule above let through"),
    ]),
  ]);
}

/** Bridged frames never reach the inet hooks unless br_netfilter is on, so the policies stand here as well. */
function bridgeTable(plan: Plan): string {
  const places = plan.instances.map((instance) => `"${instance.link}" . ${instance.address}`);
  const ports = names(plan.instances.map((instance) => instance.link));
  return table("bridge", [
    ...meters(plan),
    chain("source_identity", "type filter hook prerouting priority filter; policy accept;", [
      rule(
        `iifname ${ports} iifname . ip saddr != { ${places.join(", ")} } counter drop`,
        "a namespace speaks only as itself",
      ),
    ]),
    chain("lab_forward", "type filter hook forward priority filter; policy accept;", policies(plan)),
  ]);
}

/** The same lines in both families; each ends in a drop for what it protects. */
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
      rule(`ip daddr ${set(addresses)} counter drop`, `${service} from nobody else`),
    );
  }
  const { service } = plan.policyRules.gateway;
  const ports = [...new Set(instancesOf(plan, service).flatMap((instance) => instance.ports))];
  lines.push(
    rule(
      `ip daddr ${set(addressesOf(plan, service))} tcp dport ${set(ports)} tcp flags & (fin|syn|rst|ack) == syn update @gateway_rate { ip saddr limit rate over ${plan.policyRules.gateway.connectionsPerMinute}/minute burst ${plan.policyRules.gateway.burst} packets } counter drop`,
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
    rule(`${out} counter drop`, "egress, everything else"),
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

function chain(name: string, base: string, rules: string[]): string {
  return [`  chain ${name} {`, `    ${base}`, ...rules, "  }"].join("\n");
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
