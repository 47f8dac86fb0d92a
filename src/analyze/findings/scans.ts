/** Findings on scans: sources that try many ports or hosts with few packets each, most refused or not answered. */
import { agree, formatCount, formatCounted, formatRatio } from "../../format.js";
import { IpProtocol } from "../../net.js";
import type { FlowTable } from "../flow/flows.js";
import type { Finding } from "../snapshot/snapshot.js";
import { connectionOf } from "../sums/tcp.js";
import type { Sums } from "../sums.js";
import { countRefused } from "../tcp/quality.js";
import { sayWorst } from "./finding.js";

/** Thresholds, in one place; docs/findings.md lists them. Ports and hosts are those of Zeek's scan detection. */
export const SCAN_THRESHOLDS = {
  /** Distinct ports, or distinct hosts, where the attempt failed. */
  ports: 15,
  hosts: 25,
  /** The part of all attempts that failed. */
  failedRatio: 0.5,
  /** Packets of an attempt that failed: a SYN sent again for a minute, or a few refusals. */
  packets: 8,
} as const;
const LIMIT = SCAN_THRESHOLDS;

/** Sources that are looked at closely, those with the most failures first. */
const MAX_CANDIDATES = 16;
const PORTS = 65_536;

/** TCP only: over UDP it is unknown who began a conversation and whether an answer was expected. */
export function findScans(sums: Sums): Finding[] {
  const candidates = new Attempts(sums).trace().flatMap((trace) => {
    const [ports, hosts] = [countSet(trace.ports), countSet(trace.hosts)];
    const ratio = trace.failed / trace.attempts;
    if ((ports < LIMIT.ports && hosts < LIMIT.hosts) || ratio < LIMIT.failedRatio) return [];
    const text = `${trace.name} looks like a scan: ${formatCount(trace.failed)} of its ${formatCounted(trace.attempts, "connection attempt")} (${formatRatio(ratio)}) ${agree(trace.failed, "were")} refused or not answered, to ${formatCounted(ports, "port")} of ${formatCounted(hosts, "host")}.`;
    return [{ severity: "warning" as const, weight: trace.failed, text }];
  });
  return sayWorst("scan", "address", candidates);
}

/** What one source tried, its attempts at announced ports left out. */
interface Trace {
  readonly name: string;
  attempts: number;
  failed: number;
  /** 1 at each port, and each host's address, where an attempt failed. */
  readonly ports: Uint8Array;
  readonly hosts: Uint8Array;
}

class Attempts {
  readonly #sums: Sums;
  readonly #announced = new Map<number, ReadonlySet<number>>();

  constructor(sums: Sums) {
    this.#sums = sums;
  }

  /** What each address tried that failed often enough. Two passes over the flows at most: the first only counts. */
  trace(): readonly Trace[] {
    const { flows, addresses } = this.#sums;
    const failures = this.#countFailures();
    const least = Math.min(LIMIT.ports, LIMIT.hosts);
    const sources = [...failures.keys()].filter((source) => failures[source]! >= least);
    if (sources.length === 0) return [];
    sources.sort((x, y) => failures[y]! - failures[x]! || x - y);
    const wanted = new Set(sources.slice(0, MAX_CANDIDATES));
    const traces = new Map<number, Trace>();
    for (let flow = 0; flow < flows.count; flow++) {
      if (!isAttempt(flows, flow)) continue;
      const source = this.#end(flow, true);
      if (!wanted.has(source)) continue;
      const known = traces.get(source);
      const trace = known ?? createTrace(this.#nameOf(flow, source), addresses.count);
      if (known === undefined) traces.set(source, trace);
      this.#follow(flow, trace);
    }
    return [...traces.values()];
  }

  #countFailures(): Int32Array {
    const { flows, addresses } = this.#sums;
    const failures = new Int32Array(addresses.count);
    for (let flow = 0; flow < flows.count; flow++) {
      if (!this.#isFailed(flow)) continue;
      const source = this.#end(flow, true);
      failures[source] = failures[source]! + 1;
    }
    return failures;
  }

  #follow(flow: number, trace: Trace): void {
    const { flows } = this.#sums;
    const host = this.#end(flow, false);
    const port = flows.port(flow, !flows.isBegunByB(flow));
    if (this.#announcedBy(host).has(port)) return;
    trace.attempts++;
    if (!this.#isFailed(flow)) return;
    trace.failed++;
    trace.ports[port] = 1;
    trace.hosts[host] = 1;
  }

  /** Its name, with the address where many go by that name. */
  #nameOf(flow: number, source: number): string {
    const { flows, labels, addresses } = this.#sums;
    const label = labels.of(flow, flows.isBegunByB(flow));
    return label === labels.rest ? `${labels.text(label)} (${addresses.text(source)})` : labels.text(label);
  }

  #end(flow: number, ofSource: boolean): number {
    const { flows, addresses } = this.#sums;
    return addresses.of(flow, flows.isBegunByB(flow) === ofSource);
  }

  #announcedBy(host: number): ReadonlySet<number> {
    const known = this.#announced.get(host);
    if (known !== undefined) return known;
    const ports = this.#sums.names?.announcedPorts(this.#sums.addresses.text(host)) ?? new Set();
    this.#announced.set(host, ports);
    return ports;
  }

  #isFailed(flow: number): boolean {
    const { flows, inspector } = this.#sums;
    const [fromA, fromB] = [flows.packets(flow, false), flows.packets(flow, true)];
    if (fromA + fromB > LIMIT.packets || !isAttempt(flows, flow)) return false;
    const origIsB = flows.isBegunByB(flow);
    if ((origIsB ? fromA : fromB) === 0) return true;
    const connection = connectionOf(flows, inspector, flow);
    if (connection < 0) return false;
    return countRefused(inspector.tcp, connection, origIsB) > 0;
  }
}

/** A TCP connection whose beginning was captured. */
function isAttempt(flows: FlowTable, flow: number): boolean {
  return (flows.protocolKey(flow) & 0xff) === IpProtocol.tcp && flows.isHandshake(flow);
}

function createTrace(name: string, addresses: number): Trace {
  return { name, attempts: 0, failed: 0, ports: new Uint8Array(PORTS), hosts: new Uint8Array(addresses) };
}

function countSet(marks: Uint8Array): number {
  let count = 0;
  for (const mark of marks) count += mark;
  return count;
}
