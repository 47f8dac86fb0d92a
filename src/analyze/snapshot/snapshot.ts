/** The Snapshot: the plain value that analysis produces and every view reads. Its schema and types. */
import { z } from "zod";

/** Raised when readers of the old version would misread the new one. */
export const SNAPSHOT_VERSION = 2;

const count = z.number().nonnegative();
const text = z.string();
const timestamp = z
  .string()
  .describe("ISO 8601 in UTC with microseconds, or nanoseconds where there are any");

const cell = z
  .union([z.string(), z.number(), z.boolean(), z.null()])
  .describe("null: not known, or does not apply");

export const columnKind = z
  .enum(["text", "packets", "bytes", "count", "port", "ratio", "seconds", "milliseconds", "code", "time"])
  .describe(
    "What a cell is and its unit: ratio is 0 to 1, code a number that stands for something, time ISO 8601 text",
  );

const columnSchema = z.strictObject({
  name: text.describe("Key of the cell in every row, and the CSV heading"),
  title: text,
  kind: columnKind,
  short: text.optional().describe("A title for where there is little room; absent: `title`"),
  priority: z
    .literal([1, 2, 3, 4])
    .optional()
    .describe(
      "Where it is shown: 1 who a row is about, and 2 its main numbers, everywhere; 3 in reports and wide lists; 4 in wide lists; absent: in whole tables only",
    ),
  with: text
    .optional()
    .describe("A column that short lists show in this one: an address's port, or the other direction to add"),
  of_answers: z
    .literal(true)
    .optional()
    .describe(
      "Counts answers that were seen: where `unseen` of the row is not 0, the true number may be larger",
    ),
});

const tableSchema = z.strictObject({
  name: text,
  title: text,
  subject: z
    .enum(["traffic", "tcp", "requests", "tracking"])
    .optional()
    .describe(
      "What the rows tell of: packets and bytes, TCP's health, requests of a protocol, connection tracking",
    ),
  top: count.optional().describe("Rows that a summary shows; 0: it leaves the table out; absent: all"),
  tells_of: z
    .array(text)
    .optional()
    .describe("Protocols without a table of their own: what was missed of them is told beside this one"),
  columns: z.array(columnSchema),
  rows: z
    .array(z.record(z.string(), cell))
    .describe("Largest first. Where `omitted` is not 0, the last row is `other`"),
  total: z
    .record(z.string(), count)
    .describe("Sum of all rows, `other` included, of the columns that can be summed"),
  omitted: count.describe("Rows that are not listed but summed in the last row, `other`"),
});

const fileSchema = z.strictObject({
  name: text,
  packets: count,
  damage: z
    .nullable(z.strictObject({ offset: count, reason: text, count }))
    .describe("The first thing wrong in it, and how many there are"),
});

const interfaceSchema = z
  .strictObject({
    name: text,
    netns: z.nullable(text).describe("Network namespace it is in; null: that of netwatch"),
    engine: z.enum(["ring", "cap"]),
    clock: z
      .enum(["kernel", "arrival"])
      .describe("Whether a packet's time is when the kernel saw it or when netwatch took it"),
    filter: z.nullable(text),
    packets: count.describe("Packets taken in"),
    received: z.nullable(count).describe("Packets that passed the filter, dropped ones included"),
    dropped: z.nullable(count).describe("Packets the kernel had no room for; null: not known"),
    freezes: z.nullable(count).describe("Times the buffer was full; null: not known"),
    counted: z
      .nullable(z.strictObject({ packets: count, bytes: count }))
      .describe("What the interface itself counted meanwhile; null: not known, or there is a filter"),
    residual: z
      .nullable(z.strictObject({ packets: z.number(), bytes: z.number() }))
      .describe("`counted` less what was taken in: 0 when nothing was missed"),
    outages: count.optional().describe("Times it went away or down; absent: none"),
    ended: z.nullable(text).describe("Why it gave no more packets without being stopped"),
  })
  .describe("One network interface that was listened to");

const ledgerSchema = z
  .strictObject({
    files: z.array(fileSchema),
    interfaces: z.nullable(z.array(interfaceSchema)).describe("null: the packets came from files"),
    packets: count.describe("Packets read"),
    captured_bytes: count.describe("Bytes of them that the capture holds"),
    truncated: count.describe("Packets captured in part"),
    malformed: z
      .array(z.strictObject({ reason: text, packets: count }))
      .describe("Packets that claim to be IP and are not; OTHER in the tables"),
    non_ip: count.describe(
      "Packets that are ARP or OTHER, malformed ones included; they have no pair, talker, endpoint or conversation",
    ),
    timeless: z.nullable(count).describe("Packets without a time; null: not known"),
    tunnels: z
      .array(z.strictObject({ kind: text, packets: count, reason: text.optional() }))
      .optional()
      .describe(
        "Packets that carry another IP packet, by kind of tunnel, whose inner addresses are not in the tables; with --decapsulate by reason; absent: none",
      ),
    decapsulated: z
      .array(z.strictObject({ kind: text, packets: count }))
      .optional()
      .describe(
        "Packets that the tables count by the headers inside a tunnel, by kind of the outermost one; absent: tunnels were not entered",
      ),
    dropped: z.nullable(count).describe("Packets the capturing machine says it lost; null: it does not say"),
    evicted: z
      .nullable(z.strictObject({ conversations: count, packets: count, bytes: count }))
      .describe(
        "Evicted from the flow table; the row `other`. A conversation that continues is added again and counts once more in `conversations`, packets and bytes do not; null: not known",
      ),
    inspection: z
      .nullable(
        z.strictObject({
          connections: count.describe(
            "TCP connections, or parts of them, that had no room and are summed in the row `other` of tcp: one that continues is added again and counts as another there, and here once more if it has no room again",
          ),
          unfollowed: count.describe("Connections whose content was not followed because there was no room"),
          gaps: count.describe(
            "Holes in what was captured where requests were followed: those in them are not counted",
          ),
          operations: count.describe("Operations that are summed as `(other)`"),
          missed: z
            .array(z.strictObject({ application: text, reason: text, count }))
            .optional()
            .describe("What was not followed of a protocol, by reason; absent: nothing"),
        }),
      )
      .describe("What the tables of TCP and of the application protocols miss; null: not known"),
    unresolved_bytes: z
      .nullable(count)
      .describe("Bytes to or from an address that the names do not know; null: no names in use"),
    name_sources: z
      .array(
        z.strictObject({
          source: text,
          reason: text.describe("Of the last failure"),
          count: count.describe("Failures in all"),
          failing: z.boolean().describe("It failed the last time"),
          omitted: count
            .optional()
            .describe("Names and addresses of it that had no room and are not used; absent: none"),
        }),
      )
      .optional()
      .describe("Sources of names that failed, or gave more than there is room for; absent: none did"),
    rounded: z.boolean().describe("Byte counts passed 2^53 and are no longer exact"),
    complete: z
      .boolean()
      .describe("Nothing is known to be missing: no drop, no damage, no interface lost, nothing missed"),
  })
  .describe("What the numbers miss");

const seriesSchema = z
  .strictObject({
    start: z.nullable(timestamp),
    step: z.number().positive().describe("Seconds"),
    classes: z.array(z.strictObject({ name: text, packets: z.array(count), bytes: z.array(count) })),
  })
  .describe("Throughput over time");

export const severity = z.enum(["info", "notice", "warning"]);

const findingSchema = z.strictObject({
  code: text.describe("What kind of finding: stable, for programs"),
  severity,
  text: text.describe("One plain sentence with its numbers"),
});

const conntrackSchema = z
  .strictObject({
    namespaces: z.array(
      z.strictObject({
        netns: z.nullable(text).describe("null: the one netwatch ran in"),
        entries: z.nullable(count).describe("null: not known"),
        limit: z.nullable(count).describe("null: the kernel does no connection tracking there"),
        accounting: z
          .nullable(z.boolean())
          .describe("Whether new connections are counted in packets and bytes"),
        bridge_ipv4: z
          .nullable(z.boolean())
          .describe("Whether bridged IPv4 is tracked; null: no br_netfilter"),
        bridge_ipv6: z.nullable(z.boolean()),
        resyncs: count.describe("Lists that changed or overran while they were read, and were read again"),
        failures: count.describe("Polls that gave nothing, or not all"),
        malformed: count,
        problem: z.nullable(text).describe("Why the last poll gave nothing or not all"),
      }),
    ),
    evidence: z
      .array(
        z.strictObject({
          verdict: z.enum(["both", "wire-only", "conntrack-only"]),
          cause: z.nullable(text).describe("Likely cause where only one of the two saw it"),
          count: count.describe("Conversations; of `conntrack-only` tracked connections"),
          bytes: count.describe("Bytes on the wire"),
        }),
      )
      .describe("Who saw the conversations: the wire, connection tracking, or both"),
    counted: z
      .strictObject({
        connections: count,
        packets: count,
        bytes: count.describe("On the wire, link headers included"),
        tracked_packets: count,
        tracked_bytes: count.describe("IP bytes"),
      })
      .optional()
      .describe("Both counts of the connections that both saw whole; absent: accounting was off, or none"),
    connections: tableSchema.describe("One connection a row, its conversations before and after NAT joined"),
  })
  .describe("What connection tracking says beside the packets");

export const snapshotSchema = z
  .strictObject({
    format: z.literal("netwatch-snapshot"),
    version: z.literal(SNAPSHOT_VERSION),
    producer: text,
    named: z.boolean().describe("Whether names stand for addresses in the tables of services"),
    redacted: z
      .boolean()
      .optional()
      .describe("Stand-ins are shown for names that the packets hold; absent: no"),
    window: z.strictObject({
      start: z.nullable(timestamp),
      end: z.nullable(timestamp),
      duration: count.describe("Seconds"),
    }),
    totals: z.strictObject({ packets: count, bytes: count }),
    ledger: ledgerSchema,
    findings: z.array(findingSchema),
    series: seriesSchema,
    conntrack: conntrackSchema.optional().describe("Absent: connection tracking was not asked"),
    tables: z
      .object({
        pairs: tableSchema,
        protocols: tableSchema,
        talkers: tableSchema,
        conversations: tableSchema,
        endpoints: tableSchema,
        tcp: tableSchema.describe("How TCP fares from one service to another"),
      })
      .catchall(
        tableSchema.describe("What services ask of each other in one protocol, a row for each operation"),
      )
      .describe("By name, in the order they are shown"),
  })
  .describe("What netwatch saw of a network in a window of time");

export type Cell = z.infer<typeof cell>;
export type Row = Readonly<Record<string, Cell>>;
/** Rows in their order. An array, or made one by one while they are read; either can be read again. */
export interface Rows extends Iterable<Row> {
  readonly length: number;
}
export type Column = z.infer<typeof columnSchema>;
export type ColumnKind = Column["kind"];
export type Table = Omit<z.infer<typeof tableSchema>, "rows"> & { readonly rows: Rows };
export type Ledger = z.infer<typeof ledgerSchema>;
export type LedgerInterface = z.infer<typeof interfaceSchema>;
export type LedgerFile = z.infer<typeof fileSchema>;
export type Finding = z.infer<typeof findingSchema>;
export type SeriesData = z.infer<typeof seriesSchema>;
export type Conntrack = Omit<z.infer<typeof conntrackSchema>, "connections"> & {
  readonly connections: Table;
};
/** Tables that every Snapshot has. */
export type CoreTable = keyof typeof snapshotSchema.shape.tables.shape;
/** By name, in the order they are shown: those that every Snapshot has, and one for each protocol whose requests are read. */
export type Tables = Readonly<Record<CoreTable, Table>> & { readonly [name: string]: Table };
export type Snapshot = Omit<z.infer<typeof snapshotSchema>, "tables" | "conntrack"> & {
  readonly conntrack?: Conntrack | undefined;
  readonly tables: Tables;
};

/** Tables of connection tracking, in the order they are shown. */
export type ConntrackTableName = "services" | "states" | "nat" | "established" | "limits" | "connections";

/** Connection tracking of one or more namespaces at one moment: the value that `netwatch connections` shows. */
export interface ConnectionsSnapshot {
  readonly format: "netwatch-connections";
  readonly version: 1;
  readonly producer: string;
  /** ISO 8601; null: read from a file, time unknown. */
  readonly time: string | null;
  readonly named: boolean;
  /** Nothing is missing: every table was read completely. */
  readonly complete: boolean;
  readonly findings: readonly Finding[];
  readonly tables: Readonly<Record<ConntrackTableName, Table>>;
}

export type HealthState = "up" | "down" | "degraded" | "unknown";

/** Health of one server. Latencies are from request to answer, of answered checks; null: none yet. */
export interface HealthTargetReport {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly check: string;
  readonly state: HealthState;
  /** Why it is down or degraded. */
  readonly reason: string | null;
  readonly latency_seconds: number | null;
  /** Seconds of `latency_seconds` in which netwatch itself was busy: the server may have answered that much earlier. null: unknown. */
  readonly own_delay_seconds: number | null;
  readonly p50_seconds: number | null;
  readonly p95_seconds: number | null;
  /** ISO 8601: when the state last became another; null: never since the first check. */
  readonly changed: string | null;
  /** Checks answered of all in the window, 0 to 1; null: none yet. */
  readonly availability: number | null;
  /** Oldest first, bounded. */
  readonly history: readonly HealthState[];
}

/** The health of all services at one moment: the value that `netwatch health` and the monitor show. */
export interface HealthReport {
  readonly format: "netwatch-health";
  readonly version: 1;
  /** ISO 8601. */
  readonly time: string;
  readonly targets: readonly HealthTargetReport[];
}
