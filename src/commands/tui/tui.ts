/** `netwatch tui`: the monitor, of a live interface, a replay or a snapshot. */
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { chosenInterfaces } from "../../engine/captured-options.js";
import { HealthRounds } from "../../engine/health/health-rounds.js";
import { checkRecorded } from "../../engine/recording/recorded-options.js";
import type { LiveRun } from "../../engine/run.js";
import { CommandError, ExitCode } from "../../exit.js";
import { isNamedPipe } from "../../output-path.js";
import type { App } from "../../tui/app.js";
import { emptyModel, type Model } from "../../tui/model.js";
import { growTree } from "../../view/map/topology-tree.js";
import { checkMade, readLastSnapshot, readSnapshot } from "../analyze/last-snapshot.js";
import { type LiveWords, liveOptionsOf } from "../capture/live-options.js";
import type { Terminal } from "../terminal.js";
import { loadExports } from "./tui-exports.js";
import { MONITOR_ROWS, MonitorFeed, SCREEN_LIMITS } from "./tui-feed.js";
import { Monitor, type Tty } from "./tui-monitor.js";
import { replay } from "./tui-replay.js";

export interface TuiOptions extends LiveWords {
  /** Seconds from one round of health checks to the next. */
  readonly healthInterval: number;
  readonly read?: readonly string[];
  readonly from?: string;
  /** Replay speed: seconds of the capture per second. */
  readonly speed?: number;
}

export async function tui(
  options: TuiOptions,
  producer: string,
  terminal: Terminal,
  tty: Tty = { input: process.stdin, output: process.stdout },
): Promise<ExitCode> {
  checkTerminal(options, terminal, tty);
  const mode = modeOf(options);
  if (mode === "live") {
    chosenInterfaces(options);
    checkRecorded(options, options.names);
  } else if (options.events !== undefined)
    throw new CommandError(ExitCode.usage, "--events tells of a live run: add -i NAME");
  checkPipes(options);
  const snapshot = mode === "snapshot" ? await takeSnapshot(options, terminal) : null;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const monitor = new Monitor(emptyModel(sourceOf(options, snapshot), mode), terminal, tty, () =>
    ended.abort(),
  );
  const { app } = monitor;
  try {
    if (snapshot !== null) app.onSnapshot(snapshot, growTree(snapshot.tables.pairs), 0);
    else app.draw();
    return await run(mode, { ...options, signal }, app, producer, monitor.terminal);
  } finally {
    monitor.close();
    for (const line of monitor.lastWords) terminal.say(line);
  }
}

function checkTerminal(options: TuiOptions, terminal: Terminal, { input, output }: Tty): void {
  if (input.isTTY && output.isTTY && terminal.env.TERM !== "dumb") return;
  const live = options.interface?.[0] ?? options.bridge?.[0];
  const hint = live === undefined ? "`netwatch analyze FILE`" : `\`netwatch capture -i ${live} -o table\``;
  throw new CommandError(ExitCode.usage, `tui needs a terminal to draw on; without one, use ${hint}`);
}

/** Keys do not work while this waits. Throws CommandError. */
function checkPipes({ read = [], from, names, sidecar, write }: TuiOptions): void {
  const pipe = [...read, from, names, sidecar, write].find(isNamedPipe);
  if (pipe !== undefined)
    throw new CommandError(ExitCode.usage, `${pipe}: a named pipe, and the monitor waits for none`);
}

function modeOf({ read, from, interface: names, bridge }: TuiOptions): Model["mode"] {
  const live = names !== undefined || bridge !== undefined;
  if ([read !== undefined, from !== undefined, live].filter(Boolean).length > 1)
    throw new CommandError(ExitCode.usage, "give one of -i NAME, -r FILE and --from FILE");
  return live ? "live" : read !== undefined ? "replay" : "snapshot";
}

async function takeSnapshot(options: TuiOptions, { env }: Terminal): Promise<Snapshot> {
  const { from } = options;
  const snapshot = from === undefined ? await readLastSnapshot(env) : await readSnapshot(from);
  return limitSnapshot(checkMade(snapshot, options), MONITOR_ROWS);
}

function sourceOf({ interface: names, bridge, read, from }: TuiOptions, snapshot: Snapshot | null): string {
  const live = [...(names ?? []), ...(bridge ?? [])];
  if (live.length > 0) return live.join(" ");
  if (read !== undefined) return read.join(" ");
  return from ?? snapshot?.ledger.files.map(({ name }) => name).join(" ") ?? "last snapshot";
}

async function run(
  mode: Model["mode"],
  options: TuiOptions,
  app: App,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const { signal } = options;
  switch (mode) {
    case "snapshot":
      await untilAborted(signal);
      return ExitCode.ok;
    case "replay": {
      const exitCode = await replay(options, new MonitorFeed(app), producer, terminal);
      app.onEnd();
      await untilAborted(signal);
      return exitCode;
    }
    case "live":
      return await runMonitored(options, app, producer, terminal);
  }
}

/** Runs until a key ends it: if the capture ends before, the screen stays. */
async function runMonitored(
  options: TuiOptions,
  app: App,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const feed = new MonitorFeed(app);
  const { runLive } = await import("../capture/live.js");
  const { summaryLine } = await import("../capture/capture.js");
  const { names, registry, healthInterval } = options;
  let run: LiveRun | null = null;
  const health =
    names === undefined ? null : new HealthRounds(names, registry, (round) => run?.addHealth(round));
  const onStart = (started: LiveRun) => {
    run = started;
    health?.start(healthInterval * 1000);
  };
  const eventLimits = options.events === undefined ? { eventLimits: SCREEN_LIMITS } : {};
  const load = () => Promise.all([loadExports(), health?.load()]);
  try {
    const asked = liveOptionsOf({ ...options, waits: true });
    const result = await runLive(
      asked,
      { follower: feed, onStart, load, isScreen: true, ...eventLimits },
      producer,
      terminal,
    );
    feed.onSnapshot(result.snapshot);
    app.onEnd();
    for (const line of result.troubles) terminal.say(line);
    terminal.say(summaryLine(result.snapshot));
    await untilAborted(options.signal);
    return result.exitCode;
  } finally {
    health?.close();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    // A pending promise keeps no process alive; this does.
    const timer = setInterval(() => {}, 2 ** 30);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      resolve();
    });
    if (signal.aborted) clearInterval(timer);
  });
}
