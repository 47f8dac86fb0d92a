/** The listed rows of a Benchmark as text, for terminal and PDF. */
import type { Benchmark, BenchmarkMode, Comparison, Figure, Spread } from "../analyze/benchmark/benchmark.js";
import { formatBytes, formatCount, formatCounted, formatDuration, formatFrequency } from "../format.js";

export const FIGURE_NAMES: Readonly<Record<Figure, string>> = {
  requests_per_second: "Requests/s",
  p50_seconds: "Latency p50",
  p95_seconds: "Latency p95",
  p99_seconds: "Latency p99",
  cpu_seconds_per_request: "CPU a request",
};

const VERDICTS: Readonly<Record<Comparison["verdict"], string>> = {
  lower: "lower",
  higher: "higher",
  noise: "within noise",
  "too-few": "too few rounds",
};

/** A value of the figure as people read it. */
export function formatFigure(figure: Figure, value: number): string {
  return figure === "requests_per_second" ? formatFrequency(value) : formatDuration(value);
}

/** The median, and the MAD as a part of it: `1,054 ± 2 %`; `-` where it is not known. */
function formatSpread(figure: Figure, spread: Spread | null): string {
  if (spread === null) return "-";
  const part = spread.median === 0 ? 0 : (spread.mad / spread.median) * 100;
  return `${formatFigure(figure, spread.median)} ± ${part > 0 && part < 1 ? "<1" : Math.round(part)} %`;
}

/** A figure with its median and spread per mode, and the verdict if any. */
export interface FigureRow {
  readonly figure: string;
  readonly values: readonly string[];
  readonly ratio: string;
  readonly chance: string;
  readonly verdict: string;
}

export function figureRows({ modes, comparisons }: Benchmark): FigureRow[] {
  return (Object.keys(FIGURE_NAMES) as Figure[]).map((figure) => {
    const comparison = comparisons.find((one) => one.figure === figure);
    return {
      figure: FIGURE_NAMES[figure],
      values: modes.map(({ figures }) => formatSpread(figure, figures[figure])),
      ratio: comparison?.ratio == null ? "-" : comparison.ratio.toFixed(2),
      chance: comparison === undefined ? "-" : formatChance(comparison.p),
      verdict: comparison === undefined ? "-" : VERDICTS[comparison.verdict],
    };
  });
}

function formatChance(p: number): string {
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}

/** A kind of outcome, and its number per mode. */
export interface CountRow {
  readonly kind: string;
  readonly values: readonly string[];
}

export function outcomeRows({ modes }: Benchmark): CountRow[] {
  const sums = (pick: (round: BenchmarkMode["rounds"][number]) => number): string[] =>
    modes.map(({ rounds }) => formatCount(rounds.reduce((sum, round) => sum + pick(round), 0)));
  return [
    { kind: "Requests", values: sums(({ requests }) => requests) },
    { kind: "No connection (connect)", values: sums(({ errors }) => errors.connect) },
    { kind: "Broken answer (receive)", values: sums(({ errors }) => errors.receive) },
    { kind: "Broken socket (exception)", values: sums(({ errors }) => errors.exception) },
    { kind: "Status not 2xx (status)", values: sums(({ errors }) => errors.status) },
    { kind: "Other length, no failure", values: sums(({ other_length }) => other_length) },
  ];
}

/** A part of a request's traffic, per mode. */
export interface WireRow {
  readonly part: string;
  readonly values: readonly string[];
}

/** Totals first, then hop by hop; empty if nothing was seen. */
export function wireRows({ modes }: Benchmark): WireRow[] {
  const wires = modes.map(({ wire }) => wire);
  if (wires.every((wire) => wire === null)) return [];
  const row = (part: string, value: (wire: NonNullable<(typeof wires)[number]>) => string): WireRow => ({
    part,
    values: wires.map((wire) => (wire === null ? "-" : value(wire))),
  });
  const handshake = (seconds: number | null) => (seconds === null ? "-" : formatDuration(seconds));
  const hops = hopsOf(modes).map(({ name, bytes, packets }) => ({
    part: name,
    values: bytes.map((n, i) => (n === null ? "-" : formatHop(n, packets[i]!))),
  }));
  return [
    row("TCP handshake, load to entrance", (wire) => handshake(wire.handshake_p50_seconds)),
    row("All hops", (wire) => formatHop(wire.bytes_per_request, wire.packets_per_request)),
    ...hops,
  ];
}

function formatHop(bytes: number, packets: number): string {
  return `${formatBytes(bytes)} in ${packets.toFixed(1)}`;
}

/** A hop and its bytes and packets per request in each mode; null: the mode has no such hop. */
export interface HopFigures {
  readonly name: string;
  readonly bytes: readonly (number | null)[];
  readonly packets: readonly (number | null)[];
}

const MAX_HOPS = 8;
/** Hops with a smaller share of the bytes in every mode get no line. */
const LEAST_SHARE = 0.01;

/** The largest hops of any mode. The client of a hop is the side that began more conversations; modes may differ in that for the same hop. */
export function hopsOf(modes: readonly BenchmarkMode[]): HopFigures[] {
  const names = new Map<string, { name: string; most: number }>();
  const keyOf = (one: string, other: string): string => [one, other].sort().join(" ");
  for (const { wire } of modes)
    for (const { client, server, bytes_per_request } of wire?.hops ?? []) {
      if (bytes_per_request < wire!.bytes_per_request * LEAST_SHARE) continue;
      const key = keyOf(client, server);
      const known = names.get(key);
      names.set(key, {
        name: known?.name ?? `${client} → ${server}`,
        most: Math.max(known?.most ?? 0, bytes_per_request),
      });
    }
  return [...names]
    .sort(([, a], [, b]) => b.most - a.most)
    .slice(0, MAX_HOPS)
    .map(([key, { name }]) => {
      const hops = modes.map(({ wire }) => wire?.hops.find((hop) => keyOf(hop.client, hop.server) === key));
      return {
        name,
        bytes: hops.map((hop) => hop?.bytes_per_request ?? null),
        packets: hops.map((hop) => hop?.packets_per_request ?? null),
      };
    });
}

/** The load of each mode, in a sentence. */
export function describeLoad({ load }: Benchmark): string {
  const round = [
    load.requests === null ? "as many requests as fit" : formatCounted(load.requests, "request"),
    ...(load.duration_seconds === null ? [] : [`at most ${formatDuration(load.duration_seconds)}`]),
    `${formatCount(load.concurrency)} at a time`,
    load.keep_alive ? "connections kept" : "a connection each",
  ];
  const warmup = load.warmup_rounds === 0 ? "" : ` after ${formatCount(load.warmup_rounds)} to warm up`;
  return `${formatCounted(load.rounds, "round")} a mode${warmup}, in turn; a round: ${round.join(", ")}; ${load.tool}`;
}

export function describeMachine({ machine }: Benchmark): string {
  return `${formatCounted(machine.cpus, "CPU")} (${machine.cpu}), ${machine.system}`;
}

export function titleOf({ load, modes }: Benchmark): string {
  return `The shop under load: GET ${load.path}, ${modes.map(({ mode }) => mode).join(" and ")}`;
}
