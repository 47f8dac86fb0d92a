/** The results of a benchmark in plain sentences, the most important first. */
import {
  agree,
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  formatFrequency,
  formatRatio,
} from "../../format.js";
import type { Finding } from "../snapshot/snapshot.js";
import type { Benchmark, BenchmarkMode, Comparison, Figure } from "./benchmark.js";

export type Measured = Omit<Benchmark, "findings">;

/** A figure's words in a sentence: its name, and the adjectives for less and more of it. */
const MESSAGES: Readonly<Record<Figure, { name: string; lower: string; higher: string }>> = {
  requests_per_second: {
    name: "requests a second",
    lower: "fewer requests a second",
    higher: "more requests a second",
  },
  p50_seconds: { name: "p50 latency", lower: "a lower p50 latency", higher: "a higher p50 latency" },
  p95_seconds: { name: "p95 latency", lower: "a lower p95 latency", higher: "a higher p95 latency" },
  p99_seconds: { name: "p99 latency", lower: "a lower p99 latency", higher: "a higher p99 latency" },
  cpu_seconds_per_request: {
    name: "CPU a request",
    lower: "less CPU a request",
    higher: "more CPU a request",
  },
};

/** Rounds that lie this far from their median say that something else was at work too. */
const WIDE_SPREAD = 0.1;

/** `0.72` of a ratio; three digits. */
function formatTimes(ratio: number): string {
  return ratio >= 99.5 ? formatCount(ratio) : ratio.toPrecision(ratio >= 0.995 && ratio < 9.995 ? 3 : 2);
}

export function concludeBenchmark(measured: Measured): Finding[] {
  return [
    ...measured.left_out.map(leftOut),
    ...headline(measured),
    ...unlike(measured.modes),
    ...measured.modes.flatMap(throttled),
    ...measured.modes.flatMap(failures),
    ...measured.modes.flatMap(wideSpread),
    ...measured.modes.flatMap(otherLengths),
    ...queue(measured),
    ...wire(measured.modes),
  ];
}

function leftOut({ mode, reason }: Benchmark["left_out"][number]): Finding {
  return { code: "mode-left-out", severity: "notice", text: `${mode} was left out: ${reason}.` };
}

function headline({ modes, comparisons, load }: Measured): Finding[] {
  const [first, second] = modes;
  if (!first || !second) {
    const rate = first?.figures.requests_per_second;
    if (!first || !rate) return [];
    const text = `${first.mode} alone: ${formatFrequency(rate.median)} requests a second, the median of ${formatCounted(first.rounds.length, "round")}. There is nothing to compare it with.`;
    return [{ code: "one-mode", severity: "info", text }];
  }
  if (comparisons.some(({ verdict }) => verdict === "too-few"))
    return [
      {
        code: "too-few-rounds",
        severity: "notice",
        text: `${formatCounted(load.rounds, "round")} a mode ${agree(load.rounds, "are")} too few to tell a difference from chance, however large it looks: use --rounds 5 or more.`,
      },
    ];
  const real = comparisons.filter(({ verdict }) => verdict !== "noise");
  const noise = comparisons
    .filter(({ verdict }) => verdict === "noise")
    .map(({ figure }) => MESSAGES[figure].name);
  if (real.length === 0)
    return [
      {
        code: "within-noise",
        severity: "info",
        text: `No difference between ${first.mode} and ${second.mode} beyond noise, in ${list(noise)}.`,
      },
    ];
  const rest = noise.length === 0 ? "" : ` Within noise: ${list(noise)}.`;
  return [
    {
      code: "difference",
      severity: "notice",
      text: `${second.mode} beside ${first.mode} has, beyond noise, ${list(real.map(describeDifference))}.${rest}`,
    },
  ];
}

/** Differences between the shops themselves, which may explain a difference without the packaging. */
function unlike([first, second]: readonly BenchmarkMode[]): Finding[] {
  if (!first || !second) return [];
  const services = [...new Set([...Object.keys(first.servers), ...Object.keys(second.servers)])].sort();
  const parts = services
    .map((service) => [service, countIn(first, service), countIn(second, service)] as const)
    .filter(([, one, other]) => one !== other)
    .map(([service, one, other]) => `${service} ${one} and ${other}`);
  if (parts.length === 0) return [];
  return [
    {
      code: "unlike",
      severity: "notice",
      text: `The two shops do not have the same number of servers, in ${first.mode} and in ${second.mode}: ${list(parts)}. A difference may come from that.`,
    },
  ];
}

/** A server that is held back waits, whatever the machine could do. */
function throttled({ mode, rounds }: BenchmarkMode): Finding[] {
  const held = sum(rounds.map(({ throttled_seconds }) => throttled_seconds ?? 0));
  if (held === 0) return [];
  const seconds = sum(rounds.map((round) => round.seconds));
  return [
    {
      code: "throttled",
      severity: "notice",
      text: `${mode}: limits of CPU held servers back for ${formatDuration(held)} in all, in rounds of ${formatDuration(seconds)} together. A difference may be the limit's and not the packaging's.`,
    },
  ];
}

function countIn({ servers }: BenchmarkMode, service: string): number {
  return Object.hasOwn(servers, service) ? servers[service]! : 0;
}

function describeDifference({ figure, verdict, ratio }: Comparison): string {
  const words = MESSAGES[figure][verdict === "lower" ? "lower" : "higher"];
  return ratio === null ? words : `${words} (${formatTimes(ratio)} times)`;
}

/** Requests of a round that failed. ApacheBench can count one twice. */
function countFailed({ errors, requests }: BenchmarkMode["rounds"][number]): number {
  return Math.min(requests, errors.connect + errors.receive + errors.exception + errors.status);
}

function failures(mode: BenchmarkMode): Finding[] {
  const failed = sum(mode.rounds.map(countFailed));
  if (failed === 0) return [];
  const kinds = (["connect", "receive", "exception", "status"] as const)
    .map((kind) => ({ kind, n: sum(mode.rounds.map(({ errors }) => errors[kind])) }))
    .filter(({ n }) => n > 0)
    .map(({ kind, n }) => `${formatCount(n)} ${kind}`);
  const requests = sum(mode.rounds.map((round) => round.requests));
  return [
    {
      code: "failures",
      severity: "warning",
      text: `${mode.mode}: ${formatCount(failed)} of ${formatCounted(requests, "request")} failed (${kinds.join(", ")}). A request that fails can be quick: its mode's rate and latency are not those of work done.`,
    },
  ];
}

function wideSpread(mode: BenchmarkMode): Finding[] {
  const rate = mode.figures.requests_per_second;
  if (!rate || rate.median === 0 || rate.mad / rate.median <= WIDE_SPREAD) return [];
  return [
    {
      code: "wide-spread",
      severity: "notice",
      text: `${mode.mode}: the rounds differ much among themselves (${formatFrequency(rate.least)} to ${formatFrequency(rate.most)} requests a second). The machine did other things too, or the rounds are short: use more --requests or more --rounds.`,
    },
  ];
}

function otherLengths(mode: BenchmarkMode): Finding[] {
  const other = sum(mode.rounds.map((round) => round.other_length));
  if (other === 0) return [];
  const requests = sum(mode.rounds.map((round) => round.requests));
  return [
    {
      code: "other-length",
      severity: "info",
      text: `${mode.mode}: ${formatCount(other)} of ${formatCounted(requests, "answer")} (${formatRatio(other / requests)}) ${agree(other, "were")} not as long as the first of the round. ApacheBench counts these as failed (Length). A page that changes at each request causes this, so it is not counted as a failure here.`,
    },
  ];
}

/** Little's law: what waits = rate x waiting time. */
function queue({ modes, load }: Measured): Finding[] {
  if (load.concurrency < 2) return [];
  const times = modes.flatMap(({ mode, figures }) =>
    figures.requests_per_second && figures.requests_per_second.median > 0
      ? [`${formatDuration(load.concurrency / figures.requests_per_second.median)} for ${mode}`]
      : [],
  );
  if (times.length === 0) return [];
  return [
    {
      code: "queue",
      severity: "info",
      text: `With ${formatCounted(load.concurrency, "request")} under way all the time, a request takes ${load.concurrency} divided by the rate: ${list(times)}. Such a latency is mostly waiting for the others, and says the same as the rate.`,
    },
  ];
}

function wire(modes: readonly BenchmarkMode[]): Finding[] {
  const findings: Finding[] = modes.flatMap(({ mode, wire: seen, wire_problem }): Finding[] => {
    if (seen === null)
      return wire_problem === null
        ? []
        : [{ code: "wire-unseen", severity: "notice", text: `${mode}: no capture: ${wire_problem}.` }];
    if ((seen.dropped ?? 0) === 0) return [];
    return [
      {
        code: "wire-dropped",
        severity: "warning",
        text: `${mode}: the capture lost ${formatCounted(seen.dropped!, "packet")}; its bytes a request are too few.`,
      },
    ];
  });
  const seen = modes.flatMap(({ mode, wire: w }) => (w === null ? [] : [{ mode, w }]));
  if (seen.length === 0) return findings;
  const parts = seen.map(({ mode, w }) => {
    const handshake =
      w.handshake_p50_seconds === null ? "" : `, handshake ${formatDuration(w.handshake_p50_seconds)}`;
    return `${mode} ${formatBytes(w.bytes_per_request)} in ${w.packets_per_request.toFixed(1)} packets a request${handshake}`;
  });
  findings.push({
    code: "wire",
    severity: "info",
    text: `On the wire, seen in one round each and so without a verdict: ${list(parts)}.`,
  });
  return findings;
}

function list(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? "") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
