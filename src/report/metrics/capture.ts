/** Metrics of the capture itself: received packets, and the gaps of the other numbers. */
import { labelText } from "../../format.js";
import { distinct, type Metric, type Reading } from "./metric.js";

/** One interface listened to, or one file read. */
export interface ExposedInterface {
  readonly name: string;
  readonly packets: number;
  /** null: not known. */
  readonly dropped: number | null;
  /** Share of the interface's own count that was not captured, 0 to 1; null: unknown. */
  readonly residual: number | null;
  /** Still delivers packets; for a file: was read without damage. */
  readonly up: boolean;
}

export interface ExposedCapture {
  readonly interfaces: readonly ExposedInterface[];
  /** By the protocols of the edges, and `arp` and `none` for other packets. */
  readonly traffic: readonly {
    readonly protocol: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
  readonly truncated: number;
  readonly malformed: readonly { readonly reason: string; readonly packets: number }[];
  readonly evictedConversations: number;
  /** Application and reason of data that was not followed, both from closed sets. */
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

function* ofInterfaces(
  { interfaces }: ExposedCapture,
  value: (one: ExposedInterface) => number | null,
): Iterable<Reading> {
  for (const one of distinct(interfaces, ({ name }) => labelText(name), MAX_INTERFACES))
    yield [value(one), { interface: labelText(one.name) }];
}

export const CAPTURE_METRICS: readonly Metric<ExposedCapture>[] = [
  {
    type: "gauge",
    name: "netwatch_capture_up",
    help: "Whether the interface gives packets (1) or not (0).",
    read: (capture) => ofInterfaces(capture, ({ up }) => Number(up)),
  },
  {
    type: "counter",
    name: "netwatch_capture_packets_total",
    help: "Packets taken in.",
    read: (capture) => ofInterfaces(capture, ({ packets }) => packets),
  },
  {
    type: "counter",
    name: "netwatch_capture_dropped_packets_total",
    help: "Packets that the kernel had no room for; they are in no other number.",
    read: (capture) => ofInterfaces(capture, ({ dropped }) => dropped),
  },
  {
    type: "gauge",
    name: "netwatch_capture_residual_ratio",
    help: "Part of the packets counted by the interface itself that were not taken in.",
    read: (capture) => ofInterfaces(capture, ({ residual }) => residual),
  },
  {
    type: "counter",
    name: "netwatch_traffic_packets_total",
    help: "Packets by protocol.",
    read: ({ traffic }) => traffic.map(({ protocol, packets }): Reading => [packets, { protocol }]),
  },
  {
    type: "counter",
    name: "netwatch_traffic_bytes_total",
    help: "Bytes on the wire by protocol.",
    read: ({ traffic }) => traffic.map(({ protocol, bytes }): Reading => [bytes, { protocol }]),
  },
  {
    type: "counter",
    name: "netwatch_capture_truncated_packets_total",
    help: "Packets taken in only in part; their bytes are counted as on the wire.",
    read: ({ truncated }) => [[truncated]],
  },
  {
    type: "counter",
    name: "netwatch_capture_malformed_packets_total",
    help: "Packets that claim to be IP and are not.",
    read: ({ malformed }) => malformed.map(({ reason, packets }): Reading => [packets, { reason }]),
  },
  {
    type: "counter",
    name: "netwatch_inspection_missed_total",
    help: "What requests and TCP health miss, by protocol and reason.",
    read: ({ missed }) => missed.map(({ count, ...labels }): Reading => [count, labels]),
  },
  {
    type: "counter",
    name: "netwatch_conversations_evicted_total",
    help: "Times a conversation was evicted from the table, again each time for one that continues; their traffic is counted.",
    read: ({ evictedConversations }) => [[evictedConversations]],
  },
  {
    type: "gauge",
    name: "netwatch_conversations",
    help: "Conversations in the table.",
    read: ({ conversations }) => [[conversations]],
  },
  {
    type: "gauge",
    name: "netwatch_capture_complete",
    help: "Whether nothing is known to be missing (1) or something is (0).",
    read: ({ complete }) => [[Number(complete)]],
  },
];
