/** Benchmarks made of given rates, for tests of its texts and charts. */
import { type Benchmark, type BenchmarkMode, type BenchmarkRound, FIGURES, type Wire } from "./benchmark.js";
import { compareModes, RULE, valuesOf } from "./compare.js";
import { concludeBenchmark, type Measured } from "./conclusion.js";
import { spreadOf } from "./statistics.js";

/** A round at 50 requests at a time: its latencies follow from the rate. */
export function makeRound(turn: number, rate: number, change: Partial<BenchmarkRound> = {}): BenchmarkRound {
  const p50 = 50 / rate;
  return {
    turn,
    requests: 1000,
    seconds: 1000 / rate,
    requests_per_second: rate,
    p50_seconds: p50,
    p95_seconds: p50 * 1.6,
    p99_seconds: p50 * 2.1,
    max_seconds: p50 * 3,
    cpu_seconds_per_request: 0.0015,
    throttled_seconds: null,
    errors: { connect: 0, receive: 0, exception: 0, status: 0 },
    other_length: 0,
    ...change,
  };
}

export function makeMode(
  mode: BenchmarkMode["mode"],
  rounds: readonly BenchmarkRound[],
  wire: Wire | null = null,
): BenchmarkMode {
  const figures = FIGURES.map((figure) => {
    const values = valuesOf({ rounds: [...rounds] }, figure);
    return [figure, values === null ? null : spreadOf(values)] as const;
  });
  return {
    mode,
    origin: mode === "lab" ? "http://198.51.100.1:8080" : "http://172.31.80.10:80",
    entrance: "nginx-lb",
    client: mode === "lab" ? "namespace client" : "this host",
    servers: { "nginx-lb": 1, "product-service": mode === "lab" ? 3 : 2, web: 1 },
    facts: [
      mode === "lab" ? "14 servers in network namespaces." : "15 containers. No container has a limit.",
    ],
    rounds: [...rounds],
    figures: Object.fromEntries(figures) as BenchmarkMode["figures"],
    wire,
    wire_problem: wire === null ? "tests have no bridge" : null,
  };
}

export function makeWire(change: Partial<Wire> = {}): Wire {
  const hops = [
    ["client", "nginx-lb", 10, 2069.7],
    ["api-gateway", "product-service", 3, 1704.8],
    ["nginx-lb", "api-gateway", 3.4, 1683.5],
    ["product-service", "redis-cache", 1.4, 1238.9],
    ["order-service", "service-registry", 0.03, 7.3],
  ] as const;
  return {
    requests: 1000,
    requests_per_second: 900,
    packets: 17_853,
    bytes: 6_710_906,
    dropped: 0,
    bytes_per_request: 6710.906,
    packets_per_request: 17.853,
    entrance_bytes_per_request: 2069.7,
    handshake_p50_seconds: 0.000_083,
    hops: hops.map(([client, server, packets_per_request, bytes_per_request]) => ({
      client,
      server,
      packets_per_request,
      bytes_per_request,
    })),
    ...change,
  };
}

export function makeBenchmark(
  modes: BenchmarkMode[],
  left_out: Benchmark["left_out"] = [],
  load: Partial<Benchmark["load"]> = {},
): Benchmark {
  const [first, second] = modes;
  const measured: Measured = {
    format: "netwatch-benchmark",
    version: 1,
    producer: "netwatch test",
    time: "2026-11-22T13:20:00.000Z",
    machine: { cpus: 2, cpu: "Test CPU", system: "Linux 6.1" },
    load: {
      tool: "ab 2.3",
      path: "/products",
      requests: 1000,
      concurrency: 50,
      duration_seconds: null,
      keep_alive: false,
      rounds: first?.rounds.length ?? 0,
      warmup_rounds: 2,
      ...load,
    },
    modes,
    left_out,
    comparisons: first && second ? compareModes(first, second) : [],
    rule: first && second ? RULE : null,
  };
  return { ...measured, findings: concludeBenchmark(measured) };
}

/** Rates in the order of their turns, the modes taking turns as A B, B A. */
export function makeRounds(rates: readonly number[], place: 0 | 1): BenchmarkRound[] {
  return rates.map((rate, i) => makeRound(2 * i + 1 + (i % 2 === 0 ? place : 1 - place), rate));
}
