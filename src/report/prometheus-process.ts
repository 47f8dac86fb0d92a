/** Metrics of netwatch itself: what a page and a poll cost, and whether the loop keeps up. */
import { Family } from "./prometheus-family.js";

/** Times in seconds, sizes in bytes, counts since the start. */
export interface ExposedProcess {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Since 1970. */
  readonly startSeconds: number;
  /** The longest and the usual time that the loop made others wait, lately. */
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

export function processFamilies(process: ExposedProcess): Family[] {
  const gauge = (name: string, help: string, value: number) => new Family("gauge", name, help).add(value);
  const counter = (name: string, help: string, value: number) => new Family("counter", name, help).add(value);
  return [
    counter("process_cpu_seconds_total", "Processor time, user and system.", process.cpuSeconds),
    gauge("process_resident_memory_bytes", "Memory in use.", process.residentBytes),
    gauge("process_start_time_seconds", "Start of the process since 1970.", process.startSeconds),
    gauge(
      "netwatch_event_loop_delay_max_seconds",
      "Longest time the loop made others wait, in the last ten seconds.",
      process.loopDelayMax,
    ),
    gauge(
      "netwatch_event_loop_delay_mean_seconds",
      "Mean time the loop made others wait, in the last ten seconds.",
      process.loopDelayMean,
    ),
    counter("netwatch_scrapes_total", "Pages made.", process.scrapes),
    counter("netwatch_scrape_seconds_total", "Time spent making pages.", process.scrapeSeconds),
    ...pollFamilies(process.polls),
    refusedFamily(process.refused),
    gauge("netwatch_http_connections", "Connections to this page that are open.", process.connections.open),
    cutFamily(process.connections.cut),
    gauge(
      "netwatch_web_config_valid",
      "Whether the web configuration in use is what its file says.",
      Number(process.reloads.ok),
    ),
    counter(
      "netwatch_web_config_failures_total",
      "Times that the web configuration could not be read again.",
      process.reloads.failures,
    ),
  ];
}

function pollFamilies(polls: ExposedProcess["polls"]): Family[] {
  const count = new Family("counter", "netwatch_polls_total", "Polls by what is polled.");
  const seconds = new Family("counter", "netwatch_poll_seconds_total", "Time that polls took.");
  const failures = new Family("counter", "netwatch_poll_failures_total", "Polls that failed.");
  for (const [poller, of] of polls) {
    count.add(of.count, { poller });
    seconds.add(of.seconds, { poller });
    failures.add(of.failures, { poller });
  }
  return [count, seconds, failures];
}

function refusedFamily(refused: ReadonlyMap<string, number>): Family {
  const family = new Family("counter", "netwatch_http_refused_total", "Requests refused by reason.");
  for (const [reason, count] of refused) family.add(count, { reason });
  return family;
}

function cutFamily(cut: ReadonlyMap<string, number>): Family {
  const family = new Family(
    "counter",
    "netwatch_http_connections_cut_total",
    "Connections to this page that were cut off, by reason.",
  );
  for (const [reason, count] of cut) family.add(count, { reason });
  return family;
}
