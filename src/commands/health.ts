/** `netwatch health`: whether the services answer, how fast, and since when. */
import { setTimeout } from "node:timers/promises";
import type { Column, HealthReport, HealthState, Row, Table } from "../analyze/snapshot/snapshot.js";
import { PeerThread } from "../capture/peers/peer-thread.js";
import { type HealthPoll, openHealthPoll } from "../engine/health/health-poll.js";
import { CommandError, ExitCode } from "../exit.js";
import { formatCell, formatCounted, formatInstant, safeJson, visible } from "../format.js";
import { renderTable, strong, type TextColumn } from "../report/text/text.js";
import { waitingFor } from "./signals.js";
import type { Terminal } from "./terminal.js";

export const HEALTH_FORMATS = ["table", "json", "ndjson"] as const;

export interface HealthOptions {
  readonly watch?: boolean;
  /** Seconds between rounds. */
  readonly interval: number;
  readonly names?: string;
  readonly registry?: URL;
  readonly output: (typeof HEALTH_FORMATS)[number];
  /** Ends the polling. */
  readonly signal: AbortSignal;
}

export async function health(options: HealthOptions, terminal: Terminal): Promise<ExitCode> {
  const { names } = options;
  if (names === undefined)
    throw new CommandError(
      ExitCode.usage,
      "say which services to check: --names FILE, for example --names services/lab.json",
    );
  const peers = new PeerThread();
  try {
    const open = () => openHealthPoll(names, options.registry, peers);
    const poll = await waitingFor([names], terminal, open);
    return await pollHealth(poll, names, options, terminal);
  } finally {
    await peers.close();
  }
}

async function pollHealth(
  poll: HealthPoll,
  names: string,
  options: HealthOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { watch, interval, signal } = options;
  let problem: string | null = null;
  for (;;) {
    const began = performance.now();
    const report = await poll.round();
    if (report.targets.length === 0)
      throw new CommandError(ExitCode.usage, `${names}: no service in it has a port, so none can be checked`);
    if (poll.problem !== null && poll.problem !== problem) terminal.say(poll.problem);
    problem = poll.problem;
    await terminal.write(render(report, options, terminal));
    const left = interval * 1000 - (performance.now() - began);
    if (!watch) return report.targets.some(({ state }) => state === "down") ? ExitCode.findings : ExitCode.ok;
    if (signal.aborted) return ExitCode.ok;
    await setTimeout(Math.max(0, left), undefined, { signal }).catch(() => {});
    if (signal.aborted) return ExitCode.ok;
  }
}

function render(
  report: HealthReport,
  { output, watch }: HealthOptions,
  terminal: Terminal,
): Iterable<string> {
  if (output === "ndjson") return [`${safeJson(report)}\n`];
  if (output === "json") return [`${safeJson(report, 2)}\n`];
  const clear = watch && terminal.screen !== undefined ? ["\x1b[H\x1b[J"] : [];
  return [...clear, ...renderHealth(report, terminal)];
}

const COLUMNS: readonly Column[] = [
  { name: "state", title: "State", kind: "text" },
  { name: "service", title: "Service", kind: "text" },
  { name: "address", title: "Address", kind: "text" },
  { name: "port", title: "Port", kind: "port" },
  { name: "latency_seconds", title: "Now", kind: "seconds" },
  { name: "own_delay_seconds", title: "Own delay", kind: "seconds" },
  { name: "p50_seconds", title: "p50", kind: "seconds" },
  { name: "p95_seconds", title: "p95", kind: "seconds" },
  { name: "availability", title: "Answered", kind: "ratio" },
  { name: "reason", title: "Why", kind: "text" },
];

/** How many are up, then one row per server. */
export function* renderHealth(
  report: HealthReport,
  options: { readonly width: number; readonly color: boolean },
): Iterable<string> {
  const { targets, time } = report;
  const of = (state: HealthState) => targets.filter((target) => target.state === state).length;
  const parts = [`${of("up")} of ${formatCounted(targets.length, "server")} up`];
  if (of("degraded") > 0) parts.push(`${of("degraded")} slow`);
  if (of("down") > 0) parts.push(`${of("down")} DOWN`);
  yield `${strong(parts.join(", "), options)} at ${visible(formatInstant(time))} UTC\n\n`;
  const rows = targets.map((target): Row => ({ ...target, history: null }));
  const table: Table = {
    name: "health",
    title: "Health",
    columns: [...COLUMNS],
    rows,
    total: {},
    omitted: 0,
  };
  const shown: readonly TextColumn[] = [
    { title: "State", kind: "text", text: (row) => formatCell("text", row.state).toUpperCase() },
    { title: "Service", kind: "text", text: (row) => formatCell("text", row.service) },
    { title: "Asked at", kind: "text", text: askedAt },
    { title: "Now", kind: "seconds", text: (row) => formatCell("seconds", row.latency_seconds) },
    {
      title: "Own delay",
      kind: "seconds",
      text: (row) => formatCell("seconds", row.own_delay_seconds),
    },
    { title: "p95", kind: "seconds", text: (row) => formatCell("seconds", row.p95_seconds) },
    { title: "Why", kind: "text", text: why },
  ];
  yield* renderTable(table, options, Number.POSITIVE_INFINITY, shown);
}

function askedAt({ address, port }: Row): string {
  const host = String(address).includes(":") ? `[${address}]` : address;
  return formatCell("text", `${host}:${port}`);
}

function why({ reason, changed, state }: Row): string {
  const since = changed === null ? "" : ` since ${formatCell("time", changed ?? null).slice(0, 8)}`;
  if (reason === null) return changed === null ? "" : `${String(state)}${since}`;
  return `${formatCell("text", reason ?? null)}${since}`;
}
