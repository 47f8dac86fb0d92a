/** Metrics of netwatch itself: the cost of pages and polls, and the delay of the event loop. */
import type { Metric, Reading } from "./metric.js";

/** Times in seconds, sizes in bytes, counts since the start. */
export interface ExposedProcess {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Since 1970. */
  readonly startSeconds: number;
  /** The longest and the median delay of the event loop, recently. */
  readonly loopDelayMax: number;
  readonly loopDelayMean: number;
  readonly scrapes: number;
  readonly scrapeSeconds: number;
  /** Requests refused by reason: a closed set. */
  readonly refused: ReadonlyMap<string, number>;
  /** To the page; `cut`: cut off before their end, by reason: a closed set. */
  readonly connections: { readonly open: number; readonly cut: ReadonlyMap<string, number> };
  /** By what is polled: a closed set. */
  readonly polls: ReadonlyMap<
    string,
    { readonly count: number; readonly seconds: number; readonly failures: number }
  >;
  readonly reloads: { readonly ok: boolean; readonly failures: number };
}

function one(
  type: "gauge" | "counter",
  name: string,
  help: string,
  value: (process: ExposedProcess) => number,
): Metric<ExposedProcess> {
  return { type, name, help, read: (process) => [[value(process)]] };
}

/** Of each member of a closed set. */
function each<T>(
  name: string,
  help: string,
  label: string,
  of: (process: ExposedProcess) => ReadonlyMap<string, T>,
  value: (member: T) => number,
): Metric<ExposedProcess> {
  const read = (process: ExposedProcess) =>
    [...of(process)].map(([member, counts]): Reading => [value(counts), { [label]: member }]);
  return { type: "counter", name, help, read };
}

const count = (n: number): number => n;

export const PROCESS_METRICS: readonly Metric<ExposedProcess>[] = [
  one(
    "counter",
    "process_cpu_seconds_total",
    "Processor time, user and system.",
    ({ cpuSeconds }) => cpuSeconds,
  ),
  one("gauge", "process_resident_memory_bytes", "Memory in use.", ({ residentBytes }) => residentBytes),
  one(
    "gauge",
    "process_start_time_seconds",
    "Start of the process since 1970.",
    ({ startSeconds }) => startSeconds,
  ),
  one(
    "gauge",
    "netwatch_event_loop_delay_max_seconds",
    "Longest time the loop made others wait, in the last ten seconds.",
    ({ loopDelayMax }) => loopDelayMax,
  ),
  one(
    "gauge",
    "netwatch_event_loop_delay_mean_seconds",
    "Mean time the loop made others wait, in the last ten seconds.",
    ({ loopDelayMean }) => loopDelayMean,
  ),
  one("counter", "netwatch_scrapes_total", "Pages made.", ({ scrapes }) => scrapes),
  one(
    "counter",
    "netwatch_scrape_seconds_total",
    "Time spent making pages.",
    ({ scrapeSeconds }) => scrapeSeconds,
  ),
  each(
    "netwatch_polls_total",
    "Polls by what is polled.",
    "poller",
    ({ polls }) => polls,
    (of) => of.count,
  ),
  each(
    "netwatch_poll_seconds_total",
    "Time that polls took.",
    "poller",
    ({ polls }) => polls,
    (of) => of.seconds,
  ),
  each(
    "netwatch_poll_failures_total",
    "Polls that failed.",
    "poller",
    ({ polls }) => polls,
    (of) => of.failures,
  ),
  each(
    "netwatch_http_refused_total",
    "Requests refused by reason.",
    "reason",
    ({ refused }) => refused,
    count,
  ),
  one(
    "gauge",
    "netwatch_http_connections",
    "Connections to this page that are open.",
    ({ connections }) => connections.open,
  ),
  each(
    "netwatch_http_connections_cut_total",
    "Connections to this page that were cut off, by reason.",
    "reason",
    ({ connections }) => connections.cut,
    count,
  ),
  one(
    "gauge",
    "netwatch_web_config_valid",
    "Whether the web configuration in use is what its file says.",
    ({ reloads }) => Number(reloads.ok),
  ),
  one(
    "counter",
    "netwatch_web_config_failures_total",
    "Times that the web configuration could not be read again.",
    ({ reloads }) => reloads.failures,
  ),
];
