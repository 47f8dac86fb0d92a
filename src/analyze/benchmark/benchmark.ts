/** The Benchmark: results of the same load on the same shop in different packaging. Its schema and types. */
import { z } from "zod";

const BENCHMARK_VERSION = 1;

const count = z.number().nonnegative();
const whole = z.int().nonnegative();
const text = z.string();

/** The figures that are compared, each taken once a round. */
export const FIGURES = [
  "requests_per_second",
  "p50_seconds",
  "p95_seconds",
  "p99_seconds",
  "cpu_seconds_per_request",
] as const;

const roundSchema = z.strictObject({
  turn: whole.describe("Its place among the rounds of all modes, from 1"),
  requests: whole.describe("Requests that came to an end, good or bad"),
  seconds: count,
  requests_per_second: count,
  p50_seconds: count.describe("Latency, from the connection's begin to the answer's last byte"),
  p95_seconds: count,
  p99_seconds: count,
  max_seconds: count,
  cpu_seconds_per_request: z
    .nullable(count)
    .describe("Time on a CPU of all processes that serve, a request; null: not known"),
  throttled_seconds: z
    .nullable(count)
    .describe("Time that limits of CPU held servers back, summed over them; null: no limits, or unknown"),
  errors: z
    .strictObject({
      connect: whole.describe("The connection did not come about"),
      receive: whole.describe("It broke while the answer was read"),
      exception: whole.describe(
        "The socket failed in another way; a request can count here and under receive",
      ),
      status: whole.describe("The status was not 2xx"),
    })
    .describe("Requests that failed, by kind"),
  other_length: whole.describe(
    "Answers whose body was not as long as the round's first. ApacheBench calls them failed (Length); here they are not",
  ),
});

const spreadSchema = z.strictObject({
  median: count,
  mad: count.describe("Median of the absolute deviations from the median"),
  least: count,
  most: count,
});

const hopSchema = z.strictObject({
  client: text.describe("Of the two the one that began more conversations"),
  server: text,
  packets_per_request: count,
  bytes_per_request: count.describe("On the wire, both directions"),
});

const wireSchema = z
  .strictObject({
    requests: whole,
    requests_per_second: count.describe("With netwatch listening: not among the rounds"),
    packets: whole,
    bytes: whole,
    dropped: z.nullable(whole).describe("Packets the kernel had no room for: what is missing here"),
    bytes_per_request: count.describe(
      "Of the whole shop: every hop behind the entrance, health checks and heartbeats of that time too",
    ),
    packets_per_request: count,
    entrance_bytes_per_request: count.describe("Between the load and the entrance alone, both directions"),
    handshake_p50_seconds: z
      .nullable(count)
      .describe("TCP handshake between the load and the entrance, median; null: none was seen whole"),
    hops: z.array(hopSchema).describe("Hops by bytes, largest first; the smallest are left out"),
  })
  .describe("What netwatch's own capture saw of one round more, on the shop's bridges");

const modeSchema = z.strictObject({
  mode: z.enum(["lab", "docker"]),
  origin: text,
  entrance: text.describe("The service that the load speaks to"),
  client: text.describe("Where the load comes from and what it passes on its way"),
  servers: z.record(text, whole).describe("How many servers each service has"),
  facts: z.array(text).describe("What else one should know to judge the figures"),
  rounds: z.array(roundSchema).min(1),
  figures: z.record(z.enum(FIGURES), z.nullable(spreadSchema)).describe("Over the rounds"),
  wire: z.nullable(wireSchema),
  wire_problem: z.nullable(text).describe("Why `wire` is null"),
});

const comparisonSchema = z.strictObject({
  figure: z.enum(FIGURES),
  ratio: z.nullable(count).describe("Median of the second mode over that of the first; null: that is 0"),
  p: z.number().min(0).max(1).describe("Mann-Whitney U, exact, two-sided"),
  verdict: z
    .enum(["lower", "higher", "noise", "too-few"])
    .describe(
      "The second mode beside the first: lower, higher, no difference beyond noise, or too few rounds to tell",
    ),
});

export const benchmarkSchema = z
  .strictObject({
    format: z.literal("netwatch-benchmark"),
    version: z.literal(BENCHMARK_VERSION),
    producer: text,
    time: text.describe("When it began, ISO 8601 in UTC"),
    machine: z.strictObject({ cpus: whole, cpu: text, system: text }),
    load: z.strictObject({
      tool: text,
      path: text,
      requests: z.nullable(whole).describe("Asked for in a round; null: as many as fit into its time"),
      concurrency: whole,
      duration_seconds: z.nullable(count).describe("Limit of a round that was asked for; null: none"),
      keep_alive: z.boolean().describe("One connection for many requests, or one for each"),
      rounds: whole.describe("A mode"),
      warmup_rounds: whole.describe("A mode, before the first that counts"),
    }),
    modes: z.array(modeSchema).min(1).max(2),
    left_out: z.array(z.strictObject({ mode: z.enum(["lab", "docker"]), reason: text })),
    comparisons: z
      .array(comparisonSchema)
      .describe("The second of `modes` beside the first; empty where there is one mode"),
    rule: z.nullable(text).describe("When a difference is called one; null: nothing is compared"),
    findings: z.array(
      z.strictObject({
        code: text.describe("What kind of finding: stable, for programs"),
        severity: z.enum(["info", "notice", "warning"]),
        text,
      }),
    ),
  })
  .describe("What `netwatch lab bench` found");

export type Figure = (typeof FIGURES)[number];
export type Benchmark = z.infer<typeof benchmarkSchema>;
export type BenchmarkMode = Benchmark["modes"][number];
export type BenchmarkRound = BenchmarkMode["rounds"][number];
export type Comparison = Benchmark["comparisons"][number];
export type Spread = z.infer<typeof spreadSchema>;
export type Wire = z.infer<typeof wireSchema>;
