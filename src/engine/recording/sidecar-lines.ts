/** The lines of a sidecar: data that a capture file cannot hold, so that a replay equals the live run. */
import { z } from "zod";
import { addressText, entrySchema } from "../../capture/conntrack/conntrack-json.js";
import { CHECKS } from "../../capture/health/health.js";
import { parseCidr } from "../../net.js";

export const SIDECAR_VERSION = 1;

const time = z.string().describe("When it was read, ISO 8601 in UTC");
const us = z.number().describe("Microseconds since 1970");
const text = z.string();
const count = z.number().nonnegative();
const block = text.refine((it) => parseCidr(it) !== null, "not a block of addresses");

const headSchema = z
  .strictObject({
    kind: z.literal("netwatch-sidecar"),
    version: z.literal(SIDECAR_VERSION),
    time,
    producer: text,
  })
  .describe("The first line");

const namesSchema = z
  .strictObject({
    kind: z.literal("names"),
    time,
    rest: text.nullable().describe("What an address without a name is called; null: by its address"),
    holdings: z
      .array(
        z.strictObject({
          address: addressText,
          name: text,
          ports: z.array(z.int().min(0).max(0xffff)).describe("It goes by this name at these; empty: at all"),
          from_us: us.nullable().describe("Since when; null: always"),
          to_us: us.nullable().describe("Until when, not inclusive; null: it still does"),
        }),
      )
      .describe("Who holds, or held, which address. Of two that fit, the first is right"),
    groups: z.array(z.strictObject({ block, name: text })).describe("Names of whole networks"),
    announced: z
      .array(z.strictObject({ address: addressText, ports: z.array(z.int().min(0).max(0xffff)) }))
      .optional()
      .describe("Ports that services say they serve, or served, at; absent: none but those of holdings"),
  })
  .describe("All names known by then; written when they have changed. It replaces the line before");

const factsSchema = z
  .strictObject({
    count,
    limit: count,
    accounting: z.boolean(),
    bridge_ipv4: z.boolean().nullable().describe("Whether bridged IPv4 is tracked; null: no br_netfilter"),
    bridge_ipv6: z.boolean().nullable(),
    failures: z.strictObject({ insert_failed: count, dropped: count, early_dropped: count }).nullable(),
    timeouts: z.record(text, count).describe("Seconds, by the sysctl's name: `tcp_timeout_established`"),
  })
  .describe("What the kernel says of its connection tracking beside the entries");

const namespaceSchema = z.strictObject({
  netns: text.nullable().describe("null: the one netwatch ran in"),
  facts: factsSchema.nullable(),
  resyncs: count,
  failures: count,
  odd: count.describe("Messages that were no entries"),
  problem: text.nullable().describe("Why this poll gave nothing or not all"),
  omitted: count.describe("Entries beyond the bound"),
  unknown: z
    .literal(true)
    .optional()
    .describe("This poll gave no entries: those of lines before do not hold"),
  entries: z
    .array(entrySchema)
    .nullable()
    .describe("null: not written with this poll, to bound the file; those of the line before still hold"),
});

const conntrackSchema = z
  .strictObject({
    kind: z.literal("conntrack"),
    time,
    capture: z
      .strictObject({
        netns: text.nullable(),
        bridge: z.boolean().describe("The interfaces are bridges"),
        networks: z.array(block).describe("Networks that the interfaces lead to"),
        own_addresses: z.array(addressText).describe("Addresses of the interfaces' namespace"),
        start_us: us.describe("When packets began to be taken"),
        end_us: us.describe("Until when they were taken by this line"),
        poll_us: us.describe("When the entries had been read"),
        gap: z.boolean().describe("Packets were dropped, filtered or evicted"),
      })
      .describe("What is known of the capture beside its packets"),
    namespaces: z.array(namespaceSchema),
  })
  .describe("One poll of connection tracking. It replaces the line before");

const healthSchema = z
  .strictObject({
    kind: z.literal("health"),
    time,
    time_us: us.describe("When the round was over"),
    checks: z.array(
      z.strictObject({
        service: text,
        address: addressText,
        port: z.int().min(1).max(0xffff),
        check: z.enum(CHECKS),
        time_us: us.describe("When it answered, or was given up"),
        failure: text.nullable().describe("Why it does not serve; null: it serves"),
        seconds: count,
        own_seconds: count
          .nullish()
          .describe("How much of `seconds` netwatch was at work itself; null or absent: not known"),
      }),
    ),
  })
  .describe("One round of health checks: every service that was asked");

export const sidecarLine = z.discriminatedUnion("kind", [
  headSchema,
  namesSchema,
  conntrackSchema,
  healthSchema,
]);
export type SidecarLine = z.infer<typeof sidecarLine>;
export type NamesLine = z.infer<typeof namesSchema>;
export type ConntrackLine = z.infer<typeof conntrackSchema>;
export type HealthLine = z.infer<typeof healthSchema>;
