/** Metrics of the capture itself: what came in, and what the other numbers miss. */
import { Family, labelText } from "./prometheus-family.js";

/** One interface listened to, or one file read. */
export interface ExposedInterface {
  readonly name: string;
  readonly packets: number;
  /** null: not known. */
  readonly dropped: number | null;
  /** The part of what the interface itself counted that was not taken in, 0 to 1; null: not known. */
  readonly residual: number | null;
  /** Gives packets still; of a file, was read without damage. */
  readonly up: boolean;
}

export interface ExposedCapture {
  readonly interfaces: readonly ExposedInterface[];
  /** By the protocols of the edges, and `arp` and `none` for what is not IP. */
  readonly traffic: readonly {
    readonly protocol: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
  readonly truncated: number;
  readonly malformed: readonly { readonly reason: string; readonly packets: number }[];
  readonly evictedConversations: number;
  /** What was not followed of a protocol, both of closed sets. */
  readonly missed: readonly {
    readonly application: string;
    readonly reason: string;
    readonly count: number;
  }[];
  readonly conversations: number;
  readonly complete: boolean;
}

/** Interfaces that have samples of their own. */
const MAX_INTERFACES = 16;

export function captureFamilies(capture: ExposedCapture): Family[] {
  return [...interfaceFamilies(capture.interfaces), ...trafficFamilies(capture), ...lossFamilies(capture)];
}

function interfaceFamilies(interfaces: readonly ExposedInterface[]): Family[] {
  const up = new Family(
    "gauge",
    "netwatch_capture_up",
    "Whether the interface gives packets (1) or not (0).",
  );
  const packets = new Family("counter", "netwatch_capture_packets_total", "Packets taken in.");
  const dropped = new Family(
    "counter",
    "netwatch_capture_dropped_packets_total",
    "Packets that the kernel had no room for; they are in no other number.",
  );
  const residual = new Family(
    "gauge",
    "netwatch_capture_residual_ratio",
    "Part of the packets counted by the interface itself that were not taken in.",
  );
  const seen = new Set<string>();
  for (const { name, ...of } of interfaces) {
    const labels = { interface: labelText(name) };
    if (seen.has(labels.interface) || seen.size >= MAX_INTERFACES) continue;
    seen.add(labels.interface);
    up.add(of.up ? 1 : 0, labels);
    packets.add(of.packets, labels);
    dropped.add(of.dropped, labels);
    residual.add(of.residual, labels);
  }
  return [up, packets, dropped, residual];
}

function trafficFamilies({ traffic }: ExposedCapture): Family[] {
  const packets = new Family("counter", "netwatch_traffic_packets_total", "Packets by protocol.");
  const bytes = new Family("counter", "netwatch_traffic_bytes_total", "Bytes on the wire by protocol.");
  for (const { protocol, ...of } of traffic) {
    packets.add(of.packets, { protocol });
    bytes.add(of.bytes, { protocol });
  }
  return [packets, bytes];
}

function lossFamilies(capture: ExposedCapture): Family[] {
  const truncated = new Family(
    "counter",
    "netwatch_capture_truncated_packets_total",
    "Packets taken in only in part; their bytes are counted as on the wire.",
  );
  const malformed = new Family(
    "counter",
    "netwatch_capture_malformed_packets_total",
    "Packets that claim to be IP and are not.",
  );
  for (const { reason, packets } of capture.malformed) malformed.add(packets, { reason });
  const missed = new Family(
    "counter",
    "netwatch_inspection_missed_total",
    "What requests and TCP health miss, by protocol and reason.",
  );
  for (const { count, ...labels } of capture.missed) missed.add(count, labels);
  return [
    truncated.add(capture.truncated),
    malformed,
    missed,
    new Family(
      "counter",
      "netwatch_conversations_evicted_total",
      "Conversations that the table had no room for; their traffic is counted.",
    ).add(capture.evictedConversations),
    new Family("gauge", "netwatch_conversations", "Conversations in the table.").add(capture.conversations),
    new Family(
      "gauge",
      "netwatch_capture_complete",
      "Whether nothing is known to be missing (1) or something is (0).",
    ).add(capture.complete ? 1 : 0),
  ];
}
