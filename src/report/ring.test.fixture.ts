/** Snapshots for the tests of this folder. */
import { Analyzer } from "../analyze/analyzer.js";
import { buildSnapshot } from "../analyze/snapshot/build.js";
import { type Row, SNAPSHOT_VERSION, type Snapshot, type Table } from "../analyze/snapshot/snapshot.js";

/** The tables as they are, without rows. */
const { tables: EMPTY } = buildSnapshot(new Analyzer({ maxFlows: 1 }), {
  producer: "netwatch 9.9.9",
  files: [],
  dropped: null,
  names: null,
});

function table(name: string, rows: Row[]): Table {
  return { ...EMPTY[name]!, rows, total: sumRows(rows), omitted: 0 };
}

/** The sum of every column of numbers that a table sums up. */
export function sumRows(rows: readonly Row[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const row of rows)
    for (const [name, cell] of Object.entries(row))
      if (typeof cell === "number" && !name.endsWith("port") && name !== "duration")
        total[name] = (total[name] ?? 0) + cell;
  return total;
}

/** A capture in which the services sit in a ring and each sends to the next, the first the most. */
export function ringSnapshot(services: readonly string[]): Snapshot {
  const n = services.length;
  const bytesOf = (i: number) => (n - i) * 1000;
  const total = services.reduce((sum, _, i) => sum + bytesOf(i), 0);
  const counts = (i: number) => ({ packets: n - i, bytes: bytesOf(i), share: bytesOf(i) / total });
  const next = (i: number) => services[(i + 1) % n]!;
  const start = "2026-11-22T10:31:05.000000Z";
  const pair = (source: string, i: number): Row => ({
    source,
    destination: next(i),
    ...counts(i),
    conversations: 1,
  });
  const conversation = (source: string, i: number): Row => ({
    transport: "TCP",
    source,
    source_port: 40000,
    destination: next(i),
    destination_port: 80,
    packets: n - i,
    bytes: bytesOf(i),
    reply_packets: 0,
    reply_bytes: 0,
    start,
    duration: 1.5,
  });
  const endpoint = (address: string, i: number): Row => ({
    address,
    ...counts(i),
    sent_bytes: bytesOf(i),
    received_bytes: 0,
    service: address,
  });
  const packets = (n * (n + 1)) / 2;
  return {
    format: "netwatch-snapshot",
    version: SNAPSHOT_VERSION,
    producer: "netwatch 9.9.9",
    named: true,
    window: {
      start: n > 0 ? start : null,
      end: n > 0 ? "2026-11-22T10:31:25.000000Z" : null,
      duration: n > 0 ? 20 : 0,
    },
    totals: { packets, bytes: total },
    ledger: {
      interfaces: null,
      files: [{ name: "ring.pcap", packets, damage: null }],
      packets,
      captured_bytes: total,
      truncated: 0,
      malformed: [],
      non_ip: 0,
      timeless: 0,
      dropped: 0,
      evicted: { conversations: 0, packets: 0, bytes: 0 },
      inspection: { connections: 0, unfollowed: 0, gaps: 0, operations: 0 },
      unresolved_bytes: 0,
      rounded: false,
      complete: true,
    },
    findings:
      n > 0
        ? [{ code: "talker", severity: "info", text: `${services[0]} sends the most: ${bytesOf(0)} B.` }]
        : [],
    series: {
      start: n > 0 ? start : null,
      step: 1,
      classes: n > 0 ? [{ name: "TCP", packets: [1, 0, 2], bytes: [total, 0, 0] }] : [],
    },
    tables: {
      ...EMPTY,
      pairs: table("pairs", services.map(pair)),
      protocols: table("protocols", n > 0 ? [{ protocol: "TCP", packets, bytes: total, share: 1 }] : []),
      talkers: table(
        "talkers",
        services.map((service, i) => ({ service, ...counts(i) })),
      ),
      conversations: table("conversations", services.map(conversation)),
      endpoints: table("endpoints", services.map(endpoint)),
    },
  };
}
